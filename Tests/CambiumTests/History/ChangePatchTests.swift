import CheckpointSupport
import Elements
import Foundation
import Objects
import Snapshots
import TestSupport
import Testing

@testable import Cambium

/// A patch file of a change, committed on the older commit, gives the newer one's tree.
@Suite("Patch files of changes")
struct ChangePatchTests {
    /// Writes the change as a file, commits it on a new branch at the older commit, and gives what it holds.
    private func roundTrip(
        _ store: Store, _ old: String, _ new: String, _ directory: String, _ number: Int = 0
    ) throws -> PatchResult {
        let path = "\(directory)/\(number).safetensors"
        let result = try store.changes(from: old, to: new).write(to: path)
        try store.createBranch("at\(number)", at: old, Checkpoints.signature)
        let commit = try store.commit(
            patchFile: path, Checkpoints.options("patch", branch: "at\(number)"))
        #expect(try commit.tree == store.snapshots.commit(store.id(new)).tree.hex)
        return result
    }

    @Test("of steps and what lies between them, in every form", arguments: [4, 5])
    func steps(_ seed: UInt64) throws {
        try withScratchDirectory { directory in
            try Store.create(at: directory + "/S")
            let store = try Store(directory + "/S")
            var model = ChangingModel(seed: seed)
            var ids: [String] = []
            for number in 0..<12 {
                model.step()
                // All of a tensor, and of an expert in each spelling.
                if number % 4 == 2 {
                    model.model.trunk["long"]?.bytes = noise(12_000, number)
                    for layer in [UInt32(0), 1] {
                        model.model.pools[.init(layer)]?.experts[number] = noise(43, number)
                    }
                }
                ids.append(try store.snapshots.commit(model.model).id.hex)
            }
            var number = 0
            for (old, new) in [(0, 1), (1, 2), (0, 11), (11, 3), (5, 6), (2, 10)] {
                let result = try roundTrip(store, ids[old], ids[new], directory, number)
                #expect(result.sparse > 10 && result.elements > 100)
                // Elements narrower than a byte come whole.
                #expect(result.whole >= 1)
                number += 1
            }
            let none = try roundTrip(store, ids[3], ids[3], directory, number)
            #expect(none.elements == 0 && none.sparse == 0 && none.whole == 0)
            #expect(try store.verify().faults.isEmpty)
        }
    }

    @Test(
        "of real layouts: separate, fused and stacked experts",
        arguments: ["hf/olmoe/model", "hf/olmoe/model_fused", "hf/gpt_oss/model", "peer-lm/base"])
    func layouts(_ name: String) throws {
        try withScratchDirectory { directory in
            try Store.create(at: directory + "/S")
            let store = try Store(directory + "/S")
            _ = try store.commit(checkpoint: Checkpoints.path(name), Checkpoints.options("base"))
            let layer = try #require(store.list("main").layers.last?.layer)
            var bytes = try store.expert("main", "\(layer)/1").data
            bytes[1] ^= 1
            bytes[bytes.count - 2] ^= 3
            try store.commit(Checkpoints.options("some")) { patch in
                try patch.put(expert: 1, layer: layer, bytes)
            }
            let all = bytes.map { ~$0 }
            try store.commit(Checkpoints.options("all")) { patch in
                try patch.put(expert: 2, layer: layer, all)
            }
            let some = try roundTrip(store, "main~2", "main~1", directory, 0)
            #expect(some.elements == 2 && some.whole == 0)
            let whole = try roundTrip(store, "main~2", "main", directory, 1)
            #expect(whole.elements > some.elements)
            let back = try roundTrip(store, "main", "main~2", directory, 2)
            #expect(back.elements == whole.elements)
        }
    }

