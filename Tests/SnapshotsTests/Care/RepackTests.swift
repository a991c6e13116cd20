import Elements
import KeyValue
import Objects
import Snapshots
import TestSupport
import Testing

@Suite("Repack")
struct RepackTests {
    @Test("a repack gives space back and keeps everything")
    func shrinks() throws {
        try withScratchDirectory { directory in
            let path = directory + "/store"
            try SnapshotStore.create(at: path)
            let model = SyntheticModel.sample(experts: 300)
            var kept = ObjectID.zero
            do {
                let store = try SnapshotStore.open(path)
                kept = try store.commit(model, time: 0).id
                let lost = try store.commit(
                    .sample(experts: 3_000, seed: 9), to: "lost", parents: [], time: 0
                ).id
                try store.moveReference(
                    .branch, "lost", from: lost, to: nil,
                    by: ReflogNote(time: 0, author: "", message: ""))
                _ = try store.collect(prune: true, now: 1_000, grace: 0)
            }
            let report = try SnapshotStore.repack(path)
            #expect(report.bytesAfter < report.bytesBefore / 2)
            let store = try SnapshotStore.open(path)
            #expect(try store.model(at: kept) == model)
            #expect(try store.faults().isEmpty)
            try store.commit(.sample(experts: 301), time: 5)
            #expect(try store.faults().isEmpty)
            #expect(try listDirectory(path).filter { $0.hasPrefix("data") } == ["data.mdb"])
        }
    }

    @Test("a store in use is not repacked, neither by a store nor by mapped bytes")
    func inUse() throws {
        try withScratchDirectory { directory in
            let path = directory + "/store"
            try SnapshotStore.create(at: path)
            var store: SnapshotStore? = try SnapshotStore.open(path)
            let id = try store?.commit(.sample(experts: 5)).id ?? .zero
            #expect(code { try SnapshotStore.repack(path) } == .busy)
            var object: StoredObject? = try store?.map(id).experts(layer: 1, pool: "base")?
                .expert(0)
            store = nil
            // The bytes keep the file mapped: replacing it would part them from later commits.
            #expect(code { try SnapshotStore.repack(path) } == .busy)
            #expect(object?.payload.count == 128)
            object = nil
            #expect(try SnapshotStore.repack(path).bytesAfter > 0)
        }
    }

    @Test("a store in use by another process is not repacked")
    func otherProcess() async throws {
        let directory = try makeScratchDirectory()
        defer { removeTree(directory) }
        let path = directory + "/store"
        try SnapshotStore.create(at: path)
        let store = try SnapshotStore.open(path)
        await #expect(processExitsWith: .success) { [path = path as String] in
            #expect(code { try SnapshotStore.repack(path) } == .busy)
        }
        withExtendedLifetime(store) {}
    }

    @Test("a directory without a store, or a truncated one, is not repacked")
    func refused() throws {
        try withScratchDirectory { directory in
            #expect(
                code { try SnapshotStore.repack(directory) }
                    == .notAStore)
            let names = try listDirectory(directory)
            #expect(names.isEmpty)
        }
    }
}
