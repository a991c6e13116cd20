internal import Architectures
package import Elements
package import Objects
package import Routing
package import Snapshots
internal import Tokenizers

/// A snapshot's model on its mapped records: the base with the adapters that rounds added, and the text that it
/// reads.
package struct SnapshotModel: Sendable {
    /// The base, with what rounds of training added to it.
    package let model: AdaptedModel
    package let vocabulary: TextVocabulary
    /// Keeps the lease: weights are read in place.
    private let snapshot: MappedSnapshot
    private let residency: Residency
    /// When the model was mapped.
    package let start: ProcessCounters

    /// - Parameters:
    ///   - memoryLimit: Bytes of memory that the process may have; nil for no limit.
    ///   - checks: Whether weights are checked against their names when they are first read.
    ///   - gate: Solves the snapshot's evidence; called when there are adapters to pick among.
    /// - Throws: `.unsupported` for an architecture that this version does not run; `.limit` when the model does
    ///   not fit the limit without any expert.
    package init(
        _ snapshot: MappedSnapshot, memoryLimit: Int? = nil, checks: Bool = false,
        gate: () throws -> (gate: CountGate, classes: [String])?
    ) throws {
        let description = try snapshot.modelDescription()
        self.snapshot = snapshot
        start = ProcessCounters()
        residency = Residency(limit: memoryLimit)
        let weights = SnapshotWeights(
            snapshot, residency: residency, checks: checks)
        if memoryLimit != nil {
            // What comes from a remote is read by other threads than those that use it.
            if snapshot.isLazy { returnsFreedBuffers() }
            try weights.releaseMap()
        }
        let base = try LanguageModel(description, source: weights)
        let vocabulary = TextVocabulary(snapshot, description)
        self.vocabulary = vocabulary
        let adapters = try StoredAdapters(snapshot)
        let mixture = try snapshot.mixture()
        let found = adapters.names.isEmpty && mixture == nil ? nil : try gate()
        let isByLikelihood = adapters.picksByLikelihood(found?.classes)
        let solved = isByLikelihood ? nil : found
        guard mixture == nil || !isByLikelihood else {
            throw CambiumError(
                .unsupported,
                "\(snapshot.id.short) has a \(MixtureDescription.fileName), which needs counts of the base's and "
                    + "of every alternative's texts; add them: cambium evidence add --adapter NAME --text FILE"
            )
        }
        let tokenizer = mixture == nil ? nil : try vocabulary.tokenizer()
        guard mixture == nil || description.vocabularySize == 256 && tokenizer == nil else {
            throw CambiumError(
                .unsupported,
                "the \(MixtureDescription.fileName) of \(snapshot.id.short) has counts predict bytes, and the "
                    + "model's tokens are none; commit the model without the file")
        }
        model = AdaptedModel(
            base, adapters: adapters.entries(description, weights),
            gate: solved,
            counts: solved == nil ? nil : mixture?.counts,
            picksByLikelihood: isByLikelihood,
            speller: solved == nil ? nil : try vocabulary.speller())
        if let memoryLimit {
            try weights.release(within: memoryLimit)
        }
    }

    package var commit: ObjectID { snapshot.id }

    /// What its experts were used for.
    package var counts: Residency.Counts { residency.counts }

    /// Counts which experts a text picks.
    package func profile(_ tokens: TokenSource, _ progress: ProgressReporter) throws
        -> ExpertProfile
    {
        try model.base.profile(
            count: tokens.count, progress: { try progress(Progress("windows", $0, $1)) },
            read: tokens.part)
    }

    /// Continues texts, each with the text that it would get alone; see `AdaptedModel.generate`.
    ///
    /// - Parameter pastEnd: Whether it goes on behind the model's end tokens.
    package func generate(
        _ prompts: [[UInt8]], count: Int, sampling: Sampling, stops: [[UInt8]], pastEnd: Bool,
        threads: Int, eachByte: (Int, UInt8) -> Bool, finished: (Int, Generation) -> Void
    ) throws -> [Generation] {
        let tokens = try prompts.map { try vocabulary.tokens(of: $0, addsSpecialTokens: true) }
        let limits = GenerationLimits(
            count: count, stops: stops, endTokens: pastEnd ? [] : Set(model.description.endTokens),
            speller: try vocabulary.speller())
        return try model.generate(
            prompts: tokens, limits, sampling: sampling, threads: threads, eachByte: eachByte,
            finished: finished)
    }

    /// The beginning of a text that counts: no character is cut where a tokenizer reads characters.
    ///
    /// - Parameter limit: Bytes; nil for all.
    package func beginning(of text: TextSource, limit: Int?) throws -> TextSource {
        let part = text.prefix(limit)
        // Who gives a text may have cut it at the limit already.
        guard let limit, part.count == limit, limit > 0, try vocabulary.tokenizer() != nil else {
            return part
        }
        let end = try part.bytes(max(0, limit - 4)..<limit)
        return part.prefix(limit - UTF8Text.incomplete(end))
    }

    /// Checks that a text can be evaluated, without running the model.
    ///
    /// - Parameters:
    ///   - isSliding: Whether windows overlap, of any size.
    /// - Throws: As an evaluation.
    package func check(_ text: TextSource, isSliding: Bool) throws {
        guard text.count > 0 else { throw Self.empty }
        let tokens = try vocabulary.tokens(of: text)
        var count = tokens.count
        if isSliding {
            count += try vocabulary.tokenizer()?.startTokens.count ?? 0
            try EvaluationWindows.check(count)
        } else {
            try model.checkWindows(of: count)
        }
        if case .tokens(let ids) = tokens { try model.description.check(ids) }
    }

    private static var empty: CambiumError { CambiumError(.badInput, "the text is empty") }

    /// Bytes of a text as the model read it: a tokenizer reads U+FFFD for what is no UTF-8.
    private func bytes(of text: TextSource, _ tokens: TokenSource) throws -> Int {
        guard case .tokens = tokens else { return text.count }
        return String(decoding: try text.bytes(0..<text.count), as: UTF8.self).utf8.count
    }

    /// How well the model predicts a text, with the bits for each of its bytes.
    package func evaluate(
        _ text: TextSource, threads: Int, progress: ProgressReporter
    ) throws -> (result: Evaluation, bitsPerByte: Double) {
        let tokens = try vocabulary.tokens(of: text)
        let result = try model.evaluate(
            count: tokens.count, threads: threads,
            progress: { try progress(Progress("windows", $0, $1)) }, read: tokens.part)
        let bits = result.bitsPerToken
        let bytes = try bytes(of: text, tokens)
        return (
            result, tokens.count == bytes ? bits : bits * Double(tokens.count) / Double(bytes)
        )
    }

    /// How well the model predicts every token of a text, in windows that overlap, with the bits for each of the
    /// text's bytes.
    ///
    /// The tokens that the tokenizer puts in front of a text are read first, so that the text's first token is
    /// predicted where there are some.
    ///
    /// - Parameters:
    ///   - window: Tokens of a window; nil for the model's context.
    ///   - stride: From one window's start to the next; nil for half a window.
    package func evaluate(
        sliding text: TextSource, window: Int?, stride: Int?, threads: Int,
        progress: ProgressReporter
    ) throws -> (result: Evaluation, bitsPerByte: Double) {
        let context = model.description.contextLength
        let size = window ?? context
        guard (2...max(2, context)).contains(size) else {
            throw CambiumError(
                .usage, "windows of \(size) tokens; the model reads 2 to \(context) at once")
        }
        guard text.count > 0 else { throw Self.empty }
        let step = stride ?? size / 2
        var (tokens, before) = (try vocabulary.tokens(of: text), 0)
        if let tokenizer = try vocabulary.tokenizer(), case .tokens(let ids) = tokens {
            let start = tokenizer.startTokens
            before = start.count
            tokens = .tokens(start + ids)
        }
        let cut = try EvaluationWindows(sliding: size, by: step, of: tokens.count)
        let result = try model.evaluate(
            cut, threads: threads, progress: { try progress(Progress("windows", $0, $1)) },
            read: tokens.part)
        var bytes = try bytes(of: text, tokens)
        // The first token's bytes count where it is predicted.
        if before == 0 {
            var (spelled, speller) = ([UInt8](), try vocabulary.speller()())
            for token in try tokens.part(0..<1) { speller.append(token, to: &spelled) }
            speller.finish(&spelled)
            bytes -= min(spelled.count, bytes - 1)
        }
        return (result, result.nats / (Double(max(1, bytes)) * 0.693147180559945309417))
    }

    /// For what share of the bytes each model was picked, by name; empty without adapters.
    package func shares(_ selection: [Int]) -> [String: Double] {
        guard selection.count > 1 else { return [:] }
        let sum = Double(max(1, selection.reduce(0, +)))
        return Dictionary(
            uniqueKeysWithValues: selection.enumerated().map {
                (model.name(of: $0), Double($1) / sum)
            })
    }

    /// The experts and weights that each token of a text picks in the base, in order of position, then layer.
    ///
    /// A text longer than the context is read in windows of the context length that do not overlap; each begins
    /// anew.
    ///
    /// - Parameters:
    ///   - layers: Only these; nil for all.
    ///   - each: Called with every route, the token's position in the text and the token; returning false stops.
    /// - Throws: `.usage` for an empty text, `.notFound` for a layer without experts.
    package func routes(
        _ text: TextSource, layers: [Int]?,
        each: (Session.RouteRecord, _ position: Int, _ token: Int) throws -> Bool
    ) throws {
        let known = model.description.expertLayers
        for layer in layers ?? [] where !known.contains(layer) {
            throw CambiumError(
                .notFound,
                "layer \(layer) has no experts; those that do: "
                    + known.map(String.init).joined(separator: ", "))
        }
        guard text.count > 0 else { throw CambiumError(.usage, "the text is empty") }
        let tokens = try vocabulary.tokens(of: text)
        let session = Session(model.base)
        session.recordsRoutes = true
        var start = 0
        while start < tokens.count {
            if session.room == 0 { session.reset() }
            // A block at a time, so that a long context's routes are not all held.
            let count = min(session.room, Session.blockSize, tokens.count - start)
            let some = try tokens.part(start..<start + count)
            _ = try session.append(some)
            let offset = start - (session.position - count)
            for record in session.takeRoutes().sorted(by: {
                ($0.position, $0.layer) < ($1.position, $1.layer)
            }) where layers?.contains(record.layer) ?? true {
                let position = offset + record.position
                guard try each(record, position, some[position - start]) else { return }
            }
            start += count
        }
    }
}
