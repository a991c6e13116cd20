internal import Synchronization

/// Bytes of the bodies of all requests that are being read or prepared.
final class Bodies: Sendable {
    private let most: Int
    private let used = Mutex(0)

    init(most: Int) { self.most = most }

    /// What one request has of them; given back with it.
    final class Share: Sendable {
        private let bodies: Bodies
        private let used = Mutex(0)

        fileprivate init(_ bodies: Bodies) { self.bodies = bodies }

        deinit { bodies.used.withLock { $0 -= used.withLock { $0 } } }

        /// Takes some more.
        ///
        /// - Throws: ``APIError`` when there are none left.
        func take(_ count: Int) throws {
            let isTaken = bodies.used.withLock { all in
                guard all + count <= bodies.most else { return false }
                all += count
                return true
            }
            guard isTaken else { throw APIError.full }
            used.withLock { $0 += count }
        }
    }

    func share() -> Share { Share(self) }
}
