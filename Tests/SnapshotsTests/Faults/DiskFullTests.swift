import Elements
import Files
import Foundation
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
                    code { try store.commit(large, time: 2) }
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
            try writeStoreFile(disk.path + "/reserve", [UInt8](repeating: 1, count: 300_000))
            do {
                let store = try SnapshotStore.open(path)
                var large = model
                for index in 0..<8 { large.trunk["big\(index)"] = .init([300_000], seed: index) }
                var draft = try CommitDraft(
                    store, tree: Tree(architecture: ""), flushThreshold: 1 << 20)
                var found: CambiumError.Code?
                do {
                    try large.stage(in: &draft)
                } catch let error as CambiumError {
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

    @Test("on a full disk branches are removed and collected, and then there is room")
    func collection() throws {
        try withTemporaryDisk(megabytes: 16) { disk in
            let path = disk.path + "/store"
            try SnapshotStore.create(at: path)
            let model = SyntheticModel.sample(experts: 300)
            var large = SyntheticModel.sample(experts: 300, seed: 9)
            large.trunk["big"] = .init([300_000], seed: 1)
            // Shares a pack of which little is needed in the end, so that something has to be moved.
            var kept = large
            kept.trunk["big"] = nil
            for ordinal in 0..<290 { kept.edit(ordinal, seed: 700 + ordinal) }
            do {
                let store = try SnapshotStore.open(path)
                try store.commit(model)
                try store.commit(large, to: "dead", parents: [], time: 1)
                try store.commit(kept, to: "kept", parents: [], time: 2)
            }
            _ = try SnapshotStore.repack(path)
            try fill(disk.path + "/filler")
            let store = try SnapshotStore.open(path)
            let dead = try store.resolve("dead")
            #expect(fileExists(path + "/reserve"))
            try store.moveReference(.branch, "dead", from: dead, to: nil, by: .old)
            #expect(!fileExists(path + "/reserve"))
            let report = try store.collect(prune: true, now: 3, grace: 0)
            #expect(report.deadPacks > 0 && report.freeAfter > 1_000_000)
            #expect(try store.faults().isEmpty)
            #expect(try store.model(at: try store.resolve("kept")) == kept)
            var next = model
            next.edit(1, seed: 4)
            try store.commit(next, time: 4)
            #expect(try store.model(at: try store.resolve("main")) == next)
            removeTree(disk.path + "/filler")
            _ = try store.collect(prune: true, now: 5, grace: 0)
            #expect(fileExists(path + "/reserve"))
        }
    }

    @Test("a file of a user that is named as the reserve is left alone")
    func strangersReserve() throws {
        try withTemporaryDisk(megabytes: 4) { disk in
            let path = disk.path + "/store"
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
            try writeStoreFile(path + "/reserve", Array("table for two".utf8))
            try SnapshotStore.create(at: path)
            do {
                try SnapshotStore.open(path).commit(.sample(experts: 20))
            }
            _ = try SnapshotStore.repack(path)
            try fill(disk.path + "/filler")
            let store = try SnapshotStore.open(path)
            let id = try store.resolve("main")
            #expect(
                code {
                    try store.createReference(.branch, "new", at: id, by: .old)
                } == .diskFull)
            #expect(try readStoreFile(path + "/reserve") == Array("table for two".utf8))
            #expect(try store.faults().isEmpty)
        }
    }

    @Test("a store that does not fit is not made, and can be made when there is room")
    func create() throws {
        try withTemporaryDisk(megabytes: 1) { disk in
            let filler = disk.path + "/filler"
            try fill(filler)
            let path = disk.path + "/store"
            let found = code { try SnapshotStore.create(at: path) }
            #expect(found == .diskFull)
            #expect(code { try SnapshotStore.open(path) } == .notAStore)
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
                code { try SnapshotStore.repack(path) } == .diskFull)
            let names = try listDirectory(path)
            #expect(names.filter { $0.hasPrefix("data") } == ["data.mdb"])
            let store = try SnapshotStore.open(path)
            #expect(try store.model(at: id) == model)
            #expect(try store.faults().isEmpty)
        }
    }
}
