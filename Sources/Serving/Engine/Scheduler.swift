internal import Cambium
internal import Dispatch
internal import Synchronization

/// Runs the texts of all requests, on a thread of its own: those of one model together, and models in turns.
///
/// A text that has ended leaves, and the next one that waits enters, between any two tokens.
final class Scheduler: Sendable {
    private struct State {
        var queue = FairQueue<Text>()
        var isStopped = false
        var running = 0
    }

    /// One text of a request.
    struct Text: Sendable {
        let work: Work
        let index: Int
    }

    private let limits: ServingLimits
    private let threads: Int
    private let metrics: Metrics
    private let state = Mutex(State())
    /// Signalled for each text that comes.
    private let arrivals = DispatchSemaphore(value: 0)

    init(_ limits: ServingLimits, threads: Int, _ metrics: Metrics) {
        self.limits = limits
        self.threads = threads
        self.metrics = metrics
    }

    /// Starts the thread; it ends after ``stop()``.
    func start() {
        DispatchQueue(label: "cambium.engine").async { [self] in run() }
    }

    func stop() {
        state.withLock { $0.isStopped = true }
        arrivals.signal()
    }

    /// Lets texts wait for their turn.
    ///
    /// - Throws: ``APIError`` when too many wait.
    func add(_ work: Work) throws {
        let isTaken = state.withLock { state in
            guard !state.isStopped,
                state.queue.count + state.running + work.requests.count
                    <= limits.batch + limits.queue
            else { return false }
            for index in work.requests.indices {
                state.queue.add(Text(work: work, index: index), of: work.client)
            }
            return true
        }
        guard isTaken else {
            metrics.count(\.refused)
            throw APIError(
                .tooManyRequests, "the server has as many requests as it takes; try again",
                code: "queue_full", retryAfter: 1)
        }
        arrivals.signal()
    }

    /// Texts that wait and that are under way.
    var counts: (waiting: Int, running: Int) {
        state.withLock { ($0.queue.count, $0.running) }
    }

    // MARK: On the thread

    private func run() {
        var batches: [RunningBatch] = []
        while !state.withLock({ $0.isStopped }) {
            enter(&batches)
            let now = ContinuousClock.now
            // What is not used any more is given back after a moment.
            batches.removeAll { $0.isEmpty && $0.lastUse < now - .seconds(2) }
            if batches.allSatisfy(\.isEmpty) {
                _ = arrivals.wait(timeout: .now() + .seconds(1))
            }
            for batch in batches where !batch.isEmpty { batch.step(metrics) }
            let count = batches.reduce(0) { $0 + $1.count }
            state.withLock { $0.running = count }
        }
        for batch in batches { batch.fail(APIError(.unavailable, "the server stops")) }
        let waiting = state.withLock { $0.queue.remove { _ in true } }
        for text in waiting {
            text.work.tell(text.index, .failed(APIError(.unavailable, "the server stops")))
        }
    }

    /// Takes in what waits, as far as there is room.
    private func enter(_ batches: inout [RunningBatch]) {
        let now = ContinuousClock.now
        let (late, taken) = state.withLock { state -> ([Text], [Text]) in
            let late = state.queue.remove { $0.work.isCancelled || $0.work.deadline < now }
            var taken: [Text] = []
            while state.running < limits.batch, let text = state.queue.next() {
                taken.append(text)
                state.running += 1
            }
            return (late, taken)
        }
        for text in late {
            text.work.tell(
                text.index,
                .failed(
                    APIError(
                        .unavailable, "the request waited too long; try again", code: "timeout",
                        retryAfter: 1)))
        }
        for text in taken {
            if let batch = batches.first(where: { $0.commit == text.work.model.commit }) {
                batch.add(text)
                continue
            }
            do {
                let batch = try RunningBatch(text.work.model, threads: threads)
                batches.append(batch)
                batch.add(text)
            } catch {
                text.work.tell(text.index, .failed(APIError(error)))
            }
        }
    }
}
