import Elements
import KeyValue
import Objects
import Remotes
import Snapshots
import TestSupport
import Testing

@Suite("Lazy clones: fetching")
struct LazyFetchTests {
    /// Versions of a model, some of whose tensors are stored as differences.
    private static func models() -> [SyntheticModel] {
        var models = [SyntheticModel.sample(experts: 2_000)]
        for step in 1..<5 {
            var next = models[step - 1]
            next.step(seed: step, every: 100)
            next.edit(step, seed: step)
            models.append(next)
        }
        return models
    }

    private func fetch(_ store: SnapshotStore, _ transport: any Transport, lazy: Bool = true) throws
        -> FetchReport
    {
        try Fetch(store, from: Remote(transport), named: "origin", by: .sample).run(lazy: lazy)
    }

    private func attach(_ store: SnapshotStore, _ transport: any Transport) throws -> LazyBulk {
        store.environment.promisedBulk = nil
        try LazyBulk.attach(to: store, cache: "64M") { [transport] }
        return try #require(store.environment.promisedBulk as? LazyBulk)
    }

    @Test("commits, names and files come, data when they are read, and all is what was pushed")
    func fetches() throws {
        try withTwoStores { (mine, theirs) in
            let models = Self.models()
            let ids = try models.enumerated().map { try mine.commit($1, time: Int64($0)).id }
            let remote = MemoryTransport()
            try mine.push(to: remote)
            let full = try withStore { try $0.fetch(from: remote).counts.received }
            let report = try fetch(theirs, remote)
            #expect(report.commits == 5 && report.promised > 0)
            #expect(report.counts.received < full)
            #expect(try theirs.tracked() == ids[4])
            #expect(try theirs.faults() == [])
            // Files are here, whoever could be asked.
            let snapshot = try theirs.map(ids[4])
            let config = try #require(snapshot.tree.files["config.json"])
            #expect(try snapshot.data(of: config) == models[4].files["config.json"])
            let lazy = try attach(theirs, remote)
            for (id, model) in zip(ids, models) {
                let isSame = try theirs.model(at: id, checks: true) == model
                #expect(isSame)
            }
            #expect(lazy.counts.fetched > 0)
            #expect(try theirs.verify(fast: false, fetch: true).faults.isEmpty)
        }
    }

    @Test(
        "a commit on top is pushed without reading what is promised, and another fetch, lazy or not, goes on from it",
        arguments: [true, false])
    func goesOn(lazy: Bool) throws {
        try withTwoStores { (mine, theirs) in
            let models = Self.models()
            for (number, model) in models[..<3].enumerated() {
                try mine.commit(model, time: Int64(number))
            }
            let remote = MemoryTransport()
            try mine.push(to: remote)
            _ = try fetch(theirs, remote)
            let bulk = try attach(theirs, remote)
            let head = try #require(try theirs.tracked())
            try theirs.createReference(.branch, "main", at: head, by: .sample)
            var model = models[2]
            model.edit(77, seed: 5)
            let id = try theirs.commit(model, time: 9).id
            let pushed = try theirs.push(to: remote)
            #expect(pushed.counts.sent < 20_000 && bulk.counts.requests == 0)
            try mine.fetch(from: remote)
            let isSame = try mine.model(at: id, checks: true) == model
            #expect(isSame)
            // More commits, of which some are differences from what is promised.
            _ = try mine.reset("main", to: id, by: .sample)
            model.step(seed: 40, every: 100)
            let next = try mine.commit(model, time: 10).id
            try mine.push(to: remote)
            _ = try fetch(theirs, remote, lazy: lazy)
            let isSameHere = try theirs.model(at: next, checks: true) == model
            #expect(isSameHere)
            #expect(try theirs.faults() == [])
            #expect(try theirs.verify(fast: false, fetch: true).faults.isEmpty)
        }
    }

    @Test("cut off at any request, it leaves a store that the next fetch completes")
    func cut() throws {
        let models = Self.models()
        try withStore { mine in
            for (number, model) in models[..<2].enumerated() {
                try mine.commit(model, time: Int64(number))
            }
            let remote = MemoryTransport()
            try mine.push(to: remote)
            let whole = FaultyTransport(remote)
            try withStore { _ = try fetch($0, whole) }
            for at in 1...whole.calls.count {
                try withStore { theirs in
                    let cut = FaultyTransport(remote, .deadBefore, at: at)
                    #expect(throws: CambiumError.self) { try fetch(theirs, cut) }
                    #expect(try theirs.faults() == [])
                    _ = try fetch(theirs, remote)
                    _ = try attach(theirs, remote)
                    let head = try #require(try theirs.tracked())
                    let isSame = try theirs.model(at: head, checks: true) == models[1]
                    #expect(isSame)
                }
            }
        }
    }

    @Test("what an index claims falsely is refused, or found out when it is read")
    func lies() throws {
        try withStore { mine in
            try mine.commit(Self.models()[0])
            let good = MemoryTransport()
            try mine.push(to: good)
            let indexes = good.keys.filter { $0.hasPrefix("index/") }
            for key in indexes {
                let bytes = try #require(try good.read(key, nil, limit: 1 << 30)).copy()
                var random = SeededGenerator(seed: 3)
                for _ in 0..<40 {
                    var damaged = bytes
                    damaged[Int.random(in: 0..<bytes.count, using: &random)] ^=
                        1 << UInt8.random(in: 0..<8, using: &random)
                    let bad = try Self.remote(good, with: damaged, inPlaceOf: key)
                    try withStore { theirs in
                        guard (try? fetch(theirs, bad)) != nil else {
                            #expect(try theirs.faults() == [])
                            return
                        }
                        _ = try attach(theirs, bad)
                        let head = try #require(try theirs.tracked())
                        if let model = try? theirs.model(at: head, checks: true) {
                            #expect(model == Self.models()[0])
                        }
                    }
                }
            }
        }
    }

    /// A remote whose bundle names another index, under the name that its bytes have, of the same pack.
    private static func remote(
        _ good: MemoryTransport, with index: [UInt8], inPlaceOf key: String
    ) throws -> MemoryTransport {
        let bad = MemoryTransport(copying: good)
        let old = try #require(ObjectID(hex: String(key.dropFirst(6))))
        let new = ObjectID(hashing: index)
        let pack = try #require(try good.read(RemoteKey.pack(old), nil, limit: 1 << 30))
        try bad.write(RemoteKey.index(new), TransportBody(index))
        try bad.write(RemoteKey.pack(new), TransportBody(pack.copy()))
        var entry = try #require(try Remote(good).tip(.branch, "main")).entry
        let name = try #require(entry.bundles.last)
        let bytes = try #require(try good.read(RemoteKey.bundle(name.id), nil, limit: 1 << 30))
        var bundle = try CommitBundle(decoding: bytes.copy())
        bundle.packs = bundle.packs.map {
            $0.id == old ? CommitBundle.PackName(id: new, count: $0.count) : $0
        }
        let body = TransportBody(try bundle.encoded())
        try bad.write(RemoteKey.bundle(body.digest), body)
        entry.bundles = [.init(id: body.digest, commits: name.commits, bytes: body.count)]
        try bad.write("refs/heads/main/00000000000000000002", TransportBody(entry.encoded))
        return bad
    }
}
