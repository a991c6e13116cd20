internal import Elements
internal import Synchronization

/// What collections are about to remove, looked at again and again while something is built on the rest.
///
/// What a mark names is there for a grace period after the mark, and the mark for a day longer. So who looks more often
/// than the shortest grace period misses no mark, and who relies on nothing that is marked at its last look may name it
/// until that period is over. Whoever stood still for longer, as a machine that slept, must begin anew.
final class MarkWatch: Sendable {
    private struct State {
        var doomed: Set<String>
        var relied: Set<String> = []
        /// When the last look began.
        var looked: Int64
    }

    private let remote: Remote
    private let clock: @Sendable () -> Int64
    private let state: Mutex<State>

    /// Seconds between two looks, and at most between a look and what relies on it.
    private static let interval = RemoteCollection.shortestGrace / 10
    static let longest = RemoteCollection.shortestGrace / 2

    /// - Parameters:
    ///   - clock: Seconds that pass, also while the machine sleeps.
    ///   - began: When the first was read of what will be relied on.
    init(_ remote: Remote, since began: Int64, _ clock: @escaping @Sendable () -> Int64) throws {
        self.remote = remote
        self.clock = clock
        state = Mutex(State(doomed: try remote.doomed(), looked: began))
        try check()
    }

    func isDoomed(_ key: String) -> Bool { state.withLock { $0.doomed.contains(key) } }

    /// From now on none of these may be marked.
    func rely(on keys: some Sequence<String>) { state.withLock { $0.relied.formUnion(keys) } }

    /// Looks again when it is time.
    ///
    /// - Throws: `busy` when something that is relied on was marked, or the last look is too long ago.
    func check() throws {
        let began = clock()
        let looked = state.withLock { $0.looked }
        guard began - looked >= Self.interval else { return }
        let found = try remote.doomed()
        guard clock() - looked <= Self.longest else {
            throw CambiumError(
                .busy,
                "this stood still for \((clock() - looked) / 3600) hours, and collections of "
                    + "\(remote.transport.url) may have removed what it builds on; do it again")
        }
        let isMarked = state.withLock { state in
            state.doomed.formUnion(found)
            state.looked = began
            return !state.relied.isDisjoint(with: found)
        }
        if isMarked {
            throw CambiumError(
                .busy,
                "a collection of \(remote.transport.url) marked what this builds on, while it ran; do it "
                    + "again, and give collections a longer grace period than it takes")
        }
        // Looking may have taken long itself.
        if clock() - began > Self.interval { try check() }
    }
}
