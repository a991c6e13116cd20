import CheckpointSupport
import Foundation
import Snapshots
import TestSupport
import Testing

@testable import Cambium

/// What is exported and committed again is the same tree, for every kind of model; and what was committed comes
/// back byte for byte.
@Suite("Round trips")
struct RoundTripTests {
    private let rounds = TrainTests()

    /// Exports a revision and commits the folder in an empty store.
    private func check(_ store: Store, _ revision: String, in directory: String) throws {
        let name = UUID().uuidString
        let export = try store.export(revision, to: "\(directory)/\(name)")
        #expect(export.leftOut.isEmpty && export.canonical.isEmpty && export.removed.isEmpty)
        try Store.create(at: "\(directory)/\(name).store")
        let other = try Store("\(directory)/\(name).store")
        let commit = try other.commit(
            checkpoint: "\(directory)/\(name)", Checkpoints.options("again"))
        #expect(try commit.tree == store.show(revision).tree, "\(revision)")
        #expect(try other.verify().faults.isEmpty)
        _ = try other.export("main", to: "\(directory)/\(name).twice")
        let files = try folderContents("\(directory)/\(name)")
        #expect(try files == folderContents("\(directory)/\(name).twice"))
        // Nothing is left behind.
        #expect(Set(files.keys) == Set(export.files))
    }

    private func commit(_ folder: String, in directory: String) throws -> Store {
        try Store.create(at: directory + "/S")
        let store = try Store(directory + "/S")
        try store.commit(checkpoint: folder, Checkpoints.options("base"))
        return store
    }

    @Test("of checkpoints of every architecture and form", arguments: GeneratedCheckpoints.all)
    func checkpoints(name: String) throws {
        try withScratchDirectory { directory in
            let store = try commit(Checkpoints.path(name), in: directory)
            try check(store, "main", in: directory)
        }
    }

    @Test(
        "in shards or not, whatever the order and spelling of headers and data",
        arguments: [1, 2, 3], [UInt64?.none, 1, 2, 3])
    func files(shards: Int, seed: UInt64?) throws {
        try withScratchDirectory { directory in
            var raw = try RawCheckpoint(Checkpoints.path("hf/mixtral/model"))
            raw.metadata = [("format", "pt"), ("a", "1"), ("Z", "\\u00e9")]
            raw.files["tokenizer.json"] = Data("{}".utf8)
            let folder = try raw.write(to: directory + "/in", shards: shards, seed: seed)
            let store = try commit(folder, in: directory)
            _ = try store.export("main", to: directory + "/out")
            #expect(try folderContents(directory + "/out") == folderContents(folder))
            try check(store, "main", in: directory)
            // A patch that changes numbers alone changes no byte of a header.
            let norm = "model.norm.weight"
            raw.fill(norm, with: 2)
            try store.commit(Checkpoints.options("patch")) { patch in
                try patch.put(
                    tensor: norm, raw.tensors.first { $0.name == norm }?.data ?? [])
            }
            let patched = try raw.write(to: directory + "/patched", shards: shards, seed: seed)
            _ = try store.export("main", to: directory + "/changed")
            #expect(try folderContents(directory + "/changed") == folderContents(patched))
            #expect(try store.show("main").metadata["checkpoint.canonical"] == nil)
        }
    }

