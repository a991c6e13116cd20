package import Elements
package import Remotes
internal import Synchronization

/// A remote in memory, with a clock that a test sets.
package final class MemoryTransport: Transport {
    package let url = "memory:///"
    private let state: Mutex<State>

    private struct State {
        var keys: [String: (bytes: MappedBytes, modified: Int64)] = [:]
        var now: Int64
    }

    package init(now: Int64 = 1_700_000_000) { state = Mutex(State(now: now)) }

    /// Another remote that has what this one has.
    package init(copying other: MemoryTransport) { state = Mutex(other.state.withLock { $0 }) }

    /// The remote's clock: seconds since 1970.
    package var now: Int64 {
        get { state.withLock { $0.now } }
        set { state.withLock { $0.now = newValue } }
    }

    /// All keys, in order.
    package var keys: [String] { state.withLock { $0.keys.keys.sorted(by: isBefore) } }

    /// What is kept, in bytes.
    package var size: Int { state.withLock { $0.keys.values.reduce(0) { $0 + $1.bytes.count } } }

    package func read(_ key: String, _ range: Range<Int>?, limit: Int) throws -> MappedBytes? {
        _ = try TransportKey.components(of: key)
        guard let whole = state.withLock({ $0.keys[key]?.bytes }) else { return nil }
        let range = range ?? 0..<whole.count
        guard range.upperBound <= whole.count, range.count <= limit else {
            throw CambiumError(
                .network, "\(url)\(key) has \(whole.count) bytes; \(range), at most \(limit)")
        }
        return whole.slice(range)
    }

    package func write(_ key: String, _ body: TransportBody) throws {
        _ = try TransportKey.components(of: key)
        let bytes = body.joined
        state.withLock { $0.keys[key] = (bytes, $0.now) }
    }

    package func create(_ key: String, _ body: TransportBody) throws -> Bool {
        _ = try TransportKey.components(of: key)
        let bytes = body.joined
        return state.withLock { state in
            guard state.keys[key] == nil else { return false }
            state.keys[key] = (bytes, state.now)
            return true
        }
    }

    package func list(_ prefix: String, after: String?) throws -> TransportListing {
        try TransportKey.check(prefix: prefix)
        return state.withLock { state in
            let found = state.keys.filter { key, _ in
                key.hasPrefix(prefix) && after.map { isBefore($0, key) } ?? true
            }.sorted { isBefore($0.key, $1.key) }
            return TransportListing(
                entries: found.prefix(1_000).map {
                    TransportEntry(
                        key: $0.key, size: $0.value.bytes.count, modified: $0.value.modified)
                }, next: found.count > 1_000 ? found[999].key : nil, now: state.now)
        }
    }

    package func entry(_ key: String) throws -> (entry: TransportEntry, now: Int64)? {
        _ = try TransportKey.components(of: key)
        return state.withLock { state in
            state.keys[key].map {
                (
                    TransportEntry(key: key, size: $0.bytes.count, modified: $0.modified),
                    state.now
                )
            }
        }
    }

    package func delete(_ key: String) throws {
        _ = try TransportKey.components(of: key)
        _ = state.withLock { $0.keys.removeValue(forKey: key) }
    }
}

extension TransportBody {
    /// A copy of all of it.
    package var joined: MappedBytes { MappedBytes(copying: pieces.flatMap { $0.copy() }) }
}
