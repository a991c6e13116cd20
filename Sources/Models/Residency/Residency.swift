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
        package var selections = 0
        /// Picks of experts that no token had picked before; with a limit, that had to be read.
        package var firstSelections = 0
        /// Experts that were asked for ahead, from a profile.
        package var prefetched = 0
        /// Of these, the ones that were picked later.
        package var prefetchedUsed = 0
        /// Bytes of experts that were dropped, so that the limit holds.
        package var bytesReleased = 0

        /// The share of the picks that were not first ones; 0 before the first.
        package var hitRate: Double {
            selections == 0 ? 0 : 1 - Double(firstSelections) / Double(selections)
        }

        /// The share of what was asked for ahead that was picked; 0 when nothing was.
        package var prefetchAccuracy: Double {
            prefetched == 0 ? 0 : Double(prefetchedUsed) / Double(prefetched)
        }
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
    func note(selections: Int, firstSelections: Int, prefetchedUsed: Int) {
        state.withLock {
            $0.selections += selections
            $0.firstSelections += firstSelections
            $0.prefetchedUsed += prefetchedUsed
        }
    }

    func note(prefetched: Int) { state.withLock { $0.prefetched += prefetched } }

    /// How many tokens may look up their experts at once, so that what they hold, while others are
    /// dropped, is a small part of the limit; nil without one.
    ///
    /// - Parameters:
    ///   - selections: Of each token.
    ///   - size: Bytes of an expert.
    package func tokensAtOnce(selections: Int, size: Int) -> Int? {
        cache.map { max(1, $0.reserve / 4 / (max(selections, 1) * max(size, 1))) }
    }

    /// The process's resident memory; 0 where the system does not tell.
    package static func residentBytes() -> Int {
        let fields = processFile("/proc/self/statm").split(separator: " ")
        return fields.count > 1 ? (Int(fields[1]) ?? 0) * pageBytes : 0
    }
}
