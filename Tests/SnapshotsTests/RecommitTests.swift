import Elements
import KeyValue
import Objects
import Snapshots
import TestSupport
import Testing

/// What broke: a commit took an object for stored because the index has its name.
///
/// Where its bytes had been damaged, intact ones were dropped, and the new commit could not be read.
/// Now what is reused is compared with what is stored.
@Suite("Committing intact bytes over damage")
struct RecommitTests {
    /// What may be damaged in a model.
    enum Part: String, CaseIterable, Sendable {
        case expert, router, smallTensor, largeTensor, file, layout

        func id(in store: SnapshotStore, _ commit: ObjectID) throws -> ObjectID {
            let tree = try store.tree(store.commit(commit).tree)
            let pool = try #require(tree.layers[1]?.pools[ExpertPool.base])
            return switch self {
            case .expert: try store.experts(of: pool)[42]
            case .router: try #require(pool.router["keys"]?.id)
            case .smallTensor: try #require(tree.trunk.tensors["norm"]?.id)
            case .largeTensor: try #require(tree.trunk.tensors["head"]?.id)
            case .file: try #require(tree.files["config.json"])
            case .layout: try #require(tree.layout)
            }
        }
    }

    private func withHistory(
        _ body: (SnapshotStore, [ObjectID], [SyntheticModel]) throws -> Void
    ) throws {
        try withStore { store in
            var models = [SyntheticModel.sample(experts: 100)]
            for step in 1...3 {
                var model = models[step - 1]
                model.edit(step, seed: step)
                models.append(model)
            }
            let ids = try models.enumerated().map { try store.commit($1, time: Int64($0)).id }
            try body(store, ids, models)
        }
    }

    private func expectModels(
        _ store: SnapshotStore, _ ids: [ObjectID], _ models: [SyntheticModel]
    ) throws {
        for (id, model) in zip(ids, models) {
            let isSame = try store.model(at: id) == model
            #expect(isSame)
        }
        let faults = try store.faults()
        #expect(faults.isEmpty, "\(faults)")
    }

    @Test("mends the whole history, whatever was damaged", arguments: Part.allCases)
    func mends(part: Part) throws {
        try withHistory { store, ids, models in
            try store.damage(part.id(in: store, ids[3]))
            #expect(try !store.faults().isEmpty)
            var next = models[3]
            next.edit(50, seed: 50)
            let outcome = try store.commit(next, time: 10)
            try expectModels(store, ids + [outcome.id], models + [next])
            _ = try store.collect(prune: true, now: 1_000, grace: 0)
            try expectModels(store, ids + [outcome.id], models + [next])
        }
    }

    @Test("mends when the model is the branch's own, and no commit is made")
    func unchanged() throws {
        try withHistory { store, ids, models in
            try store.damage(Part.expert.id(in: store, ids[3]))
            let outcome = try store.commit(models[3], time: 10)
            #expect(outcome.unchanged && outcome.id == ids[3])
            try expectModels(store, ids, models)
        }
    }

    @Test("stores nothing again where nothing is damaged")
    func nothing() throws {
        try withHistory { store, _, models in
            let before = try store.environment.sizes().file
            let outcome = try store.commit(models[3], time: 10)
            #expect(outcome.unchanged && outcome.newObjects == 0)
            #expect(try store.environment.sizes().file == before)
        }
    }

    @Test("is readable at once while somebody has the damaged snapshot mapped, and mends it later")
    func mapped() throws {
        try withHistory { store, ids, models in
            try store.damage(Part.expert.id(in: store, ids[3]))
            let held = try store.map(ids[3])
            let experts = try #require(held.experts(layer: 1, pool: ExpertPool.base))
            #expect(code { try experts.checked(42) } == .corrupt)
            var next = models[3]
            next.edit(50, seed: 50)
            let outcome = try store.commit(next, to: "next", parents: [], time: 10)
            let isSame = try store.model(at: outcome.id) == next
            #expect(isSame)
            // Its array was left alone, but whoever checks finds the copy.
            #expect(try experts.data(42) == models[3].pools[.init(1)]?.experts[42])
            #expect(try !store.faults().isEmpty)
        }
        // Nothing holds the snapshot any more.
        try withHistory { store, ids, models in
            try store.damage(Part.expert.id(in: store, ids[3]))
            var next = models[3]
            next.edit(50, seed: 50)
            let id = try whileMapped(store, ids[3]) {
                try store.commit(next, to: "next", parents: [], time: 10).id
            }
            #expect(try !store.faults().isEmpty)
            try store.commit(next, to: "next", time: 11)
            try expectModels(store, ids + [id], models + [next])
        }
    }

