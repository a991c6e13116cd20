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

    private struct State {
        var counts = Counts()
        /// When each window was used last, by its address / `windowBytes`.
        var lastUse: [UInt: Int] = [:]
        var clock = 0
        /// The mapping that the windows lie in.
        var mapping: Range<UInt> = 0..<0
    }

    /// What one page fault brings in: the kernel maps the neighbours that it has in its cache
    /// (`fault_around_bytes`, 64 KiB unless set otherwise).
    package static let windowBytes = 64 << 10
    private static let pageBytes = sysconf(Int32(_SC_PAGESIZE))

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

    /// How many tokens may look up their experts at once, so that what they bring in is a small part of
    /// the limit; nil without one.
    ///
    /// - Parameter picks: Of each token.
    package func tokensAtOnce(picks: Int) -> Int? {
        limit.map { max(1, min(16, $0 / 8 / (max(picks, 1) * Self.windowBytes))) }
    }

    /// Notes what is about to be read, and makes room for it when there is a limit.
    ///
    /// - Parameters:
    ///   - addresses: In the store's map, never in memory of the process's own.
    ///   - size: Bytes at each.
    func use(_ addresses: Span<UInt>, size: Int) {
        guard let limit, !addresses.isEmpty else { return }
        state.withLock { state in
            if !state.mapping.contains(addresses[0]) {
                guard let mapping = MappedBytes.mapping(of: addresses[0]) else { return }
                state.mapping = mapping
                // A huge page would bring in 2 MiB for each expert.
                MappedBytes.avoidHugePages(mapping)
            }
            state.clock += 1
            var fresh = 0
            for index in addresses.indices {
                let first = addresses[index] / UInt(Self.windowBytes)
                let last = (addresses[index] + UInt(size) - 1) / UInt(Self.windowBytes)
                for window in first...last {
                    if state.lastUse.updateValue(state.clock, forKey: window) == nil { fresh += 1 }
                }
            }
            let excess = Self.residentBytes() + fresh * Self.windowBytes - limit
            if excess > 0 { Self.release(excess + limit / 16, &state) }
        }
    }

    /// Gives back the windows that were used longest ago, and at last all of them.
    private static func release(_ wanted: Int, _ state: inout State) {
        var released = 0
        for (window, _) in state.lastUse.sorted(by: { ($0.value, $0.key) < ($1.value, $1.key) }) {
            guard released < wanted else { break }
            let start = window * UInt(windowBytes)
            released += MappedBytes.release(
                (start..<start + UInt(windowBytes)).clamped(to: state.mapping))
            state.lastUse[window] = nil
        }
        if released < wanted {
            // Directories and arrays, which led to experts, take room too.
            MappedBytes.release(state.mapping)
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
