import Foundation
import Snapshots
import TestSupport
import Testing

@testable import Cambium

/// Merges of models that were saved in other files.
@Suite("Merges settle files by themselves")
struct LayoutMergeTests {
    private let norm = "model.norm.weight"

    private func store(in directory: String, shards: Int = 1) throws -> (Store, RawCheckpoint) {
        try Store.create(at: directory + "/S")
        let store = try Store(directory + "/S")
        let raw = try RawCheckpoint(Checkpoints.path("hf/mixtral/model"))
        try store.commit(
            checkpoint: raw.write(to: directory + "/base", shards: shards),
            Checkpoints.options("base"))
        return (store, raw)
    }

    private func commit(
        _ raw: RawCheckpoint, _ branch: String, to store: Store, in directory: String,
        shards: Int = 1, seed: UInt64? = nil
    ) throws {
        try store.createBranch(branch, at: "main", Checkpoints.signature)
        try store.commit(
            checkpoint: raw.write(to: "\(directory)/\(branch)", shards: shards, seed: seed),
            Checkpoints.options(branch, branch: branch))
    }

    /// Merges in both orders, checks that the files hold exactly the merged tensors, and gives their folder.
    private func merged(
        _ sides: [String], in store: Store, _ directory: String, policy: MergePolicy = .none
    ) throws -> String {
        var trees: Set<String> = []
        for (number, order) in [sides, sides.reversed()].enumerated() {
            let branch = "merge\(number)"
            try store.createBranch(branch, at: "main", Checkpoints.signature)
            let merge = try store.merge(
                order, into: branch, policy: policy, Checkpoints.signature)
            #expect(merge.kind == .merged && merge.conflicts.isEmpty)
            trees.insert(merge.tree ?? "")
        }
        #expect(trees.count == 1)
        let out = directory + "/merged"
        let export = try store.export("merge0", to: out)
        #expect(export.canonical.isEmpty)
        try Store.create(at: directory + "/T")
        let other = try Store(directory + "/T")
        let again = try other.commit(checkpoint: out, Checkpoints.options("again"))
        #expect(trees == [again.tree])
        return out
    }

