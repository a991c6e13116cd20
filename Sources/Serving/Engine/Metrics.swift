internal import Cambium
internal import Logging
internal import Synchronization

/// What happened so far, for `/metrics`.
final class Metrics: Sendable {
    struct Values: Sendable {
        /// Answers, by route and status.
        var answers: [String: Int] = [:]
        /// Seconds until requests were answered: how many took at most each bound of ``Metrics/bounds``.
        var durations = [Int](repeating: 0, count: Metrics.bounds.count + 1)
        var durationSum = 0.0
        var promptTokens = 0
        var newTokens = 0
        var refused = 0
        var cancelled = 0
        var failures = 0
        var steps = 0
        /// Texts of all steps together.
        var stepTexts = 0
        var stepSeconds = 0.0
        /// Parts of models that ran, and that would have if each model had run alone.
        var partsRun = 0
        var partsAlone = 0
        /// Distinct experts that texts picked, by layer, added up over texts.
        var experts: [String: Int] = [:]
    }

    /// Of the histogram of durations, in seconds.
    static let bounds = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300]

    private let state = Mutex(Values())
    private let logger: Logger

    init(_ logger: Logger) { self.logger = logger }

    var values: Values { state.withLock { $0 } }

    func count(_ value: any (WritableKeyPath<Values, Int> & Sendable), by number: Int = 1) {
        state.withLock { $0[keyPath: value] += number }
    }

    func noteAnswer(_ route: String, _ status: Int, took: Duration) {
        let seconds = took.seconds
        state.withLock { values in
            values.answers["\(route) \(status)", default: 0] += 1
            values.durationSum += seconds
            values.durations[Self.bounds.firstIndex { seconds <= $0 } ?? Self.bounds.count] += 1
        }
    }

    func noteStep(texts: Int, took: Duration, _ steps: [GenerationStep]) {
        state.withLock { values in
            values.steps += 1
            values.stepTexts += texts
            values.stepSeconds += took.seconds
            for step in steps {
                values.newTokens += step.tokens.count
                guard let usage = step.usage else { continue }
                for (layer, count) in usage.touchedByLayer {
                    values.experts[layer, default: 0] += count
                }
            }
        }
    }

    func noteParts(run: Int, alone: Int) {
        state.withLock { values in
            values.partsRun += run
            values.partsAlone += alone
        }
    }

    /// What a client is told of an error; one that is not the client's doing is counted and logged, since the client
    /// is told no more than that.
    func told(_ error: any Error) -> APIError {
        let told = APIError(error)
        if !(error is APIError), told.status >= 500 {
            count(\.failures)
            logger.error("failed", metadata: ["error": "\(error)"])
        }
        return told
    }

    /// The same for a stream that has begun.
    ///
    /// - Throws: The error itself where it is none of a model or a request: the client has gone.
    func told(midStream error: any Error) throws -> APIError {
        guard error is APIError || error is CambiumError else { throw error }
        return told(error)
    }
}

extension Duration {
    var seconds: Double {
        let (seconds, attoseconds) = components
        return Double(seconds) + Double(attoseconds) * 1e-18
    }
}
