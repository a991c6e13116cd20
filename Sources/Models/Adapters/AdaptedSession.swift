internal import Architectures
internal import Elements
internal import Routing
package import Tensors

/// One text on its way through a model with adapters.
///
/// Each model that the gate picks has a session of its own, which reads the text up to where it is needed:
/// an adapter that is not picked costs nothing. What a token gives depends on the text since the last reset
/// alone.
///
/// Not to be shared between threads.
package final class AdaptedSession {
    package let model: AdaptedModel
    /// Tokens since the last reset.
    private(set) var text: [Int] = []
    private var state: CountGate.State?
    private var speller: (any TokenSpeller)?
    /// What the last token is spelled by.
    private var spelled: [UInt8] = []
    /// By model; made when first needed.
    fileprivate var sessions: [Session?]
    /// How many tokens each model was the likeliest for, the base first; only of those whose logits were
    /// asked for.
    package fileprivate(set) var choices: [Int]
    /// Of models that are picked by how well they predict the text.
    fileprivate var predictions: LikelihoodState?
    private var pass: AdaptedPass

    /// - Parameter pass: What runs the text; sessions of one thread may share one.
    package init(_ model: AdaptedModel, pass: AdaptedPass? = nil) {
        self.model = model
        self.pass = pass ?? AdaptedPass(model)
        state = model.mixture.start
        speller = model.mixture.hasGate ? model.speller?() : nil
        sessions = [Session?](repeating: nil, count: 1 + model.adapters.count)
        choices = [Int](repeating: 0, count: 1 + model.adapters.count)
        predictions = model.mixture.likelihood.map(LikelihoodState.init)
    }

    package var position: Int { text.count }

    package var room: Int { model.description.contextLength - text.count }

    /// Picks of experts, by the base and by adapters that run with its experts.
    package var usage: ExpertUsage {
        var usage = ExpertUsage(model.base)
        for (index, session) in sessions.enumerated() {
            guard let session, index == 0 || model.adapters[index - 1].usesExperts else { continue }
            usage.formUnion(session.usage)
        }
        return usage
    }

    package func reset() {
        text = []
        state = model.mixture.start
        if model.mixture.hasGate { speller = model.speller?() }
        predictions = model.mixture.likelihood.map(LikelihoodState.init)
        for session in sessions { session?.reset() }
    }

    /// Has another pass run what comes, of a model of this one's structure; keeps nothing of the one before.
    func move(to pass: AdaptedPass) throws {
        for (index, session) in sessions.enumerated() {
            if let session { session.move(to: try pass.pass(index)) }
        }
        self.pass = pass
    }

    /// Runs tokens through the model, after those that it has read.
    ///
    /// - Returns: [tokens, vocabulary] or [vocabulary]: where one model answers alone its logits, else the
    ///   logarithm of the mixed probability.
    /// - Throws: As `Session.append`; where the models themselves tell which of them it is, the session is reset when
    ///   one of them cannot be run.
    package func append(
        _ tokens: [Int], logits selection: Session.LogitSelection = .last
    ) throws -> [Float] {
        try pass.append([(self, tokens)], logits: selection)[0]
    }

    /// Takes tokens in that the base alone answers for.
    fileprivate func readAlone(_ tokens: [Int], _ selection: Session.LogitSelection) {
        text += tokens
        choices[0] += selection == .all ? tokens.count : 1
    }

    /// Takes tokens in that every model has read.
    ///
    /// - Parameters:
    ///   - logits: By model, [tokens, vocabulary].
    ///   - isLast: Whether no more tokens follow in this call.
    /// - Returns: As ``append(_:logits:)``.
    fileprivate func read(
        _ tokens: [Int], _ logits: [[Float]], _ selection: Session.LogitSelection, isLast: Bool
    ) -> [Float] {
        var result: [Float] = []
        text += tokens
        for (index, token) in tokens.enumerated() {
            predictions?.advance(token, logits, row: index, of: tokens.count)
            guard selection == .all || isLast && index == tokens.count - 1, let predictions
            else { continue }
            let shares = AdapterMixture.shares(predictions.weights)
            choices[shares[0].model] += 1
            let rows = shares.map { predictions.row(of: $0.model) }
            result +=
                rows.count == 1
                ? rows[0] : mix(rows, AdapterMixture.Blend(shares: shares, counts: []))
        }
        return result
    }

    /// Takes tokens in.
    ///
    /// - Returns: What predicts the token after each, or after the last one.
    fileprivate func read(
        _ tokens: [Int], _ selection: Session.LogitSelection
    ) -> [AdapterMixture.Blend] {
        var blends: [AdapterMixture.Blend] = []
        for token in tokens {
            spelled.removeAll(keepingCapacity: true)
            speller?.append(token, to: &spelled)
            for byte in spelled { model.mixture.advance(&state, byte) }
            if selection == .all { blends.append(model.mixture.blend(state)) }
        }
        text += tokens
        if selection == .last { blends = [model.mixture.blend(state)] }
        for blend in blends { choices[blend.shares[0].model] += 1 }
        return blends
    }

    /// The session of one of the models.
    fileprivate func session(_ index: Int, _ pass: ForwardPass) throws -> Session {
        if let session = sessions[index] { return session }
        let session = Session(try model.model(index), pass: pass)
        sessions[index] = session
        return session
    }
}

