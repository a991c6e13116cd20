internal import Cambium

/// The texts of one model that run together.
///
/// Used by the engine's thread alone.
final class RunningBatch {
    private let model: LoadedModel
    private let batch: GenerationBatch
    private var texts: [Int: Scheduler.Text] = [:]
    private(set) var lastUse = ContinuousClock.now

    init(_ model: LoadedModel, threads: Int) throws {
        self.model = model
        batch = try GenerationBatch(model.model, threads: threads)
    }

    var commit: String { model.commit }
    var count: Int { texts.count }
    var isEmpty: Bool { texts.isEmpty }

    /// Whether it has nothing to do, and its model is to go or was not asked for some time.
    func isDone(at time: ContinuousClock.Instant) -> Bool {
        texts.isEmpty && (model.isDropped || lastUse < time - .seconds(2))
    }

    func add(_ text: Scheduler.Text, _ metrics: Metrics) {
        do {
            texts[try batch.add(text.work.requests[text.index])] = text
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
            let steps = try batch.step()
            metrics.noteStep(texts: texts.count, took: .now - lastUse, steps)
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

    /// Gives all texts up.
    func fail(_ error: APIError) {
        for text in texts.values { text.work.tell(text.index, .failed(error)) }
        for key in texts.keys { batch.remove(key) }
        texts = [:]
    }
}