    @Test("metadata that both sides changed are no conflict, and a mean of tensors stays one")
    func metadata() throws {
        try withScratchDirectory { directory in
            var (store, raw) = try store(in: directory)
            for (branch, value) in [("a", Float(2)), ("b", 4)] {
                raw.fill(norm, with: value)
                raw.metadata = [
                    ("format", "pt"), ("step", "\(value)"), ("of", branch), (branch, ""),
                ]
                try commit(raw, branch, to: store, in: directory, seed: 1)
            }
            let out = try merged(["a", "b"], in: store, directory, policy: .mean)
            let result = try RawCheckpoint(out)
            #expect(
                result.tensors.first { $0.name == norm }?.data.starts(
                    with: littleEndian(Float(3).bitPattern)) == true)
            let tree = try store.tree("merge0")
            let layout = try #require(try store.snapshots.layout(of: tree))
            #expect(
                layout.files[0].metadata
                    == ["format": "pt", "step": "2.0", "of": "a", "a": "", "b": ""])
            // Both had spelled their headers in their own way.
            #expect(
                try store.show("merge0").metadata["checkpoint.canonical"] == "model.safetensors")
            let undone = try store.merge(
                ["a", "b"], into: "main", policy: .none, Checkpoints.signature)
            #expect(undone.conflicts.map(\.entity) == ["trunk \(norm)"])
        }
    }

    @Test(
        "the files of one side are taken where both have others",
        arguments: [(1, 2, 3), (2, 1, 3), (2, 3, 1), (2, 3, 4), (2, 2, 3), (3, 1, 1)])
    func shards(base: Int, left: Int, right: Int) throws {
        try withScratchDirectory { directory in
            let (store, raw) = try store(in: directory, shards: base)
            var (one, two) = (raw, raw)
            one.fill(norm, with: 2)
            two.fill("model.layers.0.input_layernorm.weight", with: 2)
            try commit(one, "a", to: store, in: directory, shards: left, seed: 2)
            try commit(two, "b", to: store, in: directory, shards: right, seed: 3)
            let out = try merged(["a", "b"], in: store, directory)
            var expected = one
            expected.fill("model.layers.0.input_layernorm.weight", with: 2)
            let result = try RawCheckpoint(out)
            func data(_ raw: RawCheckpoint) -> [String: [UInt8]] {
                Dictionary(uniqueKeysWithValues: raw.tensors.map { ($0.name, $0.data) })
            }
            #expect(data(result) == data(expected))
            let files = try folderContents(out).keys.filter { $0.hasSuffix(".safetensors") }
            #expect(files.count == (base == left ? right : base == right ? left : min(left, right)))
        }
    }

    @Test("a side in the fused form and one with a changed expert make one model")
    func forms() throws {
        try withScratchDirectory { directory in
            let name = "olmoe"
            try Store.create(at: directory + "/S")
            let store = try Store(directory + "/S")
            let separate = try RawCheckpoint(Checkpoints.path("hf/\(name)/model"))
            try store.commit(
                checkpoint: separate.write(to: directory + "/base", shards: 2),
                Checkpoints.options("base"))
            try commit(
                RawCheckpoint(Checkpoints.path("hf/\(name)/model_fused")), "a", to: store,
                in: directory)
            var changed = separate
            changed.fill("model.layers.1.mlp.experts.3.up_proj.weight", with: 0.5)
            try commit(changed, "b", to: store, in: directory, shards: 2)
            let out = try merged(["a", "b"], in: store, directory)
            let result = try RawCheckpoint(out)
            #expect(
                result.tensors.contains { $0.name == "model.layers.1.mlp.experts.gate_up_proj" })
            #expect(try store.expert("merge0", "1/3").id == store.expert("b", "1/3").id)
        }
    }

    @Test("adapters on branches of a base in shards are listed once each, merged with any pairing")
    func adapters() throws {
        try withScratchDirectory { directory in
            let rounds = TrainTests()
            let base = try rounds.store(in: directory, mixesCounts: false)
            _ = try base.export("main", to: directory + "/base")
            let raw = try RawCheckpoint(directory + "/base")
            let folder = try raw.write(to: directory + "/sharded", shards: 2)
            try Store.create(at: directory + "/sharded.store")
            let store = try Store(directory + "/sharded.store")
            try store.commit(checkpoint: folder, Checkpoints.options("base"))
            try store.commit(Checkpoints.options("evidence")) { patch in
                try patch.addEvidence(TrainTests.english, adapter: "base")
            }
            for name in ["x", "y", "z"] {
                try store.createBranch(name, at: "main", Checkpoints.signature)
                try store.train(
                    rounds.options(
                        rounds.adapter(name), TrainTests.digits, branch: name, steps: 1))
            }
            _ = try merged(["x", "y", "z"], in: store, directory)
            try store.createBranch("pairs", at: "main", Checkpoints.signature)
            for pair in [["z"], ["y", "x"]] {
                _ = try store.merge(pair, into: "pairs", Checkpoints.signature)
            }
            #expect(try store.show("pairs").tree == store.show("merge0").tree)
            // Taken back, the files are those of the base.
            let revert = try store.revert("x", branch: "pairs", Checkpoints.signature)
            #expect(revert.kind == .merged)
            for name in ["y", "z"] {
                _ = try store.revert(name, branch: "pairs", Checkpoints.signature)
            }
            #expect(try store.tree("pairs").layout == store.tree("main").layout)
            _ = try store.export("pairs", to: directory + "/reverted", isPlain: true)
            #expect(try folderContents(directory + "/reverted") == folderContents(folder))
        }
    }
}
