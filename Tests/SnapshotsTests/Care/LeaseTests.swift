import Elements
import Glibc
import KeyValue
import Objects
import Snapshots
import TestSupport
import Testing

@Suite("Leases and mapped snapshots")
struct LeaseTests {
    private let note = ReflogNote(time: 0, author: "", message: "")

    /// A store whose only branch is elsewhere; the commit that is returned is garbage.
    private func orphan(_ store: SnapshotStore) throws -> (id: ObjectID, model: SyntheticModel) {
        let model = SyntheticModel.sample(experts: 100)
        let id = try store.commit(model, time: 0).id
        try store.commit(.sample(experts: 3, seed: 50), to: "other", parents: [], time: 0)
        try store.setHead(.branch("other"), by: note)
        try store.moveReference(.branch, "main", from: id, to: nil, by: note)
        return (id, model)
    }

    @Test("a mapped snapshot keeps its objects through collections")
    func keeps() throws {
        try withStore { store in
            let (id, model) = try orphan(store)
            do {
                let snapshot = try store.map(id)
                let report = try store.collect(prune: true, now: 1_000, grace: 0)
                #expect(report.leases == 1)
                try store.commit(.sample(experts: 50, seed: 60), to: "other", time: 5)
                let experts = try #require(snapshot.experts(layer: 1, pool: "base"))
                for ordinal in 0..<100 {
                    #expect(
                        try experts.expert(ordinal).payload.copy()
                            == model.pools[.init(1)]?.experts[ordinal])
                }
            }
            let report = try store.collect(prune: true, now: 1_000, grace: 0)
            #expect(report.leases == 0 && report.deadPacks > 0)
            #expect(code { try store.map(id) } == .notFound)
            #expect(try listDirectory(store.directory + "/leases").isEmpty)
            #expect(try store.faults().isEmpty)
        }
    }

    /// What broke: the bytes kept the map but not the lease, so a collection could reuse their
    /// pages while they were still read.
    @Test("bytes of a mapped snapshot hold the lease after the snapshot is gone")
    func bytesOutlive() throws {
        try withStore { store in
            let (id, model) = try orphan(store)
            var object: StoredObject? = try store.map(id)
                .experts(layer: 1, pool: "base")?.expert(42)
            #expect(try store.collect(prune: true, now: 1_000, grace: 0).leases == 1)
            for step in 0..<5 {
                try store.commit(.sample(experts: 90, seed: 70 + step), to: "other", time: 5)
            }
            #expect(object?.payload.copy() == model.pools[.init(1)]?.experts[42])
            object = nil
            #expect(try store.collect(prune: true, now: 1_000, grace: 0).leases == 0)
        }
    }

    @Test("a lease of this process binds a collection in another one")
    func otherProcess() async throws {
        let directory = try makeScratchDirectory()
        defer { removeTree(directory) }
        let path = directory + "/store"
        try SnapshotStore.create(at: path)
        let store = try SnapshotStore.open(path)
        let (id, model) = try orphan(store)
        let snapshot = try store.map(id)
        await #expect(processExitsWith: .success) { [path = path as String] in
            let other = try SnapshotStore.open(path)
            let report = try other.collect(prune: true, now: 1_000, grace: 0)
            #expect(report.leases == 1 && report.deadPacks == 0)
            try other.commit(.sample(experts: 50, seed: 60), to: "other", time: 5)
        }
        let experts = try #require(snapshot.experts(layer: 1, pool: "base"))
        for ordinal in 0..<100 {
            #expect(
                try experts.expert(ordinal).payload.copy()
                    == model.pools[.init(1)]?.experts[ordinal])
        }
        #expect(try store.faults().isEmpty)
    }

    @Test("the lease of a process that died is swept")
    func died() async throws {
        let directory = try makeScratchDirectory()
        defer { removeTree(directory) }
        let path = directory + "/store"
        try SnapshotStore.create(at: path)
        let store = try SnapshotStore.open(path)
        let (id, _) = try orphan(store)
        await #expect(processExitsWith: .signal(SIGKILL)) {
            [path = path as String, hex = id.hex as String] in
            let other = try SnapshotStore.open(path)
            let snapshot = try other.map(try #require(ObjectID(hex: hex)))
            kill(getpid(), SIGKILL)
            withExtendedLifetime(snapshot) {}
        }
        #expect(try listDirectory(path + "/leases").count == 1)
        #expect(try store.collect(prune: true, now: 1_000, grace: 0).leases == 0)
        #expect(try listDirectory(path + "/leases").isEmpty)
        #expect(code { try store.commit(id) } == .notFound)
    }

    @Test("mapping while previews run never fails")
    func previewRace() async throws {
        let directory = try makeScratchDirectory()
        defer { removeTree(directory) }
        try SnapshotStore.create(at: directory + "/store")
        let store = try SnapshotStore.open(directory + "/store")
        let id = try store.commit(.sample(experts: 10)).id
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { for _ in 0..<150 { _ = try store.map(id) } }
            group.addTask {
                for _ in 0..<150 { _ = try store.collect(prune: false, now: 0, grace: 0) }
            }
            try await group.waitForAll()
        }
    }

    @Test("mapping, committing and pruning at once lose nothing")
    func allAtOnce() async throws {
        let directory = try makeScratchDirectory()
        defer { removeTree(directory) }
        try SnapshotStore.create(at: directory + "/store")
        let store = try SnapshotStore.open(directory + "/store")
        try store.commit(.sample(experts: 60), time: 0)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                for step in 0..<30 {
                    var model = SyntheticModel.sample(experts: 60)
                    for ordinal in 0..<50 { model.edit(ordinal, seed: step * 100 + ordinal) }
                    let head = try store.references().branches["main"] ?? .zero
                    // Leaves the former head without a reference.
                    try store.commit(model, parents: [head], time: 0)
                    let next = try store.references().branches["main"] ?? .zero
                    try store.commit(model, to: "t\(step)", parents: [], time: 0)
                    let side = try store.references().branches["t\(step)"] ?? .zero
                    try store.moveReference(.branch, "t\(step)", from: side, to: nil, by: .old)
                    try store.moveReference(.branch, "main", from: next, to: head, by: .old)
                }
            }
            group.addTask {
                for _ in 0..<30 {
                    do {
                        _ = try store.collect(prune: true, now: 1_000, grace: 0)
                    } catch let error as CambiumError {
                        guard error.code == .busy else { throw error }
                    }
                }
            }
            group.addTask {
                for _ in 0..<60 {
                    let id = try store.references().branches["main"] ?? .zero
                    do {
                        let model = try store.model(at: id)
                        #expect(model.pools[.init(1)]?.experts.count == 60)
                    } catch let error as CambiumError {
                        // The head moved back and its former commit was collected.
                        guard error.code == .notFound else { throw error }
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(try store.faults().isEmpty)
    }

    // Small records lie in the leaves of LMDB's B-tree, whose pages it reuses once a neighbour was
    // written: a mapped snapshot read other experts' places. They are copied when they are read.
    @Test("a mapped snapshot keeps its small arrays while later commits reuse pages")
    func smallArrays() throws {
        try withStore { store in
            var model = SyntheticModel.sample(experts: 40)
            try store.commit(model, time: 0)
            model.edit(3, seed: 99)
            let head = try store.commit(model, time: 1).id
            let snapshot = try store.map(head)
            let experts = try #require(snapshot.experts(layer: 1, pool: ExpertPool.base))
            let before = try (0..<40).map { try experts.id($0) }
            for step in 0..<150 {
                model.edit(step % 40, seed: 1_000 + step)
                try store.commit(model, time: Int64(2 + step))
            }
            #expect(try (0..<40).map { try experts.id($0) } == before)
        }
    }
}

extension ReflogNote {
    static let old = ReflogNote(time: 0, author: "", message: "")
}
