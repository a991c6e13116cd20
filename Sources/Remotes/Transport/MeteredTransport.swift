package import Elements
internal import Synchronization

/// A transport that counts requests and the bytes of their bodies.
package final class MeteredTransport: Transport {
    private let inner: any Transport
    private let count = Mutex(TransportCounts())

    package init(_ inner: any Transport) { self.inner = inner }

    package var url: String { inner.url }

    /// What went over the wire so far.
    package var counts: TransportCounts { count.withLock { $0 } }

    package func read(_ key: String, _ range: Range<Int>?, limit: Int) throws -> MappedBytes? {
        count.withLock { $0.requests += 1 }
        let bytes = try inner.read(key, range, limit: limit)
        count.withLock { $0.received += bytes?.count ?? 0 }
        return bytes
    }

    package func write(_ key: String, _ body: TransportBody) throws {
        count.withLock { $0.requests += 1 }
        try inner.write(key, body)
        count.withLock { $0.sent += body.count }
    }

    package func create(_ key: String, _ body: TransportBody) throws -> Bool {
        count.withLock { $0.requests += 1 }
        let isNew = try inner.create(key, body)
        count.withLock { $0.sent += body.count }
        return isNew
    }

    package func list(_ prefix: String, after: String?) throws -> TransportListing {
        count.withLock { $0.requests += 1 }
        return try inner.list(prefix, after: after)
    }

    package func entry(_ key: String) throws -> (entry: TransportEntry, now: Int64)? {
        count.withLock { $0.requests += 1 }
        return try inner.entry(key)
    }

    package func delete(_ key: String) throws {
        count.withLock { $0.requests += 1 }
        try inner.delete(key)
    }

    package func removeLeftovers(olderThan age: Int64) throws -> (count: Int, bytes: Int) {
        try inner.removeLeftovers(olderThan: age)
    }
}

/// Requests to a remote, and bytes of their bodies.
package struct TransportCounts: Sendable, Equatable {
    package var requests = 0
    package var sent = 0
    package var received = 0

    package init() {}

    package static func - (left: TransportCounts, right: TransportCounts) -> TransportCounts {
        var rest = left
        rest.requests -= right.requests
        rest.sent -= right.sent
        rest.received -= right.received
        return rest
    }
}
