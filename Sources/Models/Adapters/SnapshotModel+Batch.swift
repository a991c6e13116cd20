package import Architectures
package import Elements

/// Texts that models of one structure continue together; see ``TextBatch``.
///
/// The models are to be kept as long as their texts are under way.
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

    private let structure: ModelDescription?
    private let threads: Int
    private let batch: TextBatch
    private var nextKey = 0
    /// Parts that ran by the descriptions of models that are gone.
    private var before = (run: 0, alone: 0)
    /// Models that could not be read, whose texts would have those of others start over; not kept by this.
    private var failed: [Failed] = []

    private struct Failed {
        weak var model: AdaptedModel?
    }

    /// - Parameter threads: Share the work; no text depends on them.
    package init(_ model: SnapshotModel, threads: Int) throws {
        structure = model.structure
        self.threads = threads
        batch = TextBatch(try model.pass(threads))
    }

    package var count: Int { batch.texts.count }

    /// Whether texts of a model can run beside the others.
    package func takes(_ model: SnapshotModel) -> Bool {
        guard !failed.contains(where: { $0.model === model.model }) else { return false }
        return batch.pass.model === model.model || structure != nil && structure == model.structure
    }

    /// Parts of models that ran, and how many would have if the texts of each model had run alone.
    package var parts: (run: Int, alone: Int) {
        (before.run + batch.pass.parts.run, before.alone + batch.pass.parts.alone)
    }

    /// Runs what comes by another model's description, so that one that is to go can.
    ///
    /// - Parameters:
    ///   - model: Of which no text is under way.
    ///   - other: One that the batch takes.
    /// - Returns: Whether it did by the one that is to go.
    package func release(_ model: SnapshotModel, for other: SnapshotModel) throws -> Bool {
        guard batch.pass.model === model.model else { return false }
        let pass = try other.pass(threads)
        for text in batch.texts { try text.session.move(to: pass) }
        before = parts
        batch.pass = pass
        return true
    }

    /// Takes a text in.
    ///
    /// - Parameter model: One that the batch takes.
    /// - Throws: As `AdaptedModel.generate`.
    package func add(
        _ prompt: [Int], to model: SnapshotModel, _ limits: GenerationLimits, _ sampling: Sampling
    ) throws -> Int {
        precondition(takes(model), "a model of another structure")
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
                nextKey, prompt, session: AdaptedSession(model.model, pass: batch.pass), limits,
                sampling)
        )
        return nextKey
    }

    package func remove(_ key: Int) { batch.remove { $0.index == key } }

    /// Brings every text on: by a token, or by a part of its prompt.
    ///
    /// - Returns: What is new, of the texts that have something.
    /// - Throws: What reading an expert throws, of the only model that has texts; then they are given up.
    package func step() throws -> [Step] {
        let failed: [(text: Continuation, error: CambiumError)]
        do {
            failed = try batch.step({ _, _ in true }, { _, _ in true })
        } catch {
            let models = Set(batch.texts.map { ObjectIdentifier($0.session.model) })
            guard models.count > 1 else {
                batch.remove { _ in true }
                throw error
            }
            failed = apart()
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

    /// Brings the texts of one model after the other on, when one of the models cannot be read: the texts of the others
    /// start over.
    ///
    /// - Returns: Texts that could not go on; they are taken out.
    private func apart() -> [(text: Continuation, error: CambiumError)] {
        for text in batch.texts {
            text.startOver(AdaptedSession(text.session.model, pass: batch.pass))
        }
        var given: [(text: Continuation, error: CambiumError)] = []
        var done: [AdaptedModel] = []
        for model in batch.texts.map(\.session.model) where !done.contains(where: { $0 === model })
        {
            done.append(model)
            do {
                given += try batch.step(
                    { _, _ in true }, { _, _ in true }, where: { $0.session.model === model })
            } catch {
                failed.removeAll { $0.model == nil }
                failed.append(Failed(model: model))
                let error =
                    error as? CambiumError ?? CambiumError(.io, "\(error)", cause: error)
                given += batch.texts.filter { $0.session.model === model }.map { ($0, error) }
                batch.remove { $0.session.model === model }
            }
        }
        return given
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
    /// By which models are told whose parts can be exchanged; nil where something picks among adapters.
    package var structure: ModelDescription? {
        model.mixture.hasGate || model.mixture.likelihood != nil ? nil : model.description.structure
    }

    fileprivate func pass(_ threads: Int) throws -> AdaptedPass {
        AdaptedPass(model, team: try model.base.team(threads))
    }

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
