import Elements
import Objects
import Remotes
import Snapshots
import TestSupport
import Testing

@Suite("Collection of a remote")
struct RemoteCollectionTests {
    private let day: Int64 = 24 * 3600

    private func collect(
        _ transport: MemoryTransport, prune: Bool = true, grace: Int64? = nil
    ) throws -> RemoteCollectionReport {
        try RemoteCollection(Remote(transport), grace: grace ?? 2 * day).run(prune: prune)
    }

    /// Pushes a model, and by force another in its place.
    private func replaced(_ mine: SnapshotStore, _ remote: MemoryTransport) throws -> ObjectID {
        try mine.commit(.sample(experts: 2_000))
        try mine.push(to: remote)
        let other = try mine.commit(
            .sample(experts: 100, seed: 9), to: "other", parents: [], startingBranch: false)
        let push = Push(mine, to: Remote(remote), named: "origin", author: "t", time: 1)
        _ = try push.run([.init(.branch, "main", other.id)], force: true)
        return other.id
    }

    @Test("what was replaced is marked after the grace period and removed after another")
    func twoPhases() throws {
        try withTwoStores { (mine, theirs) in
            let remote = MemoryTransport()
            let head = try replaced(mine, remote)
            let before = remote.size
            #expect(try collect(remote).garbage.keys == 0)
            remote.now += 2 * day + 1
            let dry = try collect(remote, prune: false)
            #expect(dry.garbage.keys == 4)  // A log entry, a bundle, a pack and its index.
            #expect(dry.marked.keys == 0)
            #expect(try collect(remote).marked.keys == 4)
            remote.now += day
            #expect(try collect(remote).removed.keys == 0)
            #expect(remote.size > before)
            remote.now += day
            #expect(try collect(remote).removed.keys == 4)
            #expect(remote.size < before / 2)
            remote.now += day
            _ = try collect(remote)
            #expect(!remote.keys.contains { $0.hasPrefix("gc/") })
            try theirs.fetch(from: remote)
            #expect(try theirs.tracked() == head)
            #expect(try theirs.faults() == [])
        }
    }

    @Test("what a push left that died is removed, not before two grace periods are over")
    func leftovers() throws {
        try withStore { mine in
            let remote = MemoryTransport()
            try mine.commit(.sample())
            let cut = FaultyTransport(remote, .deadBefore) {
                $1.kind == .create && $1.key.hasPrefix("refs/")
            }
            #expect(code { try mine.push(to: cut) } == .network)
            #expect(try collect(remote).young.keys == 3)
            remote.now += 2 * day
            #expect(try collect(remote).marked.keys == 3)
            remote.now += 2 * day
            #expect(try collect(remote).removed.keys == 3)
            #expect(remote.keys == ["cambium-remote", "gc/00000000000000000001"])
            // The mark stays for a day, for those that may be carrying it out as well.
            remote.now += day
            _ = try collect(remote)
            #expect(remote.keys == ["cambium-remote"])
        }
    }

    @Test("a push never builds on what is marked, and writes it under another name")
    func doomed() throws {
        try withTwoStores { (mine, theirs) in
            let remote = MemoryTransport()
            let old = try mine.commit(.sample(experts: 2_000)).id
            try mine.push(to: remote)
            let push = Push(mine, to: Remote(remote), named: "origin", author: "t", time: 1)
            _ = try push.run([.init(.branch, "main", nil)])
            remote.now += 3 * day
            #expect(try collect(remote).marked.keys == 4)
            // The same commit again, while its packs are about to go.
            _ = try push.run([.init(.branch, "again", old)])
            remote.now += 3 * day
            #expect(try collect(remote).removed.keys == 4)
            try theirs.fetch(from: remote)
            #expect(try theirs.tracked("again") == old)
            #expect(try theirs.faults() == [])
        }
    }

    @Test("nothing is removed when something that is needed is missing")
    func missing() throws {
        try withStore { mine in
            let remote = MemoryTransport()
            _ = try replaced(mine, remote)
            remote.now += 3 * day
            _ = try collect(remote)
            remote.now += 3 * day
            let tip = try #require(try Remote(remote).tip(.branch, "main"))
            let bundle = try #require(tip.entry.bundles.last)
            try remote.delete("commits/" + bundle.id.hex)
            let keys = remote.keys
            #expect(code { try collect(remote) } == .corrupt)
            #expect(remote.keys == keys)
        }
    }

    @Test("a grace period of less than a day is refused")
    func shortGrace() {
        #expect(code { try collect(MemoryTransport(), grace: 3600) } == .usage)
    }

    @Test(
        "a collection that is cut off at any request removes nothing that is needed, and ends later"
    )
    func cut() throws {
        try withTwoStores { (mine, theirs) in
            let remote = MemoryTransport()
            let head = try replaced(mine, remote)
            for _ in 0..<2 {
                remote.now += 3 * day
                var at = 1
                while true {
                    let faulty = FaultyTransport(remote, .deadAfter, at: at)
                    let failure = code {
                        try RemoteCollection(Remote(faulty), grace: 2 * day).run(prune: true)
                    }
                    if failure == nil { break }
                    at += 1
                }
                #expect(at > 5)
            }
            remote.now += 3 * day
            _ = try collect(remote)
            #expect(try collect(remote).garbage.keys == 0)
            try theirs.fetch(from: remote)
            #expect(try theirs.tracked() == head)
            #expect(try theirs.faults() == [])
        }
    }
}