    @Test(
        "an expert that was removed comes back by a file; what a file cannot say is refused by name"
    )
    func refusals() throws {
        try withScratchDirectory { directory in
            try Store.create(at: directory + "/S")
            let store = try Store(directory + "/S")
            let base = ChangingModel(seed: 6)
            func commit(_ edit: (inout SyntheticModel) -> Void) throws -> String {
                var model = base.model
                edit(&model)
                return try store.snapshots.commit(model).id.hex
            }
            let whole = try commit { _ in }
            let less = try commit { model in
                for layer in [UInt32(0), 1] { model.pools[.init(layer)]?.experts[5] = nil }
            }
            _ = try roundTrip(store, less, whole, directory)
            // With a hole, a stacked tensor is told by its elements even when all of them changed.
            let other = try commit { model in
                for layer in [UInt32(0), 1] {
                    for ordinal in 0..<20 {
                        model.pools[.init(layer)]?.experts[ordinal] =
                            ordinal == 5 ? nil : noise(43, ordinal)
                    }
                }
            }
            _ = try roundTrip(store, less, other, directory, 1)
            let cases: [(String, String)] = [
                (less, "expert 0/5 was removed"),
                (try commit { $0.pools[.init(1)]?.experts.append(noise(43, 1)) }, "1/20 was added"),
                (try commit { $0.files["config.json"] = [1] }, "the file config.json changed"),
                (try commit { $0.trunk["trunk.1"] = nil }, "tensor trunk.1 is gone"),
                (try commit { $0.trunk["more"] = $0.trunk["long"] }, "tensor more is new"),
                (
                    try commit { $0.trunk["long"]?.shape = TensorShape(.f16, [6_000]) },
                    "tensor long has another shape"
                ),
                (try commit { $0.architecture = "other" }, "the architecture changed"),
                (
                    try commit { $0.layout?.pools[0].tensors[0].template = "e.{e}.s" },
                    "the layout: names"
                ),
            ]
            let path = directory + "/refused.safetensors"
            for (id, words) in cases {
                let error = #expect(throws: CambiumError.self) {
                    try store.changes(from: whole, to: id).write(to: path)
                }
                #expect(error?.code == .unsupported)
                #expect(error?.message.contains(words) == true, "\(error?.message ?? "")")
                #expect(!FileManager.default.fileExists(atPath: path))
            }
        }
    }

    @Test("a tensor beside one that is named like its indices is told whole")
    func ownNames() throws {
        try withScratchDirectory { directory in
            try Store.create(at: directory + "/S")
            let store = try Store(directory + "/S")
            var model = ChangingModel(seed: 7)
            model.model.trunk["long.index"] = SyntheticModel.Tensor([2], seed: 3)
            model.model.trunk["trunk.1.rows"] = SyntheticModel.Tensor([2], seed: 4)
            _ = try store.snapshots.commit(model.model)
            model.step()
            model.model.trunk["long.index"]?.bytes[0] ^= 1
            model.model.trunk["trunk.1"] = SyntheticModel.Tensor([13, 4], seed: 8)
            model.model.trunk["trunk.1.rows"]?.bytes[1] ^= 1
            _ = try store.snapshots.commit(model.model)
            let result = try roundTrip(store, "main~1", "main", directory)
            #expect(result.whole >= 3)
        }
    }

    @Test("a file that is there is kept unless told otherwise, and a failure leaves nothing")
    func files() throws {
        try withScratchDirectory { directory in
            try Store.create(at: directory + "/S")
            let store = try Store(directory + "/S")
            var model = ChangingModel(seed: 8)
            _ = try store.snapshots.commit(model.model)
            model.step()
            _ = try store.snapshots.commit(model.model)
            let changes = try store.changes(from: "main~1", to: "main")
            let path = directory + "/patch.safetensors"
            try Data("mine".utf8).write(to: URL(filePath: path))
            var error = #expect(throws: CambiumError.self) { try changes.write(to: path) }
            #expect(error?.code == .exists && error?.message.contains("--force") == true)
            struct Stop: Error {}
            #expect(throws: Stop.self) {
                try changes.write(to: path, overwrite: true) { progress in
                    if progress.phase == "tensors written" { throw Stop() }
                }
            }
            #expect(try bytes(path) == Data("mine".utf8))
            let result = try changes.write(to: path, overwrite: true)
            #expect(try bytes(path).count > result.bytes && result.file == path)
            error = #expect(throws: CambiumError.self) { try changes.write(to: directory) }
            #expect(error?.code == .exists && error?.message.contains("is a folder") == true)
            error = #expect(throws: CambiumError.self) { try changes.write(to: "") }
            #expect(error?.code == .usage)
            error = #expect(throws: CambiumError.self) {
                try changes.write(to: directory + "/none/patch.safetensors")
            }
            #expect(error?.code == .notFound)
            let left = try FileManager.default.contentsOfDirectory(atPath: directory)
            #expect(left.sorted() == ["S", "patch.safetensors"])
        }
    }
}
