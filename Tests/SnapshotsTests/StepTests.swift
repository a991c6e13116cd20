import Elements
import KeyValue
import Objects
import Snapshots
import TestSupport
import Testing

/// Commits that change a little of everything.
@Suite("Steps")
struct StepTests {
    /// Versions of a model, each a small step from the one before.
    private static func models(_ count: Int, every distance: Int = 100) -> [SyntheticModel] {
        var models = [SyntheticModel.sample(experts: 120)]
        for step in 1..<count {
            var next = models[step - 1]
            next.step(seed: step, every: distance)
            models.append(next)
        }
        return models
    }

    private func write(_ models: [SyntheticModel], to store: SnapshotStore) throws -> [ObjectID] {
        try models.enumerated().map { try store.commit($1, time: Int64($0)).id }
    }

    private func expect(
        _ store: SnapshotStore, _ ids: [ObjectID], _ models: [SyntheticModel]
    ) throws {
        for (id, model) in zip(ids, models) {
            let isSame = try store.model(at: id, checks: true) == model
            #expect(isSame)
        }
        #expect(try store.faults().isEmpty)
    }

    @Test("a step costs what changed, and every version comes back")
    func costs() throws {
        try withScratchDirectory { directory in
            let path = directory + "/store"
            try SnapshotStore.create(at: path)
            let models = Self.models(40)
            var ids: [ObjectID] = []
            var sizes: [Int] = []
            do {
                let store = try SnapshotStore.open(path)
                for (number, model) in models.enumerated() {
                    let before = try store.packs().map(\.record.count).reduce(0, +)
                    let outcome = try store.commit(model, time: Int64(number))
                    ids.append(outcome.id)
                    sizes.append(try store.packs().map(\.record.count).reduce(0, +) - before)
                    #expect(outcome.storedBytes == sizes[number])
                }
                try expect(store, ids, models)
            }
            // One byte in 100 changed; a step of 16 of them holds 15.
            let whole = sizes[0]
            for number in 1..<40 {
                #expect(sizes[number] * (number % 16 == 0 ? 2 : 4) < whole, "step \(number)")
            }
            let depths = try SnapshotStore.open(path).packs().map(\.notedDepth)
            #expect((depths.max() ?? 0) > 10 && (depths.max() ?? 0) <= 17)
            try expect(try SnapshotStore.open(path), ids, models)
        }
    }

    @Test("the ids are those of a store without differences")
    func sameIds() throws {
        let models = Self.models(5)
        try withStore { stepwise in
            let ids = try write(models, to: stepwise)
            try withStore { other in
                // Committed from the last to the first, each on no parent: nothing to differ from.
                for (number, model) in models.enumerated().reversed() {
                    let outcome = try other.commit(
                        model, to: "b\(number)", parents: [], time: Int64(number))
                    #expect(try stepwise.commit(ids[number]).tree == outcome.tree)
                }
                #expect(try other.packs().allSatisfy { !$0.isCold })
            }
        }
    }

    @Test("objects of which much changed are kept raw beside those of which little did")
    func mixed() throws {
        try withStore { store in
            var models = [SyntheticModel.sample(experts: 120)]
            for step in 1..<20 {
                var next = models[step - 1]
                if step % 3 == 0 { next.step(seed: step, every: 80) }
                for ordinal in stride(from: step, to: 120, by: 3) { next.edit(ordinal, seed: step) }
                if step % 4 == 0 { next.trunk["head"] = .init([300, 64], seed: step) }
                if step == 7 { next.pools[.init(1)]?.experts[20] = nil }
                if step == 9 { next.pools[.init(1)]?.experts.append(noise(128, 9)) }
                models.append(next)
            }
            try expect(store, try write(models, to: store), models)
        }
    }

