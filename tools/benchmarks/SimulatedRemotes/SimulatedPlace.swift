package import Elements
internal import Remotes
internal import Synchronization

/// An object store in memory, on a timeline: its clock is the timeline's, and it tells a ledger what it does.
package final class SimulatedPlace: Sendable {
    /// The server's clock at the beginning: seconds since 1970.
    package static let epoch: Int64 = 1_800_000_000

    private struct State {
        var values: [String: (bytes: MappedBytes, modified: Int64)] = [:]
        var keys = KeyList()
        var size = 0
        var largest = 0
    }

    private let state = Mutex(State())
    package let ledger: Ledger
    /// What a byte of a pack stands for: bytes.
    package let scale: Int

    package init(_ ledger: Ledger, scale: Int = 1) {
        self.ledger = ledger
        self.scale = scale
    }

    /// What is kept now and was at most, in bytes.
    package var sizes: (now: Int, largest: Int) { state.withLock { ($0.size, $0.largest) } }

    package func bytes(_ key: String) -> MappedBytes? { state.withLock { $0.values[key]?.bytes } }

    package func keys(_ prefix: String) -> [String] {
        state.withLock { $0.keys.page(prefix, after: nil, most: .max).keys }
    }

    /// What a body of a key counts for.
    package func size(_ key: String, _ count: Int) -> Int {
        key.hasPrefix(RemoteKey.packs) ? count * scale : count
    }

    func put(_ key: String, _ bytes: MappedBytes, at time: Int64, isNew: Bool) -> Bool {
        let isStored = state.withLock { state in
            if let old = state.values[key] {
                if isNew { return false }
                state.size -= size(key, old.bytes.count)
            } else {
                state.keys.insert(key)
            }
            state.values[key] = (bytes, Self.seconds(time))
            state.size += size(key, bytes.count)
            state.largest = max(state.largest, state.size)
            return true
        }
        if isStored { ledger.stored(key, bytes, self) }
        return isStored
    }

    func remove(_ key: String) {
        let isGone = state.withLock { state in
            guard let old = state.values.removeValue(forKey: key) else { return false }
            state.keys.remove(key)
            state.size -= size(key, old.bytes.count)
            return true
        }
        if isGone { ledger.removed(key) }
    }

    func entry(_ key: String) -> TransportEntry? {
        state.withLock { state in
            state.values[key].map {
                TransportEntry(key: key, size: $0.bytes.count, modified: $0.modified)
            }
        }
    }

    func list(_ prefix: String, after: String?, at time: Int64) -> TransportListing {
        state.withLock { state in
            let page = state.keys.page(prefix, after: after, most: 1_000)
            return TransportListing(
                entries: page.keys.compactMap { key in
                    state.values[key].map {
                        TransportEntry(key: key, size: $0.bytes.count, modified: $0.modified)
                    }
                }, next: page.isTruncated ? page.keys.last : nil, now: Self.seconds(time))
        }
    }

    static func seconds(_ time: Int64) -> Int64 { epoch + time / 1_000_000 }
}
