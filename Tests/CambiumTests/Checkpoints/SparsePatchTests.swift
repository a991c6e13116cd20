import CheckpointSupport
import Foundation
import Snapshots
import TestSupport
import Testing

@testable import Cambium

/// A patch of single elements gives what a commit of the whole changed checkpoint gives: the same tree.
@Suite("Patches of single elements")
struct SparsePatchTests {
    private let down = "model.layers.0.peer.down.weight"
    private let up = "model.layers.0.peer.up.weight"
    private let norm = "model.norm.weight"

    private func withBase(
        _ edit: (inout TinyCheckpoint) -> Void = { _ in }, _ body: (Store, String) throws -> Void
    ) throws {
        try withScratchDirectory { directory in
            try Store.create(at: directory + "/S")
            let store = try Store(directory + "/S")
            var checkpoint = TinyCheckpoint()
            edit(&checkpoint)
            let base = try checkpoint.write(to: directory + "/base")
            _ = try store.commit(checkpoint: base, Checkpoints.options("base"))
            try body(store, directory)
        }
    }

    @Test("elements of stacked experts, a router and the trunk, by indices of either width")
    func elements() throws {
        try withBase { store, directory in
            var checkpoint = TinyCheckpoint()
            func set(_ name: String, _ changes: [Int: Float]) {
                for index in checkpoint.tensors.indices where checkpoint.tensors[index].name == name
                {
                    for (element, value) in changes {
                        checkpoint.tensors[index].values[element] = value
                    }
                }
            }
            set(down, [0: 5, 9: -5, 127: 6])
            set(up, [9: 4])
            set("model.layers.0.peer.sub_keys", [17: 2])
            set(norm, [0: 0.5, 7: -0.0])
            try store.createBranch("whole", at: "main", Checkpoints.signature)
            let expected = try store.commit(
                checkpoint: checkpoint.write(to: directory + "/whole"),
                Checkpoints.options("whole", branch: "whole")
            ).tree
            let path = try PatchTensor.write(
                [
                    PatchTensor(index: down, [0, 9, 127]), PatchTensor(value: down, [5, -5, 6]),
                    PatchTensor(wideIndex: up, [9], "I64"), PatchTensor(value: up, [4]),
                    PatchTensor(wideIndex: "model.layers.0.peer.sub_keys", [17]),
                    PatchTensor(value: "model.layers.0.peer.sub_keys", [2]),
                    PatchTensor(index: norm, [0, 7], "I32"), PatchTensor(value: norm, [0.5, -0.0]),
                ], directory)
            let result = try store.commit(patchFile: path, Checkpoints.options("step"))
            #expect(result.tree == expected)
            #expect(try store.commit(patchFile: path, Checkpoints.options("again")).unchanged)
            let reopened = try Store(directory + "/S")
            #expect(try reopened.diff(from: "main~1", to: "main").pools.map(\.changed.count) == [3])
            #expect(try reopened.verify().faults.isEmpty)
        }
    }

    @Test(
        "elements of experts in a tensor each, and of fused ones, give one tree's experts",
        arguments: ["hf/olmoe/model", "hf/qwen3_moe/model_bf16", "hf/olmoe/model_fused"])
    func spellings(_ name: String) throws {
        try withScratchDirectory { directory in
            try Store.create(at: directory + "/S")
            let store = try Store(directory + "/S")
            var raw = try RawCheckpoint(Checkpoints.path(name))
            _ = try store.commit(
                checkpoint: Checkpoints.path(name), Checkpoints.options("base"))
            var random = SeededGenerator(seed: 7)
            var patch: [PatchTensor] = []
            for (number, tensor) in raw.tensors.enumerated()
            where tensor.name.contains("experts") && number % 3 == 0 {
                let width = tensor.type == "BF16" ? 2 : 4
                let count = tensor.data.count / width
                let elements = Set((0..<5).map { _ in Int.random(in: 0..<count, using: &random) })
                    .sorted()
                var data = tensor.data
                var values: [UInt8] = []
                for element in elements {
                    let value = random.bytes(width)
                    data.replaceSubrange((element * width)..<((element + 1) * width), with: value)
                    values += value
                }
                raw.tensors[number] = RawCheckpoint.Tensor(
                    name: tensor.name, type: tensor.type, shape: tensor.shape, data: data)
                patch.append(PatchTensor(index: tensor.name, elements.map { UInt32($0) }))
                patch.append(
                    PatchTensor(tensor.name + ".value", tensor.type, [elements.count], values))
            }
            #expect(patch.count > 2)
            let path = try PatchTensor.write(patch, directory)
            let step = try store.commit(patchFile: path, Checkpoints.options("step"))
            let whole = try store.commit(
                checkpoint: raw.write(to: directory + "/whole"), Checkpoints.options("whole"))
            #expect(!step.unchanged && whole.tree == step.tree)
        }
    }

