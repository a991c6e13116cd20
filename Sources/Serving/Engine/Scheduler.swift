internal import Cambium
internal import Dispatch
internal import Synchronization

/// Runs the texts of all requests, on a thread of its own: those of models of one structure together, and others in turns.
///
/// A text that has ended leaves, and the next one that waits enters, between any two tokens.
final class Scheduler: Sendable {
    private struct State {
        var queue = FairQueue<Text>()
        /// Room that is kept for texts that are being prepared.
        var reserved = 0
        var isStopped = false
        var running = 0
    }

    /// Room for texts that are being prepared; given back when it goes unused.
    final class Place: Sendable {
        let count: Int
        private let scheduler: Scheduler
        private let isTaken = Mutex(false)

        fileprivate init(_ count: Int, _ scheduler: Scheduler) {
            self.count = count
            self.scheduler = scheduler
        }

        /// Whether it was not taken before.
        fileprivate func take() -> Bool {
            isTaken.withLock { isTaken in
                defer { isTaken = true }
                return !isTaken
            }
        }

        deinit { if take() { scheduler.state.withLock { $0.reserved -= count } } }
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

    /// Keeps room for texts, before anything is done for them.
    ///
    /// - Throws: ``APIError`` when too many wait.
    func reserve(_ count: Int) throws -> Place {
        let most = limits.batch + limits.queue
        guard count <= most else {
            throw APIError(
                .badRequest, "\(count) texts are more than this server takes at a time: \(most)",
                code: "invalid_value")
        }
        let (isStopped, isTaken) = state.withLock { state -> (Bool, Bool) in
            let others = state.queue.count + state.running + state.reserved
            guard !state.isStopped, others + count <= most else { return (state.isStopped, false) }
            state.reserved += count
            return (false, true)
        }
        guard !isStopped else { throw Self.stopping }
        guard isTaken else {
            metrics.count(\.refused)
            throw APIError.full
        }
        return Place(count, self)
    }

    /// Lets texts wait for their turn.
    ///
    /// - Parameter place: Room that was kept for them.
    /// - Throws: ``APIError`` when the server stops.
    func add(_ work: Work, in place: Place) throws {
        let isStopped = state.withLock { state in
            if place.take() { state.reserved -= place.count }
            guard !state.isStopped else { return true }
            for index in work.requests.indices {
                state.queue.add(Text(work: work, index: index), of: work.client)
            }
            return false
        }
        guard !isStopped else { throw Self.stopping }
        arrivals.signal()
    }

    private static let stopping = APIError(.unavailable, "the server stops", code: "stopping")

    /// Texts that wait, or are being prepared, and that are under way.
    var counts: (waiting: Int, running: Int) {
        state.withLock { ($0.queue.count + $0.reserved, $0.running) }
    }

    // MARK: On the thread

    private func run() {
        var batches: [RunningBatch] = []
        while !state.withLock({ $0.isStopped }) {
            enter(&batches)
            let now = ContinuousClock.now
            // What is not used any more is given back after a moment.
            batches.removeAll { $0.isDone(at: now) }
            if batches.allSatisfy(\.isEmpty) {
                _ = arrivals.wait(timeout: .now() + .milliseconds(batches.isEmpty ? 1000 : 100))
            }
            for batch in batches where !batch.isEmpty { batch.step(metrics) }
            let count = batches.reduce(0) { $0 + $1.count }
            state.withLock { $0.running = count }
        }
        for batch in batches { batch.fail(Self.stopping) }
        let waiting = state.withLock { $0.queue.remove { _ in true } }
        for text in waiting {
            text.work.tell(text.index, .failed(Self.stopping))
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
            if let batch = batches.first(where: { $0.takes(text.work.model) }) {
                batch.add(text, metrics)
                continue
            }
            do {
                let batch = try RunningBatch(text.work.model, threads: threads)
                batches.append(batch)
                batch.add(text, metrics)
            } catch {
                text.work.tell(text.index, .failed(metrics.told(error)))
            }
        }
    }
}

extension APIError {
    /// Nothing more is taken at present.
    static var full: APIError {
        APIError(
            .tooManyRequests, "the server has as many requests as it takes; try again",
            code: "queue_full", retryAfter: 1)
    }
}
