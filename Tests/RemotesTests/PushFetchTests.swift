import Elements
import KeyValue
import Objects
import Remotes
import Snapshots
import TestSupport
import Testing

/// Runs `body` with two empty stores.
func withTwoStores<Result>(
    _ body: (SnapshotStore, SnapshotStore) throws -> Result
) throws -> Result {
    try withStore { first in try withStore { try body(first, $0) } }
}

extension SnapshotStore {
    @discardableResult
    func push(
        _ branches: [String] = ["main"], to transport: any Transport, force: Bool = false,
        packSize: Int = Remote.defaultPackSize
    ) throws -> PushReport {
        let references = try references()
        let wanted = branches.map { PushedReference(.branch, $0, references.branches[$0]) }
        let push = Push(
            self, to: Remote(transport, packSize: packSize), named: "origin", author: "tester",
            time: 1_000)
        return try push.run(wanted, force: force)
    }

    @discardableResult
    func fetch(
        _ branches: [String]? = nil, from transport: any Transport, depth: Int? = nil
    ) throws -> FetchReport {
        try Fetch(self, from: Remote(transport), named: "origin", by: .sample)
            .run(branches: branches, depth: depth)
    }

    func tracked(_ branch: String = "main") throws -> ObjectID? {
        try references().remotes["origin/" + branch]
    }
}

@Suite("Push and fetch")
struct PushFetchTests {
    @Test("what was pushed is fetched with the same ids and bytes, and both sides verify")
    func roundTrip() throws {
        try withTwoStores { (mine, theirs) in
            var model = SyntheticModel.sample()
            try mine.commit(model)
            model.pools[.init(1)]?.experts[7] = noise(128, 99)
            model.trunk["norm"] = .init([16], seed: 5)
            let head = try mine.commit(model).id
            let remote = MemoryTransport()
            let pushed = try mine.push(to: remote)
            #expect(pushed.commits == 2)
            let fetched = try theirs.fetch(from: remote)
            #expect(fetched.commits == 2)
            #expect(try theirs.tracked() == head)
            #expect(try theirs.resolve("origin/main") == head)
            #expect(try theirs.model(at: head, checks: true) == model)
            #expect(try theirs.faults() == [])
            #expect(try mine.faults() == [])
        }
    }

    @Test("a second push sends what is new, by few requests")
    func increments() throws {
        try withTwoStores { (mine, theirs) in
            var model = SyntheticModel.sample(experts: 5_000)
            try mine.commit(model)
            let remote = MemoryTransport()
            try mine.push(to: remote)
            try theirs.fetch(from: remote)
            for ordinal in 0..<50 {
                model.pools[.init(1)]?.experts[ordinal * 90] = noise(128, ordinal)
            }
            let head = try mine.commit(model).id
            let pushed = try mine.push(to: remote)
            #expect(pushed.counts.requests <= 8)
            // 50 experts of 128 bytes, and of each 32 bytes of a name in the index and in the array.
            #expect(pushed.counts.sent < 50 * (128 + 32 + 36) + 6_000)
            let fetched = try theirs.fetch(from: remote)
            #expect(fetched.counts.received < 50 * (128 + 32 + 36) + 6_000)
            #expect(try theirs.model(at: head, checks: true) == model)
            #expect(try mine.push(to: remote).updates.allSatisfy(\.isUnchanged))
            #expect(try theirs.fetch(from: remote).updates.isEmpty)
        }
    }

    @Test("differences travel as they are stored")
    func steps() throws {
        try withTwoStores { (mine, theirs) in
            var model = SyntheticModel.sample()
            model.trunk["head"] = .init([1_000, 256], seed: 3)
            try mine.commit(model)
            let remote = MemoryTransport()
            try mine.push(to: remote)
            var heads: [ObjectID] = []
            var sent: [Int] = []
            for step in 1...20 {
                for element in 0..<500 {
                    model.trunk["head"]?.bytes[(element * 509 + step) * 4] &+= 1
                }
                heads.append(try mine.commit(model, time: Int64(step)).id)
                sent.append(try mine.push(to: remote).counts.sent)
            }
            #expect(sent.allSatisfy { $0 < 100_000 })
            try theirs.fetch(from: remote)
            #expect(try theirs.tracked() == heads.last)
            #expect(try theirs.model(at: heads[19], checks: true) == model)
            #expect(try theirs.faults() == [])
        }
    }

