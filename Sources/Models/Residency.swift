internal import Elements
internal import Glibc
internal import Synchronization

/// What a model's experts did and may do to this process's memory.
///
/// Counts what was looked up, and, with a limit, takes the experts' pages out of the process's memory
/// again, those first that were used least recently; they stay in the system's page cache, and come
/// back when they are read. What a model computes does not depend on it.
package final class Residency: Sendable {
    /// Figures since the model was mapped.
    package struct Counts: Sendable, Hashable {
        /// Experts looked up: picks of all tokens.
        package var picks = 0
        /// Picks of experts that no token had picked before.
        package var firstPicks = 0
        /// Experts that were asked for ahead, from a profile.
        package var prefetched = 0
        /// Of these, the ones that were picked later.
        package var prefetchedUsed = 0
        /// Bytes of pages that were given back, so that the limit holds; an upper bound.
        package var bytesReleased = 0
    }

    /// A stretch of mapped experts that is released as a whole.
    private struct Region {
        /// Between the first and the last byte that was used, all of it is the store's map.
        var range: Range<UInt>
        var lastUse: Int
    }

    private struct State {
        var counts = Counts()
        var regions: [UInt: Region] = [:]
        var clock = 0
    }

    private static let regionBytes: UInt = 1 << 20
    private static let pageBytes = sysconf(Int32(_SC_PAGESIZE))
    /// Tokens that pick between two looks at the memory, when there is a limit.
    package static let stride = 16

    /// Bytes of resident memory, mapped and own; nil for none.
    package let limit: Int?
    private let state = Mutex(State())

    /// - Parameter limit: For the whole process, as the kernel counts it; nil for none.
    package init(limit: Int? = nil) { self.limit = limit }

    package var counts: Counts { state.withLock { $0.counts } }

    /// Notes a look-up.
    func note(picks: Int, firstPicks: Int, prefetchedUsed: Int) {
        state.withLock {
            $0.counts.picks += picks
            $0.counts.firstPicks += firstPicks
            $0.counts.prefetchedUsed += prefetchedUsed
        }
    }

    func note(prefetched: Int) { state.withLock { $0.counts.prefetched += prefetched } }

    /// Notes what is about to be read, and makes room for it when there is a limit.
    ///
    /// - Parameters:
    ///   - addresses: In the store's map, never in memory of the process's own.
    ///   - size: Bytes at each.
    func use(_ addresses: Span<UInt>, size: Int) {
        guard let limit else { return }
        state.withLock { state in
            state.clock += 1
            for index in addresses.indices {
                let start = addresses[index]
                let end = start + UInt(size)
                let key = start / Self.regionBytes
                if let known = state.regions[key] {
                    let range =
                        min(known.range.lowerBound, start)..<max(known.range.upperBound, end)
                    state.regions[key] = Region(range: range, lastUse: state.clock)
                } else {
                    state.regions[key] = Region(range: start..<end, lastUse: state.clock)
                }
            }
            let room = addresses.count * (size + 2 * Self.pageBytes)
            let excess = Self.residentBytes() + room - limit
            if excess > 0 { Self.release(excess + limit / 16, &state) }
        }
    }

    /// Gives back the regions that were used longest ago, and at last all of them.
    private static func release(_ wanted: Int, _ state: inout State) {
        var released = 0
        for (key, region) in state.regions.sorted(by: {
            ($0.value.lastUse, $0.key) < ($1.value.lastUse, $1.key)
        }) {
            guard released < wanted else { break }
            released += MappedBytes.release(region.range)
            state.regions[key] = nil
        }
        state.counts.bytesReleased += released
    }

    /// The process's resident memory; 0 where the system does not tell.
    package static func residentBytes() -> Int {
        let descriptor = unsafe open("/proc/self/statm", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return 0 }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 128)
        let count = unsafe bytes.withUnsafeMutableBytes {
            unsafe read(descriptor, $0.baseAddress, $0.count)
        }
        guard count > 0 else { return 0 }
        let fields = bytes[..<count].split(separator: UInt8(ascii: " "))
        guard fields.count > 1, let pages = Int(String(decoding: fields[1], as: UTF8.self)) else {
            return 0
        }
        return pages * pageBytes
    }
}
