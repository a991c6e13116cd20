package import Elements
internal import Synchronization

/// Experts that were copied out of the store's file, so that a limit of memory holds: those that were
/// used least recently are dropped for others, or, where ``choose(_:table:size:release:)`` is asked, none is
/// dropped for one that is picked more seldom.
///
/// Copies and not the map, because the kernel maps whole folios of its cache for one byte, up to
/// 2 MiB: a token's 128 experts could bring in 256 MiB. The file's pages stay in the system's cache,
/// which is not this process's memory.
package final class ExpertCache: Sendable {
    /// An expert of one of the tables that share the cache.
    struct Key: Hashable {
        let table: Int
        let ordinal: UInt32
    }

    struct Entry {
        let bytes: MappedBytes
        var lastUse: Int
    }

    struct State {
        var entries: [Key: Entry] = [:]
        var clock = 0
        var bytes = 0
        /// The most that `bytes` ever was: the pool keeps what was dropped, for the next copies.
        var peak = 0
        var dropped = 0
        var tables = 0
        /// How often experts were picked lately.
        var picks = PickCounts()
        /// The copies that were picked most seldom, the very most last, as it was at one time of the clock.
        var seldom: [Key] = []
        var sorted = 0
        /// Whether look-ups run experts where they are mapped.
        var passes = false
        /// What the process had when the map's pages were given back last, and the peak then.
        var base: (resident: Int, peak: Int)?
    }

    /// Bytes that the process may have resident, mapped and own.
    let limit: Int
    /// The memory of the copies: what is dropped serves the next ones, without being cleared and mapped anew.
    let pool = BufferPool()
    let state = Mutex(State())
    let residentBytes: @Sendable () -> Int

    /// - Parameter residentBytes: The process's resident memory now.
    package init(
        limit: Int, residentBytes: @escaping @Sendable () -> Int = Residency.residentBytes
    ) {
        self.limit = limit
        self.residentBytes = residentBytes
    }

    /// What the limit leaves to what is touched between two looks at the process's size.
    var reserve: Int { min(limit / 4, 24 << 20) }

    /// Bytes that were dropped so far.
    package var bytesDropped: Int { state.withLock { $0.dropped } }

    /// A number for another table that shares the cache.
    package func addTable() -> Int {
        state.withLock {
            $0.tables += 1
            return $0.tables
        }
    }

    /// The copies of some experts, nil for those that must be read.
    package func look(table: Int, _ ordinals: Span<UInt32>) -> [MappedBytes?] {
        state.withLock { state in
            state.clock += 1
            var found: [MappedBytes?] = []
            found.reserveCapacity(ordinals.count)
            for index in ordinals.indices {
                let key = Key(table: table, ordinal: ordinals[index])
                if let place = state.entries.index(forKey: key) {
                    state.entries.values[place].lastUse = state.clock
                    found.append(state.entries.values[place].bytes)
                } else {
                    found.append(nil)
                }
            }
            return found
        }
    }

    /// Drops what was used longest ago, so that `bytes` more fit.
    ///
    /// - Parameter release: Called when the process has too much: gives back the map's pages.
    package func makeRoom(for bytes: Int, release: () throws -> Void) throws {
        let allowed = limit - reserve - (state.withLock { $0.passes } ? passingLimit : 0)
        var resident = residentBytes()
        if resident + bytes > allowed {
            try release()
            resident = residentBytes()
        }
        state.withLock { state in
            // What was dropped is room if the pool kept it; if not, the process is smaller.
            let room = max(allowed - resident, state.peak - state.bytes)
            guard bytes > room else { return }
            // Some more at once, since finding the oldest takes a look at all.
            let wanted = min(bytes - room + state.bytes / 8, state.bytes)
            var freed = 0
            let oldest = state.entries.sorted {
                ($0.value.lastUse, $0.key.table, $0.key.ordinal)
                    < ($1.value.lastUse, $1.key.table, $1.key.ordinal)
            }
            for (key, entry) in oldest {
                if freed >= wanted { break }
                freed += entry.bytes.count
                state.entries[key] = nil
            }
            state.bytes -= freed
            state.dropped += freed
        }
    }

    /// Keeps a copy; returns the one that another thread was faster to keep, if there is one.
    package func keep(_ bytes: MappedBytes, table: Int, ordinal: UInt32) -> MappedBytes {
        state.withLock { state in
            let key = Key(table: table, ordinal: ordinal)
            if let first = state.entries[key] { return first.bytes }
            state.entries[key] = Entry(bytes: bytes, lastUse: state.clock)
            state.bytes += bytes.count
            state.peak = max(state.peak, state.bytes)
            return bytes
        }
    }
}