    @Test("a branch that moved is not moved again, but by force")
    func moved() throws {
        try withTwoStores { (mine, theirs) in
            let model = SyntheticModel.sample()
            try mine.commit(model)
            let remote = MemoryTransport()
            try mine.push(to: remote)
            var other = model
            other.trunk["norm"] = .init([16], seed: 50)
            try theirs.commit(other)
            #expect(code { try theirs.push(to: remote) } == .branchMoved)
            try theirs.push(to: remote, force: true)
            #expect(code { try mine.push(to: remote) } == .branchMoved)
            try mine.fetch(from: remote)
            #expect(try mine.tracked() == theirs.references().branches["main"])
        }
    }

    @Test("a branch that starts at another one's commit sends what it adds")
    func branches() throws {
        try withTwoStores { (mine, theirs) in
            var model = SyntheticModel.sample(experts: 3_000)
            let base = try mine.commit(model).id
            let remote = MemoryTransport()
            try mine.push(to: remote)
            try mine.fetch(from: remote)
            model.trunk["norm"] = .init([16], seed: 9)
            try mine.commit(model, to: "side", parents: [base], startingBranch: true)
            let pushed = try mine.push(["side"], to: remote)
            #expect(pushed.commits == 1)
            #expect(pushed.counts.sent < 10_000)
            try theirs.fetch(["side"], from: remote)
            let head = try #require(try theirs.tracked("side"))
            #expect(try theirs.model(at: head, checks: true) == model)
            #expect(try theirs.tracked() == nil)
        }
    }

    @Test("many packs, and a pack for one large object")
    func packs() throws {
        try withTwoStores { (mine, theirs) in
            var model = SyntheticModel.sample(experts: 20_000)
            model.trunk["large"] = .init([600, 512], seed: 8)
            let head = try mine.commit(model).id
            let remote = MemoryTransport()
            let pushed = try mine.push(to: remote, packSize: 1 << 20)
            #expect(pushed.packs >= 4)
            try theirs.fetch(from: remote)
            #expect(try theirs.model(at: head, checks: true) == model)
            #expect(try theirs.faults() == [])
        }
    }

    @Test(
        "a clone of some depth has the last commits, says where history ends, and can be deepened")
    func shallow() throws {
        try withTwoStores { (mine, theirs) in
            var model = SyntheticModel.sample(experts: 600)
            var heads: [ObjectID] = []
            for round in 0..<6 {
                model.pools[.init(1)]?.experts[round * 50] = noise(128, 700 + round)
                heads.append(try mine.commit(model, time: Int64(round)).id)
            }
            let remote = MemoryTransport()
            try mine.push(to: remote)
            try theirs.fetch(from: remote, depth: 2)
            #expect(try theirs.history(from: [heads[5]]).map(\.id) == [heads[5], heads[4]])
            #expect(try theirs.shallowCommits() == [heads[4]])
            #expect(try theirs.model(at: heads[5], checks: true) == model)
            #expect(try theirs.faults() == [])
            // What is built on it can be pushed to where it came from.
            model.trunk["norm"] = .init([16], seed: 77)
            let next = try theirs.commit(model, parents: [heads[5]], startingBranch: true).id
            try theirs.push(to: remote)
            #expect(code { try theirs.push(to: MemoryTransport()) } == .notFound)
            try theirs.fetch(from: remote, depth: 0)
            #expect(try theirs.shallowCommits().isEmpty)
            #expect(try theirs.history(from: [next]).count == 7)
            #expect(try theirs.faults() == [])
            try mine.fetch(from: remote)
            #expect(try mine.model(at: next, checks: true) == model)
        }
    }

    @Test("a revert sends no data again")
    func revert() throws {
        try withTwoStores { (mine, theirs) in
            let old = SyntheticModel.sample(experts: 4_000)
            try mine.commit(old)
            try mine.commit(SyntheticModel.sample(experts: 4_000, seed: 2))
            let remote = MemoryTransport()
            try mine.push(to: remote)
            try theirs.fetch(from: remote)
            let head = try mine.commit(old).id
            let pushed = try mine.push(to: remote)
            #expect(pushed.objects == 0)
            try theirs.fetch(from: remote)
            #expect(try theirs.model(at: head, checks: true) == old)
        }
    }

