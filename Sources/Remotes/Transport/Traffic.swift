internal import Elements
internal import Glibc
internal import Synchronization

/// What goes to and from a remote: counted, held to a rate, and stopped when it should be.
///
/// One value is shared by all that works for one command.
package final class Traffic: Sendable {
    /// Bytes a second, both ways together; nil for as fast as it goes.
    package let rate: Int?
    private let isCancelled: @Sendable () -> Bool
    /// When the bytes so far may all have gone.
    private let free = Mutex(ContinuousClock.now)
    private let requestCount = Atomic<Int>(0)
    private let sentCount = Atomic<Int>(0)
    private let receivedCount = Atomic<Int>(0)

    package init(rate: Int? = nil, isCancelled: @escaping @Sendable () -> Bool = { false }) {
        self.rate = rate
        self.isCancelled = isCancelled
    }

    /// Requests that began, those that are repeated included.
    package var requests: Int { requestCount.load(ordering: .relaxed) }
    /// Bytes of bodies that were sent, and those that came.
    package var bytes: (sent: Int, received: Int) {
        (sentCount.load(ordering: .relaxed), receivedCount.load(ordering: .relaxed))
    }

    /// - Throws: `cancelled`.
    package func began() throws {
        requestCount.add(1, ordering: .relaxed)
        try check()
    }

    /// - Throws: `cancelled`.
    package func sent(_ count: Int) throws {
        sentCount.add(count, ordering: .relaxed)
        try pass(count)
    }

    /// - Throws: `cancelled`.
    package func received(_ count: Int) throws {
        receivedCount.add(count, ordering: .relaxed)
        try pass(count)
    }

    /// Waits, but not longer than until it is stopped.
    ///
    /// - Throws: `cancelled`.
    package func wait(_ duration: Duration) throws {
        let end = ContinuousClock.now + duration
        while true {
            try check()
            let rest = end - .now
            guard rest > .zero else { return }
            usleep(UInt32(min(rest, .milliseconds(100)) / .microseconds(1)) + 1)
        }
    }

    private func check() throws {
        if isCancelled() { throw CambiumError(.cancelled, "it was told to stop") }
    }

    private func pass(_ count: Int) throws {
        guard let rate else { return try check() }
        let ready = free.withLock { free in
            // What was not used in the last tenth of a second may be made up for, no more.
            free = max(free, .now - .milliseconds(100)) + .seconds(Double(count) / Double(rate))
            return free
        }
        try wait(ready - .now)
    }
}
