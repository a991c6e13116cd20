internal import Elements
internal import Glibc
internal import Synchronization

/// What a model's experts did and may do to this process's memory.
///
/// Counts what was looked up and, with a limit, holds the cache that experts are copied to. What a
/// model computes does not depend on it.
package final class Residency: Sendable {
    /// Figures since the model was mapped.
    package struct Counts: Sendable, Hashable {
        /// Experts looked up: picks of all tokens.
        package var picks = 0
        /// Picks of experts that no token had picked before; with a limit, that had to be read.
        package var firstPicks = 0
        /// Experts that were asked for ahead, from a profile.
        package var prefetched = 0
        /// Of these, the ones that were picked later.
        package var prefetchedUsed = 0
        /// Bytes of experts that were dropped, so that the limit holds.
        package var bytesReleased = 0
    }

    private static let pageBytes = sysconf(Int32(_SC_PAGESIZE))

    /// Where experts are copied to; nil without a limit.
    let cache: ExpertCache?
    private let state = Mutex(Counts())

    /// - Parameter limit: Bytes of resident memory, mapped and own, for the whole process, as the kernel
    ///   counts it; nil for none.
    package init(limit: Int? = nil) { cache = limit.map { ExpertCache(limit: $0) } }

    package var counts: Counts {
        var counts = state.withLock { $0 }
        counts.bytesReleased = cache?.bytesDropped ?? 0
        return counts
    }

    /// Notes a look-up.
    func note(picks: Int, firstPicks: Int, prefetchedUsed: Int) {
        state.withLock {
            $0.picks += picks
            $0.firstPicks += firstPicks
            $0.prefetchedUsed += prefetchedUsed
        }
    }

    func note(prefetched: Int) { state.withLock { $0.prefetched += prefetched } }

    /// How many tokens may look up their experts at once, so that what they hold, while others are
    /// dropped, is a small part of the limit; nil without one.
    ///
    /// - Parameters:
    ///   - picks: Of each token.
    ///   - size: Bytes of an expert.
    package func tokensAtOnce(picks: Int, size: Int) -> Int? {
        cache.map { max(1, $0.reserve / 4 / (max(picks, 1) * max(size, 1))) }
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
