internal import Architectures
internal import Elements
package import Routing

/// One text on its way through a model: the key-value cache and what the tokens picked.
///
/// Not to be shared between threads.
package final class Session {
    /// Which positions' logits `append` returns.
    package enum LogitSelection: Sendable {
        /// Those of every appended token: [tokens, vocabulary].
        case all
        /// Those of the last appended token: [vocabulary].
        case last
    }

    /// What one token picked in one layer.
    package struct RouteRecord: Sendable, Hashable {
        package let position: Int
        package let layer: Int
        /// One route per head.
        package let heads: [Route]
        /// Per head the last pick's score minus that of the best expert not picked.
        package let margins: [Float]
    }

    /// Tokens that run through the layers together; longer input is cut into blocks of this size.
    package static let blockSize = 256

    package let model: LanguageModel
    /// Tokens in the cache: the position of the next one.
    package private(set) var position = 0
    /// The last of them, by which rows are found.
    private(set) var history = HashRouter.History()
    /// What was picked since the session was made; `reset` keeps it.
    package private(set) var usage: ExpertUsage
    /// Whether routes are kept in `routes`; off at first, since they take memory.
    package var recordsRoutes = false
    /// By position, then layer, as far as they were recorded.
    package private(set) var routes: [RouteRecord] = []
    /// Whether ``selection`` is kept; off at first, since it takes time.
    package var countsPicks = false
    /// How often each expert was picked, by layer number, as far as it was counted.
    package private(set) var selection: [Int: [UInt32: Int]] = [:]
    /// By layer.
    let memories: [LayerMemory]
    private var pass: ForwardPass

    /// - Parameter pass: What runs the text; by default one of its own, on the caller's thread.
    ///   Sessions of one thread may share one.
    package init(_ model: LanguageModel, pass: ForwardPass? = nil) {
        self.model = model
        self.pass = pass ?? ForwardPass(model)
        usage = ExpertUsage(model)
        memories = model.layers.map { LayerMemory($0.attention) }
    }

    /// Tokens that still fit.
    package var room: Int { model.description.contextLength - position }

    /// Forgets the text, not the usage counts.
    package func reset() {
        position = 0
        history = HashRouter.History()
        routes = []
    }

    /// Has another pass run what comes, of a model of this one's structure.
    func move(to pass: ForwardPass) { self.pass = pass }

    /// Runs tokens through the model, after those that are already in the cache.
    ///
    /// - Returns: Logits before softmax, [tokens, vocabulary] or [vocabulary].
    /// - Throws: `.badInput` without tokens or for one that the vocabulary lacks; `.contextFull` if they do not
    ///   fit; then nothing is appended. What reading an expert throws, and then the session is to be reset.
    package func append(
        _ tokens: [Int], logits selection: LogitSelection = .last
    ) throws -> [Float] {
        try pass.append([(self, tokens)], logits: selection)[0]
    }

    /// Gives the routes out that were recorded since the last time, and forgets them.
    package func takeRoutes() -> [RouteRecord] {
        defer { routes = [] }
        return routes
    }

    /// Moves on by tokens that ran.
    func advance(_ tokens: ArraySlice<Int>) {
        position += tokens.count
        // Rows are of models whose tokens are bytes.
        for token in tokens.suffix(8) { history.append(UInt8(truncatingIfNeeded: token)) }
    }

    /// Notes what the tokens of a segment picked in a layer.
    func record(_ selection: borrowing Selection, _ slot: Int, _ tokens: Range<Int>) {
        let perToken = selection.heads * selection.topK
        let experts = selection.experts[
            tokens.lowerBound * perToken..<tokens.upperBound * perToken]
        usage.layers[slot].record(experts)
        let layer = usage.layers[slot].layer
        if countsPicks {
            for expert in experts { self.selection[layer, default: [:]][expert, default: 0] += 1 }
        }
        guard recordsRoutes else { return }
        for token in tokens {
            routes.append(
                RouteRecord(
                    position: position + token - tokens.lowerBound, layer: layer,
                    heads: (0..<selection.heads).map { selection.route(token: token, head: $0) },
                    margins: Array(
                        selection.margins[token * selection.heads..<(token + 1) * selection.heads]))
            )
        }
    }
}

extension ForwardPass {
    /// Runs tokens of several texts through the model, each after those that are in its cache.
    ///
    /// Each text gets the same bits as if it ran alone.
    ///
    /// - Parameter inputs: Distinct sessions of models of one structure, this one's.
    /// - Returns: For each input its logits before softmax, [tokens, vocabulary] or [vocabulary].
    /// - Throws: `.badInput` without tokens or for one that the vocabulary lacks; `.contextFull` if some do not
    ///   fit; then nothing is appended. What reading an expert throws, and then the sessions are to be reset.
    package func append(
        _ inputs: [(session: Session, tokens: [Int])],
        logits selection: Session.LogitSelection = .last
    ) throws -> [[Float]] {
        for (session, tokens) in inputs {
            try session.model.description.check(tokens, after: session.position)
        }
        var results = [[Float]](repeating: [], count: inputs.count)
        var done = [Int](repeating: 0, count: inputs.count)
        while true {
            // As much as fits a block, of one text after the other.
            var segments: [Segment] = []
            var owners: [Int] = []
            var total = 0
            for (index, input) in inputs.enumerated() where total < Session.blockSize {
                let rest = input.tokens[done[index]...]
                guard !rest.isEmpty else { continue }
                let tokens = rest.prefix(Session.blockSize - total)
                segments.append(Segment(session: input.session, tokens: tokens, start: total))
                owners.append(index)
                total += tokens.count
            }
            guard total > 0 else { return results }
            try run(segments)
            for (segment, index) in zip(segments, owners) {
                segment.session.advance(segment.tokens)
                done[index] += segment.tokens.count
                if selection == .all { results[index] += logits(segment) }
            }
            guard selection == .last else { continue }
            let ended = zip(segments, owners).filter { done[$1] == inputs[$1].tokens.count }
            for ((_, index), logits) in zip(ended, lastLogits(ended.map(\.0))) {
                results[index] = logits
            }
        }
    }
}

extension LanguageModel {
    /// Runs tokens through a session of their own: the logits of every position, [tokens, vocabulary].
    ///
    /// - Throws: As `Session.append`; `.badInput` for no threads.
    package func forward(_ tokens: [Int], threads: Int = 1) throws -> [Float] {
        try Session(self, pass: ForwardPass(self, team: try team(threads)))
            .append(tokens, logits: .all)
    }
}