    @Test("the same bytes as another object do not take the place of what is there")
    func sameBytes() throws {
        try withTwoStores { (mine, theirs) in
            let remote = MemoryTransport()
            var model = SyntheticModel()
            model.trunk["a"] = .init([16], seed: 4)
            let first = try mine.commit(model).id
            try mine.push(to: remote)
            var other = model
            other.trunk["a"]?.shape = TensorShape(.i32, [4, 4])
            let second = try mine.commit(other).id
            try mine.push(to: remote)
            try theirs.fetch(from: remote)
            #expect(try theirs.model(at: first, checks: true) == model)
            #expect(try theirs.model(at: second, checks: true) == other)
            #expect(try theirs.faults() == [])
        }
    }

    @Test("a tag is pushed once and stays where it is")
    func tags() throws {
        try withTwoStores { (mine, theirs) in
            let first = try mine.commit(.sample()).id
            try mine.createReference(.tag, "v1", at: first, by: .sample)
            let remote = MemoryTransport()
            let push = Push(
                mine, to: Remote(remote), named: "origin", author: "tester", time: 1)
            _ = try push.run([.init(.branch, "main", first), .init(.tag, "v1", first)])
            try theirs.fetch(from: remote)
            #expect(try theirs.references().tags == ["v1": first])
            let second = try mine.commit(.sample(seed: 5)).id
            #expect(code { try push.run([.init(.tag, "v1", second)]) } == .exists)
        }
    }

    @Test("a branch that was removed is gone, and can begin anew")
    func removal() throws {
        try withTwoStores { (mine, theirs) in
            try mine.commit(.sample())
            let remote = MemoryTransport()
            try mine.push(to: remote)
            let push = Push(
                mine, to: Remote(remote), named: "origin", author: "tester", time: 1)
            _ = try push.run([.init(.branch, "main", nil)])
            #expect(code { try theirs.fetch(["main"], from: remote) } == .notFound)
            #expect(try theirs.fetch(from: remote).updates.isEmpty)
            try mine.push(to: remote)
            try theirs.fetch(from: remote)
            #expect(try theirs.tracked() == mine.references().branches["main"])
        }
    }

    @Test("of very many bundles all but the largest are joined")
    func manyBundles() {
        // A history of many pushes has few, and no push joins more than five.
        var list: [ReferenceEntry.Bundle] = []
        for number in 0..<20_000 {
            let joined = BundleList.absorbed(by: 1, list)
            #expect(joined.count <= 5)
            list.removeAll { joined.contains($0) }
            let id = ObjectID(hashing: [UInt8(number & 255), UInt8(number >> 8)])
            list.append(
                .init(id: id, commits: 1 + joined.reduce(0) { $0 + $1.commits }, bytes: 100))
            #expect(list.count < 40)
        }
        let many = (0..<BundleList.greatestCount).map { number in
            ReferenceEntry.Bundle(
                id: ObjectID(hashing: [UInt8(number & 255), UInt8(number >> 8)]),
                commits: number < 64 ? 1_000 : 1, bytes: 100)
        }
        let joined = BundleList.absorbed(by: 1, many)
        #expect(joined.count == many.count - 64)
        #expect(joined.allSatisfy { $0.commits == 1 })
    }

    @Test("long histories are in few bundles")
    func bundles() throws {
        try withTwoStores { (mine, theirs) in
            var model = SyntheticModel.sample(experts: 20)
            let remote = MemoryTransport()
            for round in 0..<40 {
                model.trunk["norm"] = .init([16], seed: 100 + round)
                try mine.commit(model, time: Int64(round))
                try mine.push(to: remote)
            }
            let tip = try #require(try Remote(remote).tip(.branch, "main"))
            #expect(tip.entry.bundles.count <= 14)
            #expect(tip.entry.bundles.map(\.commits).reduce(0, +) == 40)
            let fetched = try theirs.fetch(from: remote)
            #expect(fetched.commits == 40)
            #expect(try theirs.faults() == [])
        }
    }
}