/// The working memory of a model's base and adapters: runs tokens of one or several texts through them.
///
/// Where nothing picks among adapters, texts may be of several models of one structure; see ``ForwardPass``.
///
/// Not to be shared between threads.
package final class AdaptedPass {
    package let model: AdaptedModel
    private let team: ThreadTeam
    private var passes: [Int: ForwardPass] = [:]

    package init(_ model: AdaptedModel, team: ThreadTeam = .single) {
        self.model = model
        self.team = team
    }

    /// Parts of models that ran, and how many would have if the texts of each model had run alone.
    package var parts: (run: Int, alone: Int) {
        passes.values.reduce((0, 0)) { ($0.0 + $1.counts.run, $0.1 + $1.counts.alone) }
    }

    /// Runs tokens of several texts, each after those that its session has read; each text gets the bits
    /// that it would get alone.
    ///
    /// - Parameter inputs: Distinct sessions of this model, or of models of one structure, this one's.
    /// - Returns: For each input as `AdaptedSession.append`.
    /// - Throws: As `ForwardPass.append`.
    package func append(
        _ inputs: [(session: AdaptedSession, tokens: [Int])],
        logits selection: Session.LogitSelection = .last
    ) throws -> [[Float]] {
        for (session, tokens) in inputs {
            try session.model.description.check(tokens, after: session.position)
        }
        if model.mixture.likelihood != nil { return try appendToAll(inputs, selection) }
        guard model.mixture.hasGate else {
            let pass = try pass(0)
            for (session, tokens) in inputs { session.readAlone(tokens, selection) }
            return try pass.append(
                inputs.map { (try $0.session.session(0, pass), $0.tokens) }, logits: selection)
        }
        let blends = inputs.map { $0.session.read($0.tokens, selection) }
        var answers = [[Int: Answer]](repeating: [:], count: inputs.count)
        for index in 0...model.adapters.count {
            var owners: [Int] = []
            var runs: [(session: Session, tokens: [Int])] = []
            var pass: ForwardPass?
            for (owner, input) in inputs.enumerated() {
                guard
                    let last = blends[owner].lastIndex(where: {
                        $0.shares.contains { $0.model == index }
                    })
                else { continue }
                let text = input.session.text
                let end =
                    selection == .all ? text.count - input.tokens.count + last + 1 : text.count
                let own = if let pass { pass } else { try self.pass(index) }
                pass = own
                let session = try input.session.session(index, own)
                answers[owner][index] = Answer(
                    start: session.position, width: model.description.vocabularySize)
                owners.append(owner)
                runs.append((session, Array(text[session.position..<end])))
            }
            guard let pass else { continue }
            for (owner, logits) in zip(owners, try pass.append(runs, logits: selection)) {
                answers[owner][index]?.logits = logits
            }
        }
        return inputs.indices.map { owner in
            let first = inputs[owner].session.text.count - inputs[owner].tokens.count
            var result: [Float] = []
            for (offset, blend) in blends[owner].enumerated() {
                let rows = blend.shares.map { share in
                    answers[owner][share.model]?.row(
                        selection == .all ? first + offset : nil) ?? []
                }
                result +=
                    rows.count == 1 && blend.counts.isEmpty ? rows[0] : mix(rows, blend)
            }
            return result
        }
    }

    /// As ``append(_:logits:)``, where every model reads every token.
    ///
    /// - Throws: Then some models have read more than others, and the sessions are reset.
    private func appendToAll(
        _ inputs: [(session: AdaptedSession, tokens: [Int])], _ selection: Session.LogitSelection
    ) throws -> [[Float]] {
        // A block at a time: all models' logits of all its tokens are in memory together.
        let size = max(Session.blockSize / max(inputs.count, 1), 1)
        let longest = inputs.map(\.tokens.count).max() ?? 0
        var results = [[Float]](repeating: [], count: inputs.count)
        do {
            for start in stride(from: 0, to: longest, by: size) {
                let owners = inputs.indices.filter { inputs[$0].tokens.count > start }
                let blocks = owners.map { Array(inputs[$0].tokens[start...].prefix(size)) }
                var logits = [[[Float]]](repeating: [], count: owners.count)
                for index in 0...model.adapters.count {
                    let pass = try pass(index)
                    let rows = try pass.append(
                        zip(owners, blocks).map { owner, block in
                            (try inputs[owner].session.session(index, pass), block)
                        }, logits: .all)
                    for (place, row) in rows.enumerated() { logits[place].append(row) }
                }
                for (place, owner) in owners.enumerated() {
                    let (session, tokens) = inputs[owner]
                    results[owner] += session.read(
                        blocks[place], logits[place], selection,
                        isLast: start + size >= tokens.count)
                }
            }
            return results
        } catch {
            for (session, _) in inputs { session.reset() }
            throw error
        }
    }

    fileprivate func pass(_ index: Int) throws -> ForwardPass {
        if let pass = passes[index] { return pass }
        let pass = ForwardPass(try model.model(index), team: team)
        passes[index] = pass
        return pass
    }

    /// What one model gave for a text.
    private struct Answer {
        /// Of the first row, in the text.
        let start: Int
        /// Of a row.
        let width: Int
        var logits: [Float] = []

        init(start: Int, width: Int) {
            self.start = start
            self.width = width
        }

        /// The row of a position, or the only one.
        func row(_ position: Int?) -> [Float] {
            let first = position.map { ($0 - start) * width } ?? 0
            return Array(logits[first..<first + width])
        }
    }
}

/// ln (counts + Σ w softmax(row)), in the order of the rows; what is not a number stays one.
private func mix(_ rows: [[Float]], _ blend: AdapterMixture.Blend) -> [Float] {
    var sum =
        blend.counts.isEmpty ? [Float](repeating: 0, count: rows[0].count) : blend.counts
    let weights = blend.shares.map(\.weight)
    for (row, weight) in zip(rows, weights) {
        var probabilities = row
        var span = probabilities.mutableSpan
        Kernels.softmax(&span, width: row.count)
        var target = sum.mutableSpan
        Kernels.axpy(weight, probabilities.span, into: &target)
    }
    return sum.map {
        $0 < .leastNormalMagnitude ? Kernels.log(.leastNormalMagnitude) : Kernels.log($0)
    }
}

extension AdaptedModel {
    /// Runs tokens through a session of their own: [tokens, vocabulary], as `AdaptedSession.append`.
    ///
    /// - Throws: As `AdaptedSession.append`; `.badInput` for no threads.
    package func forward(_ tokens: [Int], threads: Int = 1) throws -> [Float] {
        try AdaptedSession(self, pass: AdaptedPass(self, team: try base.team(threads)))
            .append(tokens, logits: .all)
    }
}
