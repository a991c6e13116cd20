import KeyValue
import Objects
import Snapshots
import TestSupport
import Testing

@Suite("Full disk", .enabled(if: canMount, "without leave to mount"))
struct DiskFullTests {
    @Test("a commit that does not fit is refused and leaves the store as it was")
    func commit() throws {
        try withTemporaryDisk(megabytes: 6) { disk in
            let path = disk.path + "/store"
            try SnapshotStore.create(at: path)
            let model = SyntheticModel.sample(experts: 200)
            var id = ObjectID.zero
            do {
                let store = try SnapshotStore.open(path)
                id = try store.commit(model).id
                var large = model
                for index in 0..<8 { large.trunk["big\(index)"] = .init([300_000], seed: index) }
                #expect(
                    code { () throws(SnapshotError) in try store.commit(large, time: 2) }
                        == .diskFull)
                #expect(try store.model(at: id) == model)
            }
            let store = try SnapshotStore.open(path)
            #expect(try store.references().branches == ["main": id])
            #expect(try store.model(at: id) == model)
            #expect(try store.faults().isEmpty)
            var small = model
            small.edit(1, seed: 2)
            try store.commit(small, time: 3)
            #expect(try store.faults().isEmpty)
        }
    }

    @Test("packs written ahead of a commit that does not fit are garbage and can be collected")
    func flushed() throws {
        try withTemporaryDisk(megabytes: 6) { disk in
            let path = disk.path + "/store"
            try SnapshotStore.create(at: path)
            let model = SyntheticModel.sample(experts: 200)
            let id = try SnapshotStore.open(path).commit(model).id
            try writeFile(disk.path + "/reserve", [UInt8](repeating: 1, count: 300_000))
            do {
                let store = try SnapshotStore.open(path)
                var large = model
                for index in 0..<8 { large.trunk["big\(index)"] = .init([300_000], seed: index) }
                var draft = try CommitDraft(
                    store, tree: Tree(architecture: ""), flushThreshold: 1 << 20)
                var found: SnapshotError.Code?
                do throws(SnapshotError) {
                    try large.stage(in: &draft)
                } catch {
                    found = error.code
                }
                #expect(found == .diskFull)
            }
            let store = try SnapshotStore.open(path)
            #expect(try store.faults().isEmpty)
            #expect(try store.model(at: id) == model)
            // A collection writes little, but it does write.
            try removeFile(disk.path + "/reserve")
            let report = try store.collect(prune: true, now: 5_000_000, grace: 0)
            #expect(report.deadPacks >= 1)
            #expect(try store.model(at: id) == model)
            #expect(try store.faults().isEmpty)
        }
    }

    @Test("a store that does not fit is not made, and can be made when there is room")
    func create() throws {
        try withTemporaryDisk(megabytes: 1) { disk in
            let filler = disk.path + "/filler"
            try fill(filler)
            let path = disk.path + "/store"
            let found = code { () throws(SnapshotError) in try SnapshotStore.create(at: path) }
            #expect(found == .diskFull)
            #expect(code { () throws(SnapshotError) in try SnapshotStore.open(path) } == .notAStore)
            removeTree(filler)
            try SnapshotStore.create(at: path)
            #expect(try SnapshotStore.open(path).faults().isEmpty)
        }
    }

    @Test("a repack without room for the copy is refused and leaves nothing behind")
    func repack() throws {
        try withTemporaryDisk(megabytes: 6) { disk in
            let path = disk.path + "/store"
            try SnapshotStore.create(at: path)
            var model = SyntheticModel.sample(experts: 20)
            for index in 0..<3 { model.trunk["big\(index)"] = .init([300_000], seed: index) }
            let id = try SnapshotStore.open(path).commit(model).id
            #expect(
                code { () throws(SnapshotError) in try SnapshotStore.repack(path) } == .diskFull)
            let names = try listDirectory(path)
            #expect(!names.contains("data.mdb.repack"))
            let store = try SnapshotStore.open(path)
            #expect(try store.model(at: id) == model)
            #expect(try store.faults().isEmpty)
        }
    }
}
