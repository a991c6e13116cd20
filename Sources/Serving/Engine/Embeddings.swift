internal import Cambium
internal import Dispatch
internal import Synchronization

/// Computes what texts are to models, one request after the other.
final class Embeddings: Sendable {
    private let limits: ServingLimits
    private let threads: Int
    private let queue = DispatchQueue(label: "cambium.embeddings")
    private let waiting = Mutex(0)

    init(_ limits: ServingLimits, threads: Int) {
        self.limits = limits
        self.threads = threads
    }

    /// - Parameter isGone: Whether nobody waits any more.
    /// - Throws: ``APIError`` when too many wait.
    func compute(
        _ texts: [[Int]], on loaded: LoadedModel, isGone: @escaping @Sendable () -> Bool
    ) async throws -> [[Float]] {
        let isTaken = waiting.withLock { waiting in
            guard waiting <= limits.queue else { return false }
            waiting += 1
            return true
        }
        guard isTaken else {
            throw APIError.full
        }
        defer { waiting.withLock { $0 -= 1 } }
        loaded.begin()
        defer { loaded.end() }
        let threads = threads
        return try await withCheckedThrowingContinuation { continuation in
            queue.async {
                continuation.resume(
                    with: Result {
                        try texts.map {
                            try loaded.model.embedding(of: $0, threads: threads) { !isGone() }
                        }
                    })
            }
        }
    }
}
