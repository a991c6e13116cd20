import Elements
import Objects
import Remotes
import Snapshots
import TestSupport
import Testing

/// Histories and numbers that nobody means to make.
@Suite("Remotes: odd histories and hostile numbers")
struct OddRemoteTests {
    @Test("a commit that is amended in a clone of some depth ends history as the old one did")
    func amendShallow() throws {
        try withTwoStores { (mine, theirs) in
            var model = SyntheticModel.sample(experts: 40)
            try mine.commit(model)
            model.trunk["norm"] = .init([16], seed: 3)
            let head = try mine.commit(model).id
            let remote = MemoryTransport()
            try mine.push(to: remote)
            try theirs.fetch(from: remote, depth: 1)
            try theirs.createReference(.branch, "main", at: head, by: .sample)
            let amended = try theirs.amend(
                "main", message: "another", metadata: [:], metrics: [:], expectedHead: nil, time: 1,
                author: "t"
            ).new
            #expect(amended != head)
            #expect(try theirs.history(from: [amended]).count == 1)
            #expect(try theirs.faults() == [])
            try theirs.track(["origin/main": nil], by: .sample)
            _ = try theirs.collect(prune: true, now: 10_000, grace: 0)
            #expect(try theirs.shallowCommits() == [amended])
            #expect(try theirs.faults() == [])
        }
    }

    @Test("numbers that nothing can follow are no entries")
    func numbers() throws {
        try withTwoStores { (mine, theirs) in
            try mine.commit(.sample(experts: 20))
            let remote = MemoryTransport()
            try mine.push(to: remote)
            let tip = try #require(try Remote(remote).tip(.branch, "main"))
            try remote.write(
                "refs/heads/main/18446744073709551615", TransportBody(tip.entry.encoded))
            try remote.write("gc/18446744073709551615", TransportBody([1]))
            try mine.commit(.sample(experts: 20, seed: 3))
            try mine.push(to: remote)
            _ = try RemoteCollection(Remote(remote)).run(prune: true)
            try theirs.fetch(from: remote)
            #expect(try theirs.tracked() == mine.references().branches["main"])
            var entry = tip.entry
            entry.bundles = [.init(id: entry.bundles[0].id, commits: .max, bytes: 1)]
            #expect(code { try ReferenceEntry(decoding: entry.encoded, "x") } == .corrupt)
        }
    }

    @Test("a place of a later format is neither read nor written")
    func format() throws {
        try withTwoStores { (mine, theirs) in
            try mine.commit(.sample(experts: 20))
            let remote = MemoryTransport()
            try mine.push(to: remote)
            try remote.write(RemoteKey.marker, TransportBody(Array("{\"format\":2}".utf8)))
            try mine.commit(.sample(experts: 20, seed: 3))
            #expect(code { try mine.push(to: remote) } == .remote)
            #expect(code { try theirs.fetch(from: remote) } == .remote)
        }
    }

    @Test("where branches were is forgotten when the remote has them no more")
    func removed() throws {
        try withTwoStores { (mine, theirs) in
            let head = try mine.commit(.sample(experts: 20)).id
            try mine.createReference(.branch, "tmp", at: head, by: .sample)
            let remote = MemoryTransport()
            try mine.push(["main", "tmp"], to: remote)
            try theirs.fetch(from: remote)
            let push = Push(mine, to: Remote(remote), named: "origin", author: "t", time: 1)
            _ = try push.run([.init(.branch, "tmp", nil)])
            try theirs.fetch(["main"], from: remote)
            #expect(try theirs.tracked("tmp") == head)
            let report = try theirs.fetch(from: remote)
            #expect(report.updates.map(\.new) == [nil])
            #expect(try theirs.references().remotes == ["origin/main": head])
        }
    }

    @Test("two spellings of one name do not keep anybody from fetching")
    func spellings() throws {
        try withTwoStores { (mine, theirs) in
            let head = try mine.commit(.sample(experts: 20)).id
            let remote = MemoryTransport()
            try mine.push(to: remote)
            let tip = try #require(try Remote(remote).tip(.branch, "main"))
            for key in ["caf~C3~A9/00000000000000000002", "cafe~CC~81/00000000000000000001"] {
                try remote.write("refs/heads/\(key)", TransportBody(tip.entry.encoded))
            }
            try theirs.fetch(from: remote)
            #expect(try theirs.tracked("caf\u{E9}") == head)
            #expect(try theirs.references().remotes.count == 2)
        }
    }

    @Test("bundles that swell, or are too large to be joined, are told before they fill memory")
    func swelling() throws {
        var bundle = CommitBundle()
        bundle.records = [.init(kind: .trunk, bytes: [UInt8](repeating: 0, count: 200 << 20))]
        let bytes = try bundle.encoded()
        #expect(bytes.count < 40_000)
        #expect(code { try CommitBundle(decoding: bytes) } == .corrupt)
        #expect(code { try CommitBundle.contentCount(bytes) } == .corrupt)
    }

    @Test("a grace period beyond all time is refused")
    func grace() {
        #expect(code { try RemoteCollection(Remote(MemoryTransport()), grace: .max) } == .usage)
    }
}