    @Test(
        "of a trained model: evidence, mixture, adapters of every kind, edited experts, int8, merges",
        arguments: [1, 2])
    func trained(shards: Int) throws {
        try withScratchDirectory { directory in
            var store = try rounds.store(in: directory)
            try check(store, "main", in: directory)
            if shards > 1 {
                _ = try store.export("main", to: directory + "/base")
                let raw = try RawCheckpoint(directory + "/base")
                try raw.write(to: directory + "/sharded", shards: shards)
                try Store.create(at: directory + "/sharded.store")
                store = try Store(directory + "/sharded.store")
                try store.commit(
                    checkpoint: directory + "/sharded", Checkpoints.options("sharded"))
                let counts = CommitOptions(message: "e", signature: Checkpoints.signature)
                try store.commit(counts) { patch in
                    try patch.addEvidence(TrainTests.english, adapter: "base", order: 6)
                }
                try check(store, "main", in: directory)
            }
            func train(
                _ name: String, _ form: AdapterForm, _ experts: NewExperts?, branch: String
            ) throws {
                try store.createBranch(branch, at: "main", Checkpoints.signature)
                var options = rounds.options(
                    rounds.adapter(name, form), TrainTests.digits, branch: branch, steps: 2)
                options.newExperts = experts
                try store.train(options)
                try check(store, branch, in: directory)
            }
            try train("dense", .dense, nil, branch: "a")
            try train("low", .lowRank(2), .neurons(16), branch: "b")
            try train("wide", .dense, .swiglu(3, width: 8, topK: 2), branch: "c")
            let merge = try store.merge(["a", "b", "c"], into: "main", Checkpoints.signature)
            #expect(merge.kind == .merged && merge.conflicts.isEmpty)
            try check(store, "main", in: directory)
            #expect(try store.adapters("main") == ["dense", "low", "wide"])
            try store.addSquaredGradients([TrainTests.english], Checkpoints.options("fisher"))
            try check(store, "main", in: directory)
            try store.quantizeRouters(Checkpoints.options("int8"))
            try check(store, "main", in: directory)
            // What others read is the base, as it was committed.
            if shards > 1 {
                let plain = try store.export("a", to: directory + "/plain", isPlain: true)
                #expect(plain.leftOut.contains("adapter dense"))
                #expect(plain.leftOut.contains { $0.hasPrefix("evidence.") })
                let base = try folderContents(directory + "/sharded")
                #expect(
                    try folderContents(directory + "/plain")
                        == base.filter { $0.key != "mixture.json" })
            }
        }
    }

    @Test("of edited experts, and of bases with trees or linear routers")
    func kinds() throws {
        for layers in [
            #""peer_layers": [0], "tree": {"branching": [3, 4], "beam": 2, "top_k": 2}"#,
            #""peer_layers": [], "linear_layers": [0], "linear": {"experts": 3, "top_k": 2, "ffn_size": 8}"#,
            #""peer_layers": []"#,
        ] {
            try withScratchDirectory { directory in
                try Store.create(at: directory + "/S")
                let store = try Store(directory + "/S")
                var base = rounds.options(
                    .model(freezesTrunk: false, freezesExperts: false), TrainTests.english,
                    steps: 3)
                base.initial = Array(
                    """
                    {"architecture": "peer-lm", "vocab_size": 256, "hidden_size": 16, "num_layers": 1,
                     "num_heads": 2, "context_length": 16, "ffn_size": 16, "rms_norm_eps": 1e-5,
                     "rope_theta": 10000, \(layers)}
                    """.utf8)
                try store.train(base)
                try store.train(
                    rounds.options(rounds.adapter("digits"), TrainTests.digits, steps: 2))
                if layers.contains("tree") {
                    try store.train(rounds.options(.experts(1), TrainTests.swahili, steps: 2))
                }
                try check(store, "main", in: directory)
            }
        }
    }

    @Test("of models that are not known, of a file by itself, and of experts that come and go")
    func others() throws {
        try withScratchDirectory { directory in
            var tiny = TinyCheckpoint()
            tiny.config["architecture"] = "another"
            let store = try commit(tiny.write(to: directory + "/in"), in: directory)
            try check(store, "main", in: directory)
            let raw = try RawCheckpoint(Checkpoints.path("hf/olmoe/model"))
            try raw.write(to: directory + "/alone", name: "weights.safetensors", seed: 4)
            try store.commit(
                checkpoint: directory + "/alone/weights.safetensors",
                Checkpoints.options("alone", branch: "alone"))
            try check(store, "alone", in: directory)
            for (name, seed) in [("plain", UInt64?.none), ("odd", 5)] {
                let folder = try raw.write(to: directory + "/" + name, shards: 2, seed: seed)
                try store.commit(
                    checkpoint: folder, Checkpoints.options(name, branch: name))
                let before = try store.show(name).tree
                let grown = try store.addExpert(
                    from: ExpertSource(folder, expert: 5), evidence: [Growth.new],
                    keep: [Growth.shortOld], growth: Growth.roughly,
                    Checkpoints.options("grow", branch: name))
                // The header of the shard with the new expert cannot be the one that came.
                let said = try store.show(name).metadata["checkpoint.canonical"]
                #expect((said == nil) == (seed == nil))
                #expect(grown.commit.canonical.isEmpty == (seed == nil))
                #expect(grown.commit.notes.joined().contains("canonical form") == (seed != nil))
                try check(store, name, in: directory)
                _ = try store.dropExpert(nil, Checkpoints.options("drop", branch: name))
                try check(store, name, in: directory)
                let after = try store.tree(name)
                let old = try store.tree(name + "~2")
                #expect(after.trunk == old.trunk && after.layers == old.layers)
                if seed == nil {
                    #expect(after.layout == old.layout)
                    #expect(before != (try store.show(name).tree))
                }
            }
        }
    }
}