    @Test("a mapped object stays where it is, though another copy took its place")
    func mappedCopy() throws {
        try withHistory { store, ids, models in
            let held = try store.map(ids[0])
            let id = try #require(held.tree.trunk.tensors["head"]?.id)
            try store.damage(id)
            let bytes = try held.object(id).payload
            let before = bytes.copy()
            try store.commit(models[3], time: 10)
            #expect(before != models[0].trunk["head"]?.bytes)
            for step in 0..<3 {
                _ = try store.collect(prune: true, now: 1_000, grace: 0)
                // Would take the place of what was removed.
                var other = models[3]
                other.trunk["head"] = .init([300, 64], seed: 90 + step)
                try store.commit(other, time: 20 + Int64(step))
            }
            #expect(bytes.copy() == before)
            #expect(try held.data(of: id) == models[0].trunk["head"]?.bytes)
        }
    }

    private func whileMapped<Result>(
        _ store: SnapshotStore, _ id: ObjectID, _ body: () throws -> Result
    ) throws -> Result {
        let held = try store.map(id)
        return try withExtendedLifetime(held, body)
    }

    @Test("mends what is stored as differences from a damaged compressed pack")
    func compressed() throws {
        try withScratchDirectory { directory in
            let path = directory + "/store"
            try SnapshotStore.create(at: path)
            var models = [SyntheticModel.sample(experts: 300)]
            for step in 1...3 {
                var model = models[step - 1]
                for ordinal in 0..<300 {
                    guard var bytes = model.pools[.init(1)]?.experts[ordinal] else { continue }
                    for offset in stride(from: 0, to: bytes.count, by: 4) {
                        bytes[offset] &+= UInt8(truncatingIfNeeded: ordinal + offset + step) & 7
                    }
                    model.pools[.init(1)]?.experts[ordinal] = bytes
                }
                models.append(model)
            }
            let ids = try models.enumerated().map {
                try SnapshotStore.open(path).commit($1, time: Int64($0)).id
            }
            _ = try SnapshotStore.repack(path, compress: true)
            let store = try SnapshotStore.open(path)
            // The second version is a difference from the third, and the first from it.
            let tree = try store.tree(store.commit(ids[2]).tree)
            let pool = try #require(tree.layers[1]?.pools[ExpertPool.base])
            let experts = try store.experts(of: pool)
            let location = try store.environment.read { transaction in
                try ObjectReader(transaction).object(experts[7], transaction)
            }
            #expect(!location.isMapped)
            try store.damage(experts[7])
            #expect(code { try store.model(at: ids[0]) } == .corrupt)
            let outcome = try store.commit(models[2], to: "again", parents: [], time: 10)
            for (id, model) in [
                (ids[0], models[0]), (ids[1], models[1]), (ids[3], models[3]),
                (outcome.id, models[2]),
            ] {
                let isSame = try store.model(at: id) == model
                #expect(isSame)
            }
            // The commit itself lay in the pack, and nobody has given it again.
            #expect(code { try store.model(at: ids[2]) } == .corrupt)
            #expect(try !store.faults().isEmpty)
        }
    }

    @Test("damage is neither moved by a collection nor compressed")
    func notMoved() throws {
        try withScratchDirectory { directory in
            let path = directory + "/store"
            try SnapshotStore.create(at: path)
            var damaged = ObjectID.zero
            do {
                let store = try SnapshotStore.open(path)
                var model = SyntheticModel.sample(experts: 300)
                let first = try store.commit(model, time: 1).id
                for ordinal in 0..<150 { model.edit(ordinal, seed: ordinal) }
                try store.commit(model, to: "kept", parents: [], time: 2)
                try store.setHead(.branch("kept"), by: .sample)
                damaged = try Part.smallTensor.id(in: store, first)
                try store.damage(damaged)
                // Half of the first pack is dead now.
                try store.moveReference(.branch, "main", from: first, to: nil, by: .sample)
                let faults = try store.faults()
                do {
                    _ = try store.collect(prune: true, now: 10_000, grace: 0)
                    Issue.record("damage was moved")
                } catch let error as CambiumError {
                    #expect(error.code == .corrupt)
                    #expect(error.message.contains(damaged.short))
                }
                #expect(try store.faults() == faults)
                // Back in history, it would be compressed.
                var next = model
                for ordinal in 0..<300 { next.edit(ordinal, seed: 1_000 + ordinal) }
                next.trunk["norm"] = .init([16], seed: 9)
                try store.commit(next, to: "kept", time: 3)
            }
            do {
                _ = try SnapshotStore.repack(path, compress: true)
                Issue.record("damage was compressed")
            } catch let error as CambiumError {
                #expect(error.code == .corrupt)
                #expect(error.message.contains(damaged.short))
            }
        }
    }
}
