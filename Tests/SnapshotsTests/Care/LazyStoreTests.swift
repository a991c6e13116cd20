import Elements
import KeyValue
import Objects
import Snapshots
import TestSupport
import Testing

/// Stores whose packs' data lie on a remote.
@Suite("Lazy clones: care")
struct LazyStoreTests {
    private static func models(_ count: Int) -> [SyntheticModel] {
        var models = [SyntheticModel.sample(experts: 120)]
        for step in 1..<count {
            var next = models[step - 1]
            next.step(seed: step, every: 100)
            next.edit(step, seed: step)
            models.append(next)
        }
        return models
    }

    /// Runs `body` with a store of some versions of a model, all of which lie on a remote.
    private func withLazyStore(
        _ body: (SnapshotStore, FakeRemote, [ObjectID], [SyntheticModel]) throws -> Void
    ) throws {
        let models = Self.models(6)
        try withStore { store in
            let ids = try models.enumerated().map { try store.commit($1, time: Int64($0)).id }
            let remote = try store.environment.promiseAll()
            try body(store, remote, ids, models)
        }
    }

    private func expect(
        _ store: SnapshotStore, _ ids: [ObjectID], _ models: [SyntheticModel]
    ) throws {
        for (id, model) in zip(ids, models) {
            let isSame = try store.model(at: id, checks: true) == model
            #expect(isSame)
        }
    }

    @Test(
        "history, trees and ids read nothing of it, and every version comes when it is read"
    )
    func reads() throws {
        try withLazyStore { store, remote, ids, models in
            #expect(try store.history(from: [ids[5]]).count == 6)
            let snapshot = try store.map(ids[5])
            let experts = try #require(snapshot.experts(layer: 1, pool: ExpertPool.base))
            #expect(try experts.id(7) != .zero)
            #expect(remote.calls == 0)
            // Rows of routers are compared by their bytes; experts by their names.
            let (first, last) = (try store.commit(ids[0]).tree, try store.commit(ids[5]).tree)
            _ = try store.difference(from: store.tree(first), to: store.tree(last))
            #expect(remote.calls > 0 && !remote.ranges.contains { $0.count == 128 })
            try expect(store, ids, models)
        }
    }

    @Test("a commit on top reads nothing, and its ids are those of a full store")
    func commits() throws {
        let models = Self.models(8)
        var trees: [ObjectID] = []
        try withStore { store in
            trees = try models.enumerated().map {
                try store.commit(try store.commit($1, time: Int64($0)).id).tree
            }
        }
        try withStore { store in
            var ids = try models[..<6].enumerated().map { try store.commit($1, time: Int64($0)).id }
            let remote = try store.environment.promiseAll()
            for (number, model) in models.enumerated().dropFirst(6) {
                ids.append(try store.commit(model, time: Int64(number)).id)
            }
            #expect(remote.calls == 0)
            #expect(try ids.map { try store.commit($0).tree } == trees)
            try expect(store, ids, models)
            let report = try store.verify(fast: false)
            #expect(report.faults.isEmpty)
        }
    }

