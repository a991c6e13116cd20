import CheckpointSupport
import Elements
import Foundation
import Models
import Snapshots
import TestSupport
import Testing

@testable import Cambium

@Suite("models that would not run as their branch's history does")
struct UnfitTests {
    private func refused(_ body: () throws -> Void) -> CambiumError? {
        let error = #expect(throws: CambiumError.self) { try body() }
        #expect(error?.code == .unfit)
        #expect(error?.message.contains("--allow-unfit") == true)
        return error
    }

    @Test("another architecture is committed only when that is said")
    func architecture() throws {
        try withScratchDirectory { directory in
            let store = try Checkpoints.tinyStore(in: directory)
            let head = try store.resolve("main")
            let other = Checkpoints.path("hf/olmoe/model")
            let error = refused { try store.commit(checkpoint: other, Checkpoints.options("x")) }
            #expect(error?.message.contains("olmoe") == true)
            #expect(error?.message.contains("peer-lm") == true)
            #expect(try store.resolve("main") == head)
            // Of a file by itself the config of the head was taken before; of no config nothing is known.
            try FileManager.default.createDirectory(
                atPath: directory + "/plain", withIntermediateDirectories: true)
            try FileManager.default.copyItem(
                atPath: other + "/model.safetensors", toPath: directory + "/plain/model.safetensors"
            )
            try Data(#"{"model_type": "bert"}"#.utf8).write(
                to: URL(filePath: directory + "/plain/config.json"))
            _ = refused {
                try store.commit(checkpoint: directory + "/plain", Checkpoints.options("x"))
            }
            var options = Checkpoints.options("meant")
            options.allowsUnfit = true
            #expect(try store.commit(checkpoint: other, options).architecture == "olmoe")
            // Back again is another architecture too.
            _ = refused {
                try store.commit(checkpoint: directory + "/base", Checkpoints.options("back"))
            }
            #expect(try store.verify().faults.isEmpty)
        }
    }

    @Test("a merge neither goes forward nor comes to another architecture unless that is said")
    func merge() throws {
        try withScratchDirectory { directory in
            let store = try Checkpoints.tinyStore(in: directory)
            // A branch that begins with it has no other history yet.
            try store.commit(
                checkpoint: Checkpoints.path("hf/olmoe/model"),
                Checkpoints.options("another", branch: "other"))
            let head = try store.resolve("main")
            let error = refused {
                _ = try store.merge(["other"], into: "main", Checkpoints.signature)
            }
            #expect(error?.message.contains("olmoe") == true)
            _ = refused {
                _ = try store.merge(["other"], into: "main", dryRun: true, Checkpoints.signature)
            }
            #expect(try store.resolve("main") == head)
            let forward = try store.merge(
                ["other"], into: "main", allowsUnfit: true, Checkpoints.signature)
            #expect(forward.kind == .fastForward)
            #expect(try store.resolve("main") == store.resolve("other"))
            // A side that changed nothing but a file gives way to the other's model.
            try store.createBranch("side", at: head, Checkpoints.signature)
            try store.commit(Checkpoints.options("side", branch: "side")) {
                patch in
                try patch.put(expert: 1, layer: 0, [UInt8](repeating: 1, count: 64))
            }
            #expect(
                try store.merge(["other"], into: "side", Checkpoints.signature).kind == .conflicts)
        }
    }

    @Test("a revert of what adapters were made for is none, unless that is said")
    func revert() throws {
        try withScratchDirectory { directory in
            try Store.create(at: directory + "/S")
            let store = try Store(directory + "/S")
            var hashed = try HashedCheckpoint()
            try hashed.commit("base", to: store, in: directory)
            let norm = try #require(
                hashed.raw.tensors.first { $0.name == "model.norm.weight" })
            hashed.put(
                .init(
                    name: norm.name, type: "F32", shape: norm.shape,
                    data: [Float](repeating: 1, count: 32).littleEndianBytes))
            try hashed.commit("other", to: store, in: directory)
            let base = try BaseDigests(store.snapshots.map(store.snapshots.resolve("main")).tree)
            hashed.addAdapter(
                "sums", rows: HashedCheckpoint.rows(192, named: "own"), base: base.trunk)
            try hashed.commit("adapter", to: store, in: directory)
            _ = try store.model("main")
            let error = refused { _ = try store.revert("main~1", Checkpoints.signature) }
            #expect(error?.message.contains("adapter 'sums'") == true)
            _ = try store.model("main")
            let reverted = try store.revert(
                "main~1", allowsUnfit: true, Checkpoints.signature)
            #expect(reverted.kind == .merged)
            #expect(throws: CambiumError.self) { try store.model("main") }
        }
    }

    @Test("experts of one side and a config of another are no model, merged or restored")
    func counts() throws {
        try withScratchDirectory { directory in
            let store = try Growth.store(Growth.model("olmoe"), in: directory)
            for (branch, expert) in [("one", 1), ("two", 2)] {
                try store.createBranch(branch, at: "main", Checkpoints.signature)
                for _ in 1...expert {
                    _ = try store.addExpert(
                        from: ExpertSource(Growth.model("olmoe"), expert: expert),
                        evidence: [Growth.new], keep: [Growth.shortOld], growth: Growth.roughly,
                        Checkpoints.options("grow", branch: branch))
                }
            }
            let head = try store.resolve("one")
            let mixed = refused {
                _ = try store.merge(
                    ["two"], into: "one", policy: .ours,
                    takes: [MergeTake("config.json=two")], Checkpoints.signature)
            }
            #expect(mixed?.message.contains("would not run") == true)
            let restored = refused {
                _ = try store.restore(
                    ["main:config.json"], Checkpoints.options("restore", branch: "one"))
            }
            #expect(restored?.message.contains("experts") == true)
            let solved = #expect(throws: CambiumError.self) {
                try store.merge(["two"], into: "one", policy: .solve, Checkpoints.signature)
            }
            #expect(solved?.code == .unsupported)
            #expect(solved?.message.contains("experts on one side") == true)
            #expect(try store.resolve("one") == head)
            _ = try store.model("one")
        }
    }

    @Test("a config that cannot be run is no successor of one that can")
    func config() throws {
        try withScratchDirectory { directory in
            try Store.create(at: directory + "/S")
            let store = try Store(directory + "/S")
            func commit(_ name: String, _ change: (inout ModelVariant) -> Void) throws {
                var variant = try ModelVariant("hf/mixtral/model")
                change(&variant)
                try store.commit(
                    checkpoint: variant.write(to: directory + "/" + name), Checkpoints.options(name)
                )
            }
            try commit("first") { _ in }
            _ = refused { try commit("a") { $0.config["num_attention_heads"] = 8 } }
            _ = refused { try commit("b") { $0.config["hidden_act"] = "gelu" } }
            let error = refused {
                try commit("c") { $0.add("model.layers.0.self_attn.q_proj.bias", [64]) }
            }
            #expect(error?.message.contains("q_proj.bias") == true)
            // What still runs is a successor, with whatever numbers.
            try commit("d") { $0.config["rms_norm_eps"] = 1e-6 }
            _ = try store.model("main").generate(tokens: [1], count: 2)
        }
        // Of a history that could not run either nothing more is asked.
        try withScratchDirectory { directory in
            try Store.create(at: directory + "/S")
            let store = try Store(directory + "/S")
            for (name, act) in [("a", "gelu"), ("b", "relu")] {
                var variant = try ModelVariant("hf/mixtral/model")
                variant.config["hidden_act"] = act
                try store.commit(
                    checkpoint: variant.write(to: directory + "/" + name), Checkpoints.options(name)
                )
            }
        }
    }
}
