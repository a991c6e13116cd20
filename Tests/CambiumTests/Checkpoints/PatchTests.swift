import Foundation
import TestSupport
import Testing

@testable import Cambium

/// A patch gives what a commit of the whole changed checkpoint gives: the same tree.
@Suite("Patches")
struct PatchTests {
    private let down = "model.layers.0.peer.down.weight"
    private let up = "model.layers.0.peer.up.weight"
    private let keys = "model.layers.0.peer.sub_keys"

    /// A store with the tiny checkpoint on main; its path, and a directory for files.
    private func withBase(_ body: (Store, String) throws -> Void) throws {
        try withScratchDirectory { directory in
            let store = try Checkpoints.tinyStore(in: directory)
            try body(store, directory)
        }
    }

    /// The tree of a whole checkpoint that differs from the base as told.
    private func tree(
        _ store: Store, _ directory: String, _ change: (inout TinyCheckpoint) -> Void
    ) throws -> String {
        var checkpoint = TinyCheckpoint()
        change(&checkpoint)
        let path = try checkpoint.write(to: directory + "/whole")
        try store.createBranch("whole", at: "main", Checkpoints.signature)
        return try store.commit(
            checkpoint: path, Checkpoints.options("whole", branch: "whole")
        ).tree
    }

    @Test("rows of stacked experts and of a router give the tree of the whole checkpoint")
    func rows() throws {
        try withBase { store, directory in
            let expected = try tree(store, directory) { checkpoint in
                checkpoint.setExpert(3, to: 0.5)
                checkpoint.setExpert(12, to: -2)
                for index in checkpoint.tensors.indices
                where checkpoint.tensors[index].name == keys {
                    for column in 16..<32 { checkpoint.tensors[index].values[column] = 7 }
                }
            }
            let values = [Float](repeating: -2, count: 8) + [Float](repeating: 0.5, count: 8)
            let path = try PatchTensor.write(
                [
                    PatchTensor(down, [2, 8], values), PatchTensor(rows: down, [12, 3]),
                    PatchTensor(up, [2, 8], values), PatchTensor(rows: up, [12, 3]),
                    PatchTensor(keys, [1, 4, 4], Array(repeating: 7, count: 16)),
                    PatchTensor(rows: keys, [1]),
                ], directory)
            let result = try store.commit(patchFile: path, Checkpoints.options("patch"))
            #expect(result.tree == expected)
            #expect(result.newExperts == 0, "the whole checkpoint stored them")
            #expect(result.experts == 16 && result.architecture == "peer-lm")
            let again = try store.commit(patchFile: path, Checkpoints.options("again"))
            #expect(again.unchanged)
        }
    }

    @Test("a part of an expert keeps its other parts, and whole tensors replace whole ones")
    func parts() throws {
        try withBase { store, directory in
            let expected = try tree(store, directory) { checkpoint in
                for index in checkpoint.tensors.indices {
                    if checkpoint.tensors[index].name == up {
                        for column in 40..<48 { checkpoint.tensors[index].values[column] = 9 }
                    }
                    if checkpoint.tensors[index].name == "model.norm.weight" {
                        checkpoint.tensors[index].values = Array(repeating: 3, count: 8)
                    }
                }
            }
            let path = try PatchTensor.write(
                [
                    PatchTensor(up, [1, 8], Array(repeating: 9, count: 8)),
                    PatchTensor(rows: up, [5]),
                    PatchTensor("model.norm.weight", [8], Array(repeating: 3, count: 8)),
                ], directory)
            #expect(
                try store.commit(patchFile: path, Checkpoints.options("patch")).tree == expected)
        }
    }

    @Test("a patch from Swift commits, exports and reopens")
    func swift() throws {
        try withBase { store, directory in
            let expert = (0..<16).flatMap { littleEndian(Float($0).bitPattern) }
            let result = try store.commit(
                Checkpoints.options("round 1", branch: "round")
            ) { patch in
                try patch.put(expert: 7, layer: 0, expert)
            }
            #expect(result.newExperts == 1 && result.startedBranch)
            let difference = try store.diff(from: "main", to: "round")
            #expect(difference.pools.map(\.changed.count) == [1])
            #expect(try store.expert("round", "0/7").data == expert)
            _ = try store.export("round", to: directory + "/out")
            try store.commit(
                checkpoint: directory + "/out", Checkpoints.options("same", branch: "copy"))
            #expect(try store.tree("copy") == store.tree("round"))
            #expect(try store.verify().faults.isEmpty)
        }
    }

    @Test("a patch that throws, or does not fit, commits nothing and says why")
    func refused() throws {
        try withBase { store, directory in
            let head = try store.log().first?.id
            let row = Array(repeating: Float(1), count: 8)
            let cases: [([PatchTensor], CambiumError.Code, String)] = [
                ([PatchTensor("nowhere", [8], row)], .notFound, "nowhere"),
                ([PatchTensor(down, [1, 8], row)], .badShape, "give rows of it, F32[k, 8]"),
                (
                    [PatchTensor(down, [1, 8], row), PatchTensor(rows: down, [16])], .badShape,
                    "has 16"
                ),
                (
                    [PatchTensor(down, [1, 8], row), PatchTensor(rows: down, [-1])], .badShape,
                    "negative"
                ),
                ([PatchTensor(rows: down, [1])], .badShape, "are missing"),
                (
                    [PatchTensor(down, [1, 4], [1, 1, 1, 1]), PatchTensor(rows: down, [1])],
                    .badShape,
                    "[k, 8]"
                ),
                (
                    [PatchTensor(down, [2, 8], row + row), PatchTensor(rows: down, [3, 3])],
                    .badShape,
                    "twice"
                ),
                (
                    [PatchTensor(down, [1, 8], row), PatchTensor(rows: down, [1, 2])], .badShape,
                    "each row"
                ),
                ([PatchTensor("model.norm.weight", [4, 2], row)], .badShape, "keeps dtypes"),
                (
                    [
                        PatchTensor("model.norm.weight", [8], row),
                        PatchTensor(rows: "model.norm.weight", [0]),
                    ],
                    .badShape, "one integer"
                ),
            ]
            for (tensors, code, words) in cases {
                let path = try PatchTensor.write(tensors, directory)
                var thrown: CambiumError?
                do {
                    _ = try store.commit(patchFile: path, Checkpoints.options("bad"))
                } catch let error as CambiumError {
                    thrown = error
                }
                #expect(thrown?.code == code, "\(words)")
                #expect(thrown?.message.contains(words) == true, "\(thrown?.message ?? "")")
            }
            let wrong: [(Int, Int, Int, CambiumError.Code)] = [
                (0, 9, 64, .notFound), (-1, 0, 64, .usage), (0, 0, 63, .badShape),
                (0, -1, 64, .notFound), (0, 1 << 32, 64, .notFound),
            ]
            for (ordinal, layer, count, code) in wrong {
                var thrown: CambiumError?
                do {
                    try store.commit(Checkpoints.options("bad")) { patch in
                        let data = [UInt8](repeating: 1, count: count)
                        try patch.put(expert: ordinal, layer: layer, data)
                    }
                } catch let error as CambiumError {
                    thrown = error
                }
                #expect(thrown?.code == code)
            }
            #expect(try store.log().first?.id == head)
            #expect(try store.verify().faults.isEmpty)
        }
    }
}
