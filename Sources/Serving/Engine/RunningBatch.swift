internal import Cambium

/// The texts of models of one structure that run together; see `GenerationBatch`.
///
/// Used by the engine's thread alone.
final class RunningBatch {
    /// By whose description they run.
    private var model: LoadedModel
    private let batch: GenerationBatch
    private var texts: [Int: Scheduler.Text] = [:]
    private(set) var lastUse = ContinuousClock.now

    init(_ model: LoadedModel, threads: Int) throws {
        self.model = model
        batch = try GenerationBatch(model.model, threads: threads)
    }

    /// Whether texts of a model can run beside the others.
    func takes(_ model: LoadedModel) -> Bool { batch.takes(model.model) }

    var count: Int { texts.count }
    var isEmpty: Bool { texts.isEmpty }

    /// Whether it has nothing to do, and its model is to go or was not asked for some time.
    func isDone(at time: ContinuousClock.Instant) -> Bool {
        texts.isEmpty && (model.isDropped || lastUse < time - .seconds(2))
    }

    func add(_ text: Scheduler.Text, _ metrics: Metrics) {
        do {
            let key = try batch.add(
                text.work.requests[text.index], to: text.work.model.model)
            texts[key] = text
        } catch {
            text.work.tell(text.index, .failed(metrics.told(error)))
        }
    }

    /// Brings all texts on by a token, or by a part of a prompt.
    func step(_ metrics: Metrics) {
        lastUse = .now
        for (key, text) in texts {
            if text.work.isCancelled {
                metrics.count(\.cancelled)
            } else if text.work.deadline < lastUse {
                text.work.tell(
                    text.index,
                    .failed(
                        APIError(
                            .unavailable, "the request took longer than the server allows",
                            code: "timeout")))
            } else {
                continue
            }
            batch.remove(key)
            texts[key] = nil
        }
        guard !texts.isEmpty else { return }
        do {
            try leave()
            let before = (batch.partsRun, batch.partsAlone)
            let steps = try batch.step()
            metrics.noteStep(texts: texts.count, took: .now - lastUse, steps)
            metrics.noteParts(
                run: batch.partsRun - before.0, alone: batch.partsAlone - before.1)
            for step in steps {
                guard let text = texts[step.key] else { continue }
                if let error = step.error {
                    text.work.tell(text.index, .failed(metrics.told(error)))
                } else {
                    text.work.tell(text.index, .step(step))
                }
                if step.end != nil || step.error != nil { texts[step.key] = nil }
            }
        } catch {
            fail(metrics.told(error))
        }
    }

    /// Lets go of a model that is to go and has no texts left, while those of others go on.
    private func leave() throws {
        guard model.isDropped else { return }
        let models = texts.values.map(\.work.model)
        guard let other = models.first, !models.contains(where: { $0 === model }) else { return }
        try batch.release(model.model, for: other.model)
        model = other
    }

    /// Gives all texts up.
    func fail(_ error: APIError) {
        for text in texts.values { text.work.tell(text.index, .failed(error)) }
        for key in texts.keys { batch.remove(key) }
        texts = [:]
    }
}
