internal import Foundation
internal import Synchronization

/// Threads for work that computes for a while: neither connections nor the engine's thread wait for it, and however
/// much there is, no more of it runs at a time.
final class WorkPool: Sendable {
    private let queue: OperationQueue
    /// Work that runs and that waits.
    private let count = Mutex(0)
    private let most: Int

    /// - Parameters:
    ///   - threads: On which it runs.
    ///   - most: Work that may run and wait at the same time.
    init(threads: Int, most: Int) {
        queue = OperationQueue()
        queue.maxConcurrentOperationCount = threads
        self.most = most
    }

    /// Waits until work is done.
    ///
    /// - Throws: ``APIError`` when too much waits; what the work throws.
    func run<Value: Sendable>(
        _ work: @escaping @Sendable () throws -> Value
    ) async throws -> Value {
        let isTaken = count.withLock { count in
            guard count < most else { return false }
            count += 1
            return true
        }
        guard isTaken else { throw APIError.full }
        defer { count.withLock { $0 -= 1 } }
        return try await withCheckedThrowingContinuation { continuation in
            queue.addOperation { continuation.resume(with: Result { try work() }) }
        }
    }
}
