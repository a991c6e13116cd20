import Elements
import KeyValue
import Objects
import Snapshots
import TestSupport
import Testing

/// Tensors that are too large for one record, with a smaller idea of large.
@Suite("Tensors in segments")
struct SegmentTests {
    private static func model(_ seed: Int) -> SyntheticModel {
        var model = SyntheticModel.sample(experts: 30)
        model.trunk["huge"] = .init([1000, 128], seed: seed)  // 512,000 bytes: eight segments.
        return model
    }

    private func commit(
        _ model: SyntheticModel, to store: SnapshotStore, time: Int64, segmented: Bool = true
    ) throws -> CommitOutcome {
        let head = try store.references().branches["main"]
        let before = try head.map { try store.tree(store.commit($0).tree) }
        var draft = try CommitDraft(
            store, tree: before ?? Tree(architecture: ""),
            segments: segmented ? (limit: 200_000, bytes: 70_000) : nil)
        try model.stage(in: &draft)
        return try draft.commit(
            to: "main", parents: head.map { [$0] } ?? [], note: .sample(time: time, "huge"))
    }

    @Test("has the id that it has in one record, and comes back")
    func identity() throws {
        try withScratchDirectory { directory in
            try SnapshotStore.create(at: directory + "/a")
            try SnapshotStore.create(at: directory + "/b")
            let model = Self.model(3)
            let store = try SnapshotStore.open(directory + "/a")
            let outcome = try commit(model, to: store, time: 1)
            let whole = try commit(
                model, to: try SnapshotStore.open(directory + "/b"), time: 1, segmented: false)
            #expect(outcome.id == whole.id)
            let isSame = try store.model(at: outcome.id, checks: true) == model
            #expect(isSame)
            #expect(try store.faults().isEmpty)
            #expect(try store.packs().contains { $0.segments?.count == 8 })
            // Again: nothing new.
            #expect(try commit(model, to: store, time: 2).newObjects == 0)
        }
    }

    @Test("a changed row costs a little of one segment")
    func step() throws {
        try withStore { store in
            var models = [Self.model(3)]
            var ids = [try commit(models[0], to: store, time: 0).id]
            for number in 1..<20 {
                var next = models[number - 1]
                next.trunk["huge"]?.bytes[number * 20_000] &+= 1
                let before = try store.packs().map(\.record.count).reduce(0, +)
                ids.append(try commit(next, to: store, time: Int64(number)).id)
                let size = try store.packs().map(\.record.count).reduce(0, +) - before
                #expect(size < 30_000, "step \(number)")
                models.append(next)
            }
            for (id, model) in zip(ids, models) {
                let isSame = try store.model(at: id, checks: true) == model
                #expect(isSame)
            }
            #expect(try store.faults().isEmpty)
        }
    }

    @Test("collection and repack keep the segments of what is live, and remove the others")
    func collected() throws {
        try withScratchDirectory { directory in
            let path = directory + "/store"
            try SnapshotStore.create(at: path)
            let (first, second) = (Self.model(3), Self.model(4))
            var head = ObjectID.zero
            do {
                let store = try SnapshotStore.open(path)
                let old = try commit(first, to: store, time: 0).id
                head = try store.commit(second, to: "other", parents: [], time: 1).id
                try store.setHead(.branch("other"), by: .sample)
                try store.moveReference(.branch, "main", from: old, to: nil, by: .sample)
                #expect(try store.packs().contains { $0.segments != nil })
                _ = try store.collect(prune: true, now: 100_000, grace: 0)
                #expect(try !store.packs().contains { $0.segments != nil })
                let again = try commit(first, to: store, time: 5).id
                _ = try store.collect(prune: true, now: 100_000, grace: 0)
                let isSame = try store.model(at: again, checks: true) == first
                #expect(isSame)
            }
            for compress in [false, true, true] {
                _ = try SnapshotStore.repack(path, compress: compress)
                let store = try SnapshotStore.open(path)
                #expect(try store.faults().isEmpty)
                let main = try #require(try store.references().branches["main"])
                let isSame =
                    try store.model(at: main, checks: true) == first
                    && store.model(at: head, checks: true) == second
                #expect(isSame)
                // What a head needs stays raw.
                let kinds = try store.packs().filter { $0.segments == nil && $0.isCold }
                #expect(kinds.allSatisfy { $0.header(0).kind != .segment })
                try expectTrueDepths(store)
            }
        }
    }

    @Test("a damaged segment is named, and mended by the intact bytes")
    func damaged() throws {
        try withStore { store in
            let model = Self.model(3)
            let id = try commit(model, to: store, time: 0).id
            let list = try #require(try store.packs().first { $0.segments != nil })
            let segment = try #require(list.segments?[2])
            try store.damage(segment)
            #expect(try store.faults().contains { $0.contains("damaged on disk") })
            let error = #expect(throws: CambiumError.self) {
                _ = try store.model(at: id, checks: true)
            }
            #expect(error?.code == .corrupt)
            _ = try commit(model, to: store, time: 1)
            let isSame = try store.model(at: id, checks: true) == model
            #expect(isSame)
            #expect(try store.faults().isEmpty)
        }
    }

    @Test("a missing segment, and a list that lies, are faults by name")
    func hostile() throws {
        try withStore { store in
            let id = try commit(Self.model(3), to: store, time: 0).id
            let list = try #require(try store.packs().first { $0.segments != nil })
            let intact = list.record.copy()
            // Bytes of a segment, their number, a depth's neighbour, and an id.
            for offset in [48, 53, 56, 61, 70] {
                var record = intact
                record[offset] ^= 1
                try store.replacePack(list.number, by: record)
                #expect(throws: CambiumError.self) { _ = try store.model(at: id, checks: true) }
                #expect(try !store.faults().isEmpty, "byte \(offset)")
            }
            try store.replacePack(list.number, by: intact)
            #expect(try store.faults().isEmpty)
        }
    }
}