    @Test("no element is no change, of a tensor that is there")
    func nothing() throws {
        try withBase { store, directory in
            let path = try PatchTensor.write(
                [
                    PatchTensor(index: down, []), PatchTensor(value: down, []),
                    PatchTensor(index: norm, []), PatchTensor(value: norm, []),
                ], directory)
            #expect(try store.commit(patchFile: path, Checkpoints.options("step")).unchanged)
            let empty = try PatchTensor.write([], directory)
            #expect(try store.commit(patchFile: empty, Checkpoints.options("step")).unchanged)
        }
    }

    @Test("a tensor that is named like indices is replaced as a whole")
    func ownNames() throws {
        try withBase { checkpoint in
            checkpoint.tensors.append((norm + ".index", [3], [1, 2, 3]))
            checkpoint.tensors.append(("other.value", [2], [1, 2]))
        } _: { store, directory in
            let path = try PatchTensor.write(
                [
                    PatchTensor(norm + ".index", [3], [4, 5, 6]),
                    PatchTensor("other.value", [2], [7, 8]),
                    PatchTensor(norm, [8], Array(repeating: 2, count: 8)),
                ], directory)
            try store.commit(patchFile: path, Checkpoints.options("step"))
            let index = try store.data("main", named: norm + ".index")
            #expect(index == [4, 5, 6].flatMap { littleEndian(Float($0).bitPattern) })
            let sparse = try PatchTensor.write(
                [PatchTensor(norm + ".index", [3], [0, 0, 0]), PatchTensor(value: norm, [1])],
                directory)
            let error = #expect(throws: CambiumError.self) {
                try store.commit(patchFile: sparse, Checkpoints.options("bad"))
            }
            #expect(error?.message.contains("a tensor of the model itself") == true)
        }
    }

    @Test("of an expert that was removed all elements are needed")
    func removed() throws {
        try withBase { store, directory in
            let before = try store.tree("main").layers
            try store.commit(Checkpoints.options("less")) { patch in
                try patch.remove(expert: 3, layer: 0)
            }
            let all = (24..<32).map { UInt32($0) }
            func values(_ name: String) throws -> [Float] {
                TinyCheckpoint().tensors.first { $0.name == name }.map { Array($0.values[24..<32]) }
                    ?? []
            }
            let some = try PatchTensor.write(
                [
                    PatchTensor(index: down, all), PatchTensor(value: down, values(down)),
                    PatchTensor(index: up, [24]), PatchTensor(value: up, [1]),
                ], directory)
            let error = #expect(throws: CambiumError.self) {
                try store.commit(patchFile: some, Checkpoints.options("bad"))
            }
            #expect(error?.code == .badShape && error?.message.contains("expert 3") == true)
            let whole = try PatchTensor.write(
                [
                    PatchTensor(index: down, all), PatchTensor(value: down, values(down)),
                    PatchTensor(index: up, all), PatchTensor(value: up, values(up)),
                ], directory)
            try store.commit(patchFile: whole, Checkpoints.options("again"))
            #expect(try store.tree("main").layers == before)
        }
    }

    private func refused() -> [(tensors: [PatchTensor], code: CambiumError.Code, words: String)] {
        let one = PatchTensor(value: norm, [1])
        let two = PatchTensor(value: norm, [1, 2])
        return [
            ([PatchTensor(index: norm, [8]), one], .badShape, "names element 8, but"),
            ([PatchTensor(index: norm, [8]), one], .badShape, "has 8"),
            (
                [PatchTensor(index: down, [128]), PatchTensor(value: down, [1])], .badShape,
                "has 128"
            ),
            (
                [PatchTensor(wideIndex: norm, [-1]), one], .badShape,
                "names element 18446744073709551615"
            ),
            (
                [PatchTensor(wideIndex: norm, [-1], "I64"), one], .badShape,
                "element -1; indices are"
            ),
            (
                [PatchTensor(index: norm, [UInt32.max], "I32"), one], .badShape,
                "element -1; indices are"
            ),
            ([PatchTensor(index: norm, [3, 3]), two], .badShape, "names element 3 twice"),
            ([PatchTensor(index: norm, [4, 3]), two], .badShape, "names element 3 after 4"),
            ([PatchTensor(index: norm, [4]), two], .badShape, "one value is expected for each"),
            ([PatchTensor(norm + ".index", [1], [4]), one], .badShape, "flat indices are U32[k]"),
            (
                [PatchTensor(norm + ".index", "U32", [1, 1], [0, 0, 0, 0]), one], .badShape,
                "flat indices are U32[k]"
            ),
            (
                [
                    PatchTensor(index: norm, [4]),
                    PatchTensor(norm + ".value", "BF16", [1], [0, 0]),
                ],
                .badShape, "values have the dtype"
            ),
            (
                [PatchTensor(index: up, [4]), PatchTensor(up + ".value", "BF16", [1], [0, 0])],
                .badShape, "values have the dtype"
            ),
            (
                [PatchTensor(index: norm, []), PatchTensor(norm + ".value", "F64", [0], [])],
                .badShape, "values have the dtype"
            ),
            ([PatchTensor(index: norm, [4])], .badShape, "norm.weight.value, are missing"),
            ([one], .badShape, "norm.weight.index, are missing"),
            ([PatchTensor(value: down, [1])], .badShape, "down.weight.index, are missing"),
            (
                [PatchTensor(index: "nowhere", [4]), PatchTensor(value: "nowhere", [1])],
                .notFound, "no tensor 'nowhere'"
            ),
            ([PatchTensor(index: "nowhere", [4])], .notFound, "no tensor 'nowhere.index'"),
            ([PatchTensor(value: "nowhere", [4])], .notFound, "no tensor 'nowhere.value'"),
            (
                [
                    PatchTensor(norm, [8], Array(repeating: 1, count: 8)),
                    PatchTensor(index: norm, [4]), one,
                ], .badShape, "give it whole, or rows of it"
            ),
            (
                [PatchTensor(rows: norm, [1]), PatchTensor(index: norm, [4]), one], .badShape,
                "are missing"
            ),
        ]
    }

    @Test("what does not fit is refused by name, and the store stays as it was")
    func refusals() throws {
        try withBase { store, directory in
            let head = try store.log().first?.id
            for (tensors, code, words) in refused() {
                let path = try PatchTensor.write(tensors, directory)
                var thrown: CambiumError?
                do {
                    _ = try store.commit(patchFile: path, Checkpoints.options("bad"))
                } catch let error as CambiumError {
                    thrown = error
                }
                #expect(thrown?.code == code, "\(words): \(thrown?.message ?? "taken")")
                #expect(thrown?.message.contains(words) == true, "\(thrown?.message ?? "taken")")
            }
            #expect(try store.log().first?.id == head)
            #expect(try store.verify().faults.isEmpty)
        }
    }

    @Test("a file that ends early commits nothing, wherever it ends")
    func truncated() throws {
        try withBase { store, directory in
            let path = try PatchTensor.write(
                [PatchTensor(index: norm, [1, 2]), PatchTensor(value: norm, [1, 2])], directory)
            let whole = try bytes(path)
            for count in stride(from: 0, to: whole.count, by: 7) {
                try whole.prefix(count).write(to: URL(filePath: path))
                #expect(throws: CambiumError.self) {
                    try store.commit(patchFile: path, Checkpoints.options("bad"))
                }
            }
            #expect(try store.log().count == 1)
        }
    }
}
