internal import Architectures
package import Elements

/// Texts that a model continues together; see ``TextBatch``.
///
/// Not to be shared between threads.
package final class SnapshotBatch {
    /// What a step gave of one text.
    package struct Step {
        package let key: Int
        package fileprivate(set) var tokens: [Int] = []
        package fileprivate(set) var chances: [TokenChances] = []
        package fileprivate(set) var bytes: [UInt8] = []
        /// Of a text that ended.
        package fileprivate(set) var generation: Generation?
        /// Of a text that could not go on.
        package fileprivate(set) var error: CambiumError?
    }

    private let model: SnapshotModel
    private let pass: AdaptedPass
    private let batch: TextBatch
    private var nextKey = 0

    /// - Parameter threads: Share the work; no text depends on them.
    package init(_ model: SnapshotModel, threads: Int) throws {
        self.model = model
        pass = AdaptedPass(model.model, team: try model.model.base.team(threads))
        batch = TextBatch(pass)
    }

    package var count: Int { batch.texts.count }

    /// Takes a text in.
    ///
    /// - Throws: As `AdaptedModel.generate`.
    package func add(_ prompt: [Int], _ limits: GenerationLimits, _ sampling: Sampling) throws
        -> Int
    {
        try model.model.check(prompt, name: "the prompt")
        try limits.check(model.model.description)
        guard !limits.promptChances || prompt.count <= model.model.description.contextLength else {
            throw CambiumError(
                .contextFull,
                "the prompt has \(prompt.count) tokens, of which the model reads the last "
                    + "\(model.model.description.contextLength): not all have chances")
        }
        defer { nextKey += 1 }
        batch.add(
            Continuation(
                nextKey, prompt, session: AdaptedSession(model.model, pass: pass), limits, sampling)
        )
        return nextKey
    }

    package func remove(_ key: Int) { batch.remove { $0.index == key } }

    /// Brings every text on: by a token, or by a part of its prompt.
    ///
    /// - Returns: What is new, of the texts that have something.
    /// - Throws: What reading an expert throws; then all texts are given up.
    package func step() throws -> [Step] {
        let failed: [(text: Continuation, error: CambiumError)]
        do {
            failed = try batch.step({ _, _ in true }, { _, _ in true })
        } catch {
            batch.remove { _ in true }
            throw error
        }
        var steps = failed.map { news(of: $0.text, error: $0.error) }
        for (text, generation) in batch.takeEnded({ _, _ in true }, { _, _ in true }) {
            steps.append(news(of: text, generation: generation))
        }
        for text in batch.texts {
            let step = news(of: text)
            if !step.tokens.isEmpty || !step.bytes.isEmpty { steps.append(step) }
        }
        return steps
    }

    private func news(
        of text: Continuation, generation: Generation? = nil, error: CambiumError? = nil
    ) -> Step {
        let (tokens, chances, bytes) = text.takeNews()
        return Step(
            key: text.index, tokens: tokens, chances: chances, bytes: bytes, generation: generation,
            error: error)
    }
}

extension SnapshotModel {
    /// Where a text ends.
    ///
    /// - Parameter isAnswer: Whether special tokens are part of what the model writes, as in answers of conversations.
    package func limits(
        count: Int, stops: [[UInt8]], pastEnd: Bool, isAnswer: Bool, alternatives: Int?,
        promptChances: Bool
    ) throws -> GenerationLimits {
        GenerationLimits(
            count: count, stops: stops, endTokens: pastEnd ? [] : Set(model.description.endTokens),
            speller: try vocabulary.speller(skipsSpecialTokens: !isAnswer),
            alternatives: alternatives, promptChances: promptChances)
    }
}
