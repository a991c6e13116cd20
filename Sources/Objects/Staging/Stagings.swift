internal import Elements
internal import Glibc
internal import Synchronization

/// The stagings of this process that wrote something ahead, for a process that a signal ends.
package enum Stagings {
    private struct State: Sendable {
        var written: [[UInt8]: Entry] = [:]
        /// Writes that are under way.
        var writes = 0
        var isEnding = false
    }

    private struct Entry: Sendable {
        weak var packs: StagedPacks?
    }

    private static let state = ProcessState(State())

    static func add(_ packs: StagedPacks) {
        state.withLock { $0.written[packs.key] = Entry(packs: packs) }
    }

    static func remove(_ packs: StagedPacks) {
        _ = state.withLock { $0.written.removeValue(forKey: packs.key) }
    }

    /// Runs a write of staged objects; once the process is ending, it does not begin, and never returns.
    package static func writing<Result, Failure: Error>(
        _ body: () throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let isEnding = state.withLock { state in
            if !state.isEnding { state.writes += 1 }
            return state.isEnding
        }
        while isEnding { pause() }
        defer { state.withLock { $0.writes -= 1 } }
        return try body()
    }

    /// Frees what this process staged and did not commit; from then on it stages nothing.
    ///
    /// For a process that is about to end. What cannot be freed in time, because another process holds the
    /// store's write lock, is left to the next commit.
    package static func abandon(seconds: Double) {
        let deadline = ContinuousClock.now + .seconds(seconds)
        state.withLock { $0.isEnding = true }
        while state.withLock({ $0.writes > 0 }) {
            guard ContinuousClock.now < deadline else { return }
            usleep(1_000)
        }
        let packs = state.withLock { $0.written.values.compactMap(\.packs) }
        guard !packs.isEmpty else { return }
        let isDone = Done()
        // Kept: it may wait for longer than this process lives.
        let work = Background {
            for packs in packs { try? packs.free() }
            isDone.flag.store(true, ordering: .releasing)
        }
        while !isDone.flag.load(ordering: .acquiring), ContinuousClock.now < deadline {
            usleep(1_000)
        }
        _ = consume work
    }

    private final class Done: Sendable {
        let flag = Atomic(false)
    }
}