    @Test("a verification tells what is promised apart, and reads it when it is told to")
    func verifies() throws {
        try withLazyStore { store, remote, _, _ in
            let report = try store.verify(fast: false)
            #expect(report.faults.isEmpty && remote.calls == 0)
            let counts = try store.counts()
            #expect(report.promisedObjects == counts.promisedObjects)
            #expect(report.promisedBytes == counts.promisedBytes && counts.promisedBytes > 0)
            #expect(counts.promisedBytes < counts.bytes)
            let deep = try store.verify(fast: false, fetch: true)
            #expect(deep.faults.isEmpty && deep.promisedObjects == 0 && remote.calls > 0)

            remote.fail(.wrong)
            let wrong = try store.verify(fast: false, fetch: true)
            #expect(!wrong.faults.isEmpty)
            #expect(wrong.faults.allSatisfy { $0.subject.hasPrefix("pack ") })
            #expect(wrong.faults.contains { $0.message.contains("the remote's pack") })
            #expect(try store.verify(fast: false).faults.isEmpty)

            remote.fail(.absent)
            let error = #expect(throws: CambiumError.self) {
                try store.verify(fast: false, fetch: true)
            }
            #expect(error?.code == .network)
            // A fault here is not hidden by it.
            try store.environment.write("damage") {
                try $0.put(store.environment.table("meta"), [1], [2])
            }
            let calls = remote.calls
            let faulty = try store.verify(fast: false, fetch: true)
            #expect(faulty.faults.map(\.subject) == ["table meta"])
            #expect(faulty.remoteFailure?.code == .network && remote.calls == calls + 1)
            #expect(faulty.promisedObjects == counts.promisedObjects)
        }
    }

    @Test(
        "a collection removes promises that nothing needs, leaves the others where they are, and reads nothing"
    )
    func collects() throws {
        try withLazyStore { store, remote, ids, models in
            let before = try store.packs().filter { $0.isPromised }.count
            _ = try store.reset("main", to: ids[2], by: .sample)
            let preview = try store.collect(prune: false, now: 1_000_000_000, grace: 1)
            #expect(preview.deadObjects > 0)
            _ = try store.collect(prune: true, now: 1_000_000_000, grace: 1)
            #expect(try store.packs().filter { $0.isPromised }.count < before)
            #expect(remote.calls == 0)
            #expect(try store.verify(fast: false).faults.isEmpty)
            try expect(store, Array(ids[...2]), Array(models[...2]))
            // What is dead and shares a pack with what is not can be committed anew.
            let again = try store.commit(models[5], time: 77)
            try expect(store, [again.id], [models[5]])
            #expect(try store.verify(fast: false, fetch: true).faults.isEmpty)
        }
    }

    @Test(
        "repack, with or without compression, keeps promises and reads nothing",
        arguments: [false, true])
    func repacks(compress: Bool) throws {
        let models = Self.models(8)
        try withScratchDirectory { directory in
            let path = directory + "/store"
            try SnapshotStore.create(at: path)
            var ids: [ObjectID] = []
            var kept: FakeRemote?
            var promised = 0
            do {
                let store = try SnapshotStore.open(path)
                for model in models[..<6] { ids.append(try store.commit(model).id) }
                kept = try store.environment.promiseAll()
                for model in models[6...] { ids.append(try store.commit(model).id) }
                promised = try store.packs().filter { $0.isPromised }.count
            }
            // Nobody could be asked, if anything were read.
            _ = try SnapshotStore.repack(path, compress: compress)
            let store = try SnapshotStore.open(path)
            #expect(try store.packs().filter { $0.isPromised }.count == promised)
            #expect(try store.verify(fast: false).faults.isEmpty)
            store.environment.promisedBulk = kept
            #expect(kept?.calls == 0)
            try expect(store, ids, models)
            #expect(try store.verify(fast: false, fetch: true).faults.isEmpty)
        }
    }

    @Test("a backup of it is one, checked as far as it goes")
    func backup() throws {
        try withLazyStore { store, remote, ids, models in
            let target = store.directory + "-backup"
            let report = try store.backup(to: target, asFile: false)
            #expect(report.verification.promisedObjects > 0 && remote.calls == 0)
            let other = try SnapshotStore.open(target)
            let error = #expect(throws: CambiumError.self) {
                try other.model(at: ids[0])
            }
            #expect(error?.code == .remote)
            other.environment.promisedBulk = remote
            try expect(other, ids, models)
        }
    }

    @Test("a merge by ids reads only what it decides by")
    func merges() throws {
        try withLazyStore { store, remote, ids, models in
            try store.createReference(.branch, "side", at: ids[5], by: .sample)
            var left = models[5]
            left.edit(3, seed: 50)
            var right = models[5]
            right.edit(90, seed: 51)
            let one = try store.commit(left, to: "main", time: 10).id
            let two = try store.commit(right, to: "side", time: 11).id
            let outcome = try store.merge([two], into: "main", policy: nil, note: .sample())
            let merged = try #require(outcome.commit)
            #expect(remote.calls == 0)
            #expect(one != two && merged != one)
            var both = left
            both.edit(90, seed: 51)
            try expect(store, [merged], [both])
        }
    }
}