    @Test("an object that changes now and then is reached over few differences")
    func rare() throws {
        try withStore { store in
            var model = SyntheticModel.sample(experts: 40)
            model.trunk["wide"] = .init([200, 128], seed: 5)
            var models = [model]
            for step in 1..<80 {
                if step % 7 == 3 {
                    model.trunk["wide"]?.bytes[step * 4] &+= 1
                } else {
                    model.trunk["head"]?.bytes[step * 8] &+= 1
                }
                models.append(model)
            }
            try expect(store, try write(models, to: store), models)
            #expect(try store.packs().allSatisfy { $0.notedDepth <= 40 })
        }
    }

    @Test("a collection keeps what live versions are differences from, and repack too")
    func collected() throws {
        try withScratchDirectory { directory in
            let path = directory + "/store"
            try SnapshotStore.create(at: path)
            let models = Self.models(24)
            var ids: [ObjectID] = []
            do {
                let store = try SnapshotStore.open(path)
                ids = try write(models, to: store)
                // A branch without history: of the others only what it is a difference from is needed.
                try store.createReference(.branch, "kept", at: ids[20], by: .sample)
                _ = try store.commit(models[23], to: "alone", parents: [], time: 99)
                _ = try store.collect(prune: true, now: 10_000, grace: 0)
                try expect(store, ids, models)
            }
            for compress in [false, true, true] {
                _ = try SnapshotStore.repack(path, compress: compress)
                try expect(try SnapshotStore.open(path), ids, models)
            }
        }
    }

    @Test("damage of what others are differences from is named, and served to nobody")
    func damaged() throws {
        try withStore { store in
            let models = Self.models(6)
            let ids = try write(models, to: store)
            let first = try #require(
                try store.packs().first { $0.predecessors.isEmpty && $0.count > 50 })
            var record = first.record.copy()
            record[70] ^= 1
            try store.replacePack(first.number, by: record)
            let faults = try store.faults()
            #expect(faults.contains { $0.contains("damaged on disk") })
            let error = #expect(throws: CambiumError.self) {
                _ = try store.model(at: ids[5], checks: true)
            }
            #expect(error?.code == .corrupt)
            // The intact bytes, committed again, mend all that was built on them.
            _ = try store.commit(models[0], to: "again", parents: [], time: 77)
            try expect(store, ids, models)
        }
    }

    @Test("a missing predecessor is a fault by name")
    func missing() throws {
        try withStore { store in
            let models = Self.models(4)
            let ids = try write(models, to: store)
            let step = try #require(try store.packs().last { !$0.predecessors.isEmpty })
            let base = try #require(step.predecessors.first)
            let lost = try #require(
                try store.packs().first { pack in
                    (0..<pack.count).contains { pack.id($0) == base.id }
                })
            try store.losePack(UInt64(lost.number))
            #expect(throws: CambiumError.self) { _ = try store.model(at: ids[3], checks: true) }
            #expect(try !store.faults().isEmpty)
        }
    }

    @Test("steps on both sides merge, and a revert is stored once")
    func merged() throws {
        try withStore { store in
            let base = SyntheticModel.sample(experts: 120)
            let root = try store.commit(base, time: 0).id
            var left = base
            for ordinal in 0..<60 { left.pools[.init(1)]?.experts[ordinal]?[3] &+= 1 }
            var right = base
            for ordinal in 60..<120 { right.pools[.init(1)]?.experts[ordinal]?[5] &+= 1 }
            _ = try store.commit(left, time: 1)
            let side = try store.commit(
                right, to: "side", parents: [root], time: 2, startingBranch: true
            ).id
            let outcome = try store.merge(
                [side], into: "main", policy: nil, note: .sample(time: 3, "merge"))
            var both = left
            for ordinal in 60..<120 {
                both.pools[.init(1)]?.experts[ordinal] = right.pools[.init(1)]?.experts[ordinal]
            }
            let merged = try #require(outcome.commit)
            let isSame = try store.model(at: merged, checks: true) == both
            #expect(isSame)
            let before = try store.packs().map(\.count).reduce(0, +)
            _ = try store.commit(base, time: 4)
            // Its experts are stored: only records are new.
            #expect(try store.packs().map(\.count).reduce(0, +) - before < 8)
            #expect(try store.faults().isEmpty)
        }
    }
}
