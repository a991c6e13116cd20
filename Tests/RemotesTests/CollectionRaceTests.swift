import Elements
import Objects
import Remotes
import Snapshots
import Synchronization
import TestSupport
import Testing

/// What random schedules found, one by one.
@Suite("Pushes and collections that take days")
struct CollectionRaceTests {
    private let day: Int64 = 24 * 3600

    private func collect(_ transport: any Transport, clock: Int64 = 0) throws {
        _ = try RemoteCollection(Remote(transport), grace: day, clock: { clock }).run(prune: true)
    }

    /// A push that stands still before its branch moves, while collections go on.
    private func slowPush(hours: [Int64]) throws -> (CambiumError.Code?, Bool) {
        try withTwoStores { (mine, theirs) in
            let remote = MemoryTransport()
            try mine.commit(.sample())
            let clock = Mutex<Int64>(0)
            let slow = FaultyTransport(
                remote,
                .meanwhile {
                    for hours in hours {
                        remote.now += hours * 3600
                        clock.withLock { $0 += hours * 3600 }
                        try self.collect(remote)
                    }
                }
            ) { _, call in call.kind == .write && call.key.hasPrefix("commits/") }
            let push = Push(
                mine, to: Remote(slow), named: "origin", author: "tester", time: 1,
                clock: { clock.withLock { $0 } })
            let head = try mine.references().branches["main"]
            let failure = code { try push.run([.init(.branch, "main", head)]) }
            let isThere = try Remote(remote).tip(.branch, "main") != nil
            if isThere {
                try theirs.fetch(from: remote)
                #expect(try theirs.faults() == [])
            }
            // Once more, and all is well.
            try mine.push(to: remote)
            try theirs.fetch(from: remote)
            #expect(try theirs.tracked() == head)
            return (failure, isThere)
        }
    }

    @Test("a push whose packs were marked and removed before its branch moved is not acknowledged")
    func ownPacks() throws {
        let (failure, isThere) = try slowPush(hours: [25, 25, 25])
        #expect(failure == .busy)
        #expect(!isThere)
    }

    @Test("a push of some hours, collections or not, arrives")
    func shortPush() throws {
        let (failure, isThere) = try slowPush(hours: [3, 3, 3])
        #expect(failure == nil)
        #expect(isThere)
    }

    @Test("of two collections at once the slower one removes nothing that was pushed since")
    func twoCollections() throws {
        try withTwoStores { (mine, theirs) in
            let remote = MemoryTransport()
            let old = try mine.commit(.sample()).id
            try mine.push(to: remote)
            let push = Push(mine, to: Remote(remote), named: "origin", author: "t", time: 1)
            _ = try push.run([.init(.branch, "main", nil)])
            for _ in 0..<2 {
                remote.now += day + 1
                if remote.keys.contains(where: { $0.hasPrefix("gc/") }) { break }
                try collect(remote)
            }
            // While the slower one is about to remove a pack, another does so, and who needs it pushes it again.
            let again = Mutex(false)
            let slow = FaultyTransport(
                remote,
                .meanwhile {
                    guard !again.withLock({ ($0, $0 = true).0 }) else { return }
                    try self.collect(remote)
                    _ = try push.run([.init(.branch, "again", old)])
                }
            ) { _, call in call.kind == .delete && call.key.hasPrefix("packs/") }
            try collect(slow)
            #expect(again.withLock { $0 })
            try theirs.fetch(from: remote)
            #expect(try theirs.tracked("again") == old)
            #expect(try theirs.faults() == [])
        }
    }

    @Test("a collection that stood still for half a day removes nothing any more")
    func staleCollection() throws {
        try withStore { mine in
            let remote = MemoryTransport()
            try mine.commit(.sample())
            let cut = FaultyTransport(remote, .deadBefore) {
                $1.kind == .create && $1.key.hasPrefix("refs/")
            }
            #expect(code { try mine.push(to: cut) } == .network)
            remote.now += day
            try collect(remote)
            remote.now += day
            let clock = Mutex<Int64>(0)
            let slow = FaultyTransport(
                remote, .meanwhile { clock.withLock { $0 += 13 * 3600 } }
            ) { _, call in call.kind == .list && call.key == "packs/" }
            let keys = remote.keys
            let collection = try RemoteCollection(
                Remote(slow), grace: day, clock: { clock.withLock { $0 } })
            #expect(code { try collection.run(prune: true) } == .busy)
            #expect(remote.keys == keys)
        }
    }
}
