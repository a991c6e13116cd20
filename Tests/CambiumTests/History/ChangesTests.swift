import Elements
import Foundation
import Objects
import Snapshots
import TestSupport
import Testing

@testable import Cambium

@Suite("Changes from commit to commit")
struct ChangesTests {
    /// Holds the change between two commits against their models.
    private func check(
        _ store: Store, _ old: ObjectID, _ new: ObjectID, _ models: [ObjectID: SyntheticModel],
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let (before, after) = (
            Weights(try #require(models[old])), Weights(try #require(models[new]))
        )
        let changes = try store.changes(from: old.hex, to: new.hex)
        var weights = before
        try changes.apply(to: &weights.tensors)
        #expect(
            weights.without(after.holes) == after.without(after.holes),
            sourceLocation: sourceLocation)
        // By hand, into memory of the reader's own.
        var memory = before.tensors
        var (elements, last) = (0, [String: Int]())
        try changes.forEach { change in
            #expect(
                change.kind == .removed || change.shape == after.shapes[change.name]?.dimensions)
            switch change.kind {
            case .removed:
                #expect(after.tensors[change.name] == nil)
                memory[change.name] = nil
                return
            case .whole: memory[change.name] = Array(repeating: 0, count: change.values.count)
            case .elements:
                #expect(
                    !change.indices.isEmpty && change.indices[0] > last[change.name, default: -1])
                #expect(zip(change.indices, change.indices.dropFirst()).allSatisfy { $0 < $1 })
                elements += change.indices.count
                last[change.name] = change.indices.last
            }
            try memory[change.name]?.withRawBytes { (bytes: inout MutableRawSpan) throws in
                try change.apply(to: &bytes)
            }
        }
        #expect(memory == weights.tensors, sourceLocation: sourceLocation)
        #expect(elements == before.differingElements(after), sourceLocation: sourceLocation)
        let isSame = try store.snapshots.commit(old).tree == store.snapshots.commit(new).tree
        #expect(changes.isEmpty == isSame, sourceLocation: sourceLocation)
    }

    @Test(
        "turn any commit's weights into any other's, bit for bit and with no element more",
        arguments: [1, 2, 3])
    func law(_ seed: UInt64) throws {
        try withStore { snapshots in
            let store = Store(snapshots, "")
            var models: [ObjectID: SyntheticModel] = [:]
            var model = ChangingModel(seed: seed)
            var chain: [ObjectID] = []
            for number in 0..<50 {
                if number % 5 == 4 { model.upheaval() } else { model.step() }
                let id = try snapshots.commit(model.model).id
                models[id] = model.model
                chain.append(id)
            }
            // A side branch, a merge of it, and a history of its own.
            var side = ChangingModel(seed: seed + 100)
            side.model = try #require(models[chain[20]])
            for _ in 0..<5 { side.step() }
            let branch = try snapshots.commit(
                side.model, to: "side", parents: [chain[20]], startingBranch: true
            ).id
            models[branch] = side.model
            side.upheaval()
            let merge = try snapshots.commit(side.model, parents: [chain[49], branch]).id
            models[merge] = side.model
            let other = ChangingModel(seed: seed + 200).model
            let unrelated = try snapshots.commit(other, to: "other", parents: []).id
            models[unrelated] = other
            for (old, new) in zip(chain, chain.dropFirst()) { try check(store, old, new, models) }
            var random = SeededGenerator(seed: seed)
            let all = chain + [branch, merge, unrelated]
            for _ in 0..<40 {
                let old = try #require(all.randomElement(using: &random))
                let new = try #require(all.randomElement(using: &random))
                try check(store, old, new, models)
            }
            for id in [branch, merge, unrelated] {
                try check(store, chain[0], id, models)
                try check(store, id, chain[49], models)
            }
        }
    }

    @Test("read nothing of what has the same id, and of what is not asked for")
    func reads() throws {
        try withStore { snapshots in
            let store = Store(snapshots, "")
            var model = ChangingModel(seed: 9)
            let base = try snapshots.commit(model.model).id
            model.model.trunk["trunk.1"]?.bytes[5] ^= 1
            model.model.pools[.init(1)]?.experts[3]?[7] ^= 1
            let step = try snapshots.commit(model.model).id
            let changes = try store.changes(from: base.hex, to: step.hex)
            var seen: [String: [Int]] = [:]
            try changes.forEach { seen[$0.name] = $0.indices }
            #expect(seen == ["trunk.1": [1], "layers.1.weight": [3 * 20 + 2]])
            seen = [:]
            try changes.forEach(where: { $0 == "trunk.1" }) { seen[$0.name] = $0.indices }
            #expect(seen == ["trunk.1": [1]])
            #expect(changes.added.isEmpty && changes.removed.isEmpty && changes.reshaped.isEmpty)
            #expect(changes.besides.isEmpty && !changes.isEmpty)
            let back = try store.changes(from: step.hex, to: base.hex)
            #expect(back.from == step.hex && back.to == base.hex)
        }
    }

    @Test("of a long tensor come in runs, in order")
    func runs() throws {
        try withStore { snapshots in
            let store = Store(snapshots, "")
            var model = SyntheticModel()
            let count = 9 << 20
            model.trunk["long"] = SyntheticModel.Tensor(
                TensorShape(.u8, [count]), [UInt8](repeating: 0, count: count))
            let base = try snapshots.commit(model).id
            let old = try #require(model.trunk["long"]?.bytes)
            let elements = [0, 4 << 20 - 1, 4 << 20, 5 << 20, count - 1]
            for element in elements { model.trunk["long"]?.bytes[element] = 7 }
            let step = try snapshots.commit(model).id
            var runs: [[Int]] = []
            let changes = try store.changes(from: base.hex, to: step.hex)
            try changes.forEach { runs.append($0.indices) }
            #expect(runs.count == 3 && runs.flatMap { $0 } == elements)
            var weights = ["long": old]
            try changes.apply(to: &weights)
            #expect(weights["long"] == model.trunk["long"]?.bytes)
        }
    }

    @Test("tell what is new, gone, of another shape, or no tensor at all")
    func kinds() throws {
        try withStore { snapshots in
            let store = Store(snapshots, "")
            var model = ChangingModel(seed: 10)
            let base = try snapshots.commit(model.model).id
            model.model.trunk["trunk.0"]?.shape = TensorShape(.f16, [13, 3])
            model.model.trunk["trunk.1"] = nil
            model.model.trunk["fresh"] = SyntheticModel.Tensor([2], seed: 1)
            model.model.pools[.init(0)]?.experts[4] = nil
            model.model.pools[.init(0)]?.experts.append(noise(43, 5))
            model.model.files["config.json"] = []
            let step = try snapshots.commit(model.model).id
            let changes = try store.changes(from: base.hex, to: step.hex)
            let added = ["layers.0.experts.20.scale", "layers.0.experts.20.weight"]
            #expect(changes.added == ["fresh"] + added)
            let removed = ["layers.0.experts.4.scale", "layers.0.experts.4.weight", "trunk.1"]
            #expect(changes.removed == removed)
            #expect(changes.reshaped == ["trunk.0"])
            #expect(changes.addedExperts == ["0/20"] && changes.removedExperts == ["0/4"])
            #expect(changes.besides == ["the file config.json"])
            var kinds: [String: TensorChange.Kind] = [:]
            try changes.forEach { kinds[$0.name] = $0.kind }
            #expect(kinds["trunk.0"] == .whole && kinds["trunk.1"] == .removed)
        }
    }

    @Test("are not applied to weights that are not the older commit's, and nothing is changed then")
    func misfits() throws {
        try withStore { snapshots in
            let store = Store(snapshots, "")
            var model = ChangingModel(seed: 11)
            let base = try snapshots.commit(model.model).id
            let weights = Weights(model.model).tensors
            model.step()
            let step = try snapshots.commit(model.model).id
            let changes = try store.changes(from: base.hex, to: step.hex)
            var missing = weights
            missing["long"] = nil
            let expected = missing
            var error = #expect(throws: CambiumError.self) { try changes.apply(to: &missing) }
            #expect(error?.code == .notFound && error?.message.contains("'long'") == true)
            #expect(missing == expected)
            var short = weights
            short["long"]?.removeLast()
            error = #expect(throws: CambiumError.self) { try changes.apply(to: &short) }
            #expect(error?.code == .badShape && error?.message.contains("'long'") == true)
            var memory: [UInt8] = [1, 2]
            #expect(throws: CambiumError.self) {
                try changes.forEach(where: { $0 == "long" }) { change in
                    try memory.withRawBytes { (bytes: inout MutableRawSpan) throws in
                        try change.apply(to: &bytes)
                    }
                }
            }
            #expect(memory == [1, 2])
            #expect(throws: CambiumError.self) { try store.changes(from: "nothing", to: base.hex) }
        }
    }

    @Test("do not give out what was damaged on disk")
    func damaged() throws {
        try withScratchDirectory { directory in
            try SnapshotStore.create(at: directory + "/S")
            var model = ChangingModel(seed: 12)
            let marker = noise(12_000, 77)
            do {
                let snapshots = try SnapshotStore.open(directory + "/S")
                _ = try snapshots.commit(model.model)
                model.model.trunk["long"]?.bytes = marker
                _ = try snapshots.commit(model.model)
            }
            let path = directory + "/S/data.mdb"
            var file = try bytes(path)
            let place = try #require(file.range(of: Data(marker.prefix(64))))
            file[place.lowerBound + 6_000] ^= 1
            try file.write(to: URL(filePath: path))
            let store = try Store(directory + "/S")
            let changes = try store.changes(from: "main~1", to: "main")
            let error = #expect(throws: CambiumError.self) { try changes.forEach { _ in } }
            #expect(error?.code == .corrupt)
            let target = directory + "/patch.safetensors"
            #expect(throws: CambiumError.self) { try changes.write(to: target) }
            #expect(!FileManager.default.fileExists(atPath: target))
        }
    }
}
