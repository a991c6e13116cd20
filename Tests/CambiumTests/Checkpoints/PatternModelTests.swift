import CheckpointSupport
import Elements
import Foundation
import TestSupport
import Testing

@testable import Cambium

/// What is done to models whose experts were told by pattern, besides committing them.
@Suite("Models of experts by pattern")
struct PatternModelTests {
    private static func form(_ name: String) throws -> ModelForm {
        try #require(ModelForm.regular.first { $0.name.hasPrefix(name) })
    }

    /// A store with a form on main.
    private func store(_ form: ModelForm, in directory: String) throws -> Store {
        try Store.create(at: directory + "/S")
        let store = try Store(directory + "/S")
        try form.write(to: directory + "/base")
        try store.commit(checkpoint: directory + "/base", Checkpoints.options("base"))
        return store
    }

    @Test(
        "shards and headers of any spelling come back byte for byte", arguments: [UInt64(1), 2, 3])
    func spellings(seed: UInt64) throws {
        let all = ModelForm.regular + ModelForm.mixed
        for form in all.indices.filter({ $0 % 3 == Int(seed % 3) }).map({ all[$0] }) {
            try withScratchDirectory { directory in
                let store = try store(form, in: directory)
                let raw = try RawCheckpoint(directory + "/base")
                try raw.write(to: directory + "/odd", shards: Int(seed), seed: seed)
                let odd = try store.commit(
                    checkpoint: directory + "/odd", Checkpoints.options("odd", branch: "odd"))
                #expect(odd.newExperts == 0, "\(form)")
                _ = try store.export("odd", to: directory + "/out")
                #expect(
                    try folderContents(directory + "/out") == folderContents(directory + "/odd"))
                #expect(try store.diff(from: "main", to: "odd").pools.isEmpty)
            }
        }
    }

    @Test("branches that change different experts merge, also of pools beside the base pool")
    func merge() throws {
        try withScratchDirectory { directory in
            let form = try Self.form("Qwen3-Next")
            let store = try store(form, in: directory)
            func change(_ branch: String, _ probe: ModelForm.Probe) throws {
                try form.write(to: directory + "/" + branch, changing: probe)
                try store.createBranch(branch, at: "main", Checkpoints.signature)
                try store.commit(
                    checkpoint: directory + "/" + branch,
                    Checkpoints.options(branch, branch: branch))
            }
            try change("a", form.probes[0])
            try change("b", form.probes[1])
            let merged = try store.merge(["a", "b"], into: "main", Checkpoints.signature)
            #expect(merged.kind == .merged && merged.conflicts.isEmpty)
            for (branch, probe) in zip(["a", "b"], form.probes) {
                let expert = try #require(probe.expert)
                #expect(try store.expert("main", expert).id == store.expert(branch, expert).id)
            }
            // Both changed bytes are in the export.
            _ = try store.export("main", to: directory + "/out")
            let raw = try RawCheckpoint(directory + "/out")
            for (branch, probe) in zip(["a", "b"], form.probes) {
                let side = try RawCheckpoint("\(directory)/\(branch)")
                let names = { (raw: RawCheckpoint) in
                    raw.tensors.first { $0.name == probe.tensor }?.data
                }
                #expect(names(raw) == names(side))
            }
            // A pool that came with the checkpoint is no adapter.
            #expect(try store.list("main").adapters.isEmpty)
            #expect(code { try store.forget("mtp", Checkpoints.options("no")) } == .notFound)
            var query = LogQuery(["main"])
            query.path = "0/mtp/2"
            #expect(try store.log(query).map(\.message) == ["a", "base"])
            let restored = try store.restore(
                ["a:0/mtp/2"], Checkpoints.options("restore", branch: "b"))
            #expect(restored.items.map(\.path) == ["0/mtp/2"])
            #expect(try store.verify().faults.isEmpty)
        }
    }

    @Test("a patch adds an expert that a rank lacks and takes one out, and exports follow")
    func patch() throws {
        try withScratchDirectory { directory in
            let store = try store(Self.form("one rank"), in: directory)
            let expert = try store.expert("main", "1/40").data
            let block = "model.layers.1.mlp.experts"
            func names() throws -> Set<String> {
                _ = try store.export("main", to: directory + "/out", overwrite: true)
                return Set(try RawCheckpoint(directory + "/out").tensors.map(\.name))
            }
            let before = try names()
            let added = try store.commit(Checkpoints.options("more")) { patch in
                try patch.put(expert: 3, layer: 1, expert)
                try patch.remove(expert: 50, layer: 1)
            }
            #expect(added.newExperts == 0 && added.newBytes < 8_192)
            let diff = try store.diff(from: "main~1", to: "main")
            #expect(diff.pools.map(\.added) == [[3]] && diff.pools.map(\.removed) == [[50]])
            let after = try names()
            let parts = ["gate_proj", "up_proj", "down_proj"]
            #expect(after.subtracting(before) == Set(parts.map { "\(block).3.\($0).weight" }))
            #expect(before.subtracting(after) == Set(parts.map { "\(block).50.\($0).weight" }))
            // What was exported is the same model.
            let again = try store.commit(
                checkpoint: directory + "/out", Checkpoints.options("again"))
            #expect(again.unchanged && again.experts == 64)
            #expect(try store.verify().faults.isEmpty)
        }
    }

    @Test("of stacked experts none can be missing in a file")
    func stackedGap() throws {
        try withScratchDirectory { directory in
            let store = try store(Self.form("Llama-4"), in: directory)
            try store.commit(Checkpoints.options("less")) { try $0.remove(expert: 2, layer: 0) }
            let error = #expect(throws: CambiumError.self) {
                _ = try store.export("main", to: directory + "/out")
            }
            #expect(error?.code == .notFound && error?.message.contains("no expert 2") == true)
            #expect(try store.verify().faults.isEmpty)
        }
    }

    @Test("separate and stacked spellings share their experts")
    func shared() throws {
        try withScratchDirectory { directory in
            let store = try store(Self.form("MiniMax"), in: directory)
            // The same numbers, stacked by the names of MLX and of the library.
            let raw = try RawCheckpoint(directory + "/base")
            func rows(_ part: String, _ layer: Int) -> [[UInt8]] {
                (0..<8).map { expert in
                    let name =
                        "model.layers.\(layer).block_sparse_moe.experts.\(expert).\(part).weight"
                    return raw.tensors.first { $0.name == name }?.data ?? []
                }
            }
            var (mlx, fused) = (raw, raw)
            mlx.tensors.removeAll { $0.name.contains("experts") }
            fused.tensors = mlx.tensors
            for layer in 0..<2 {
                let block = "model.layers.\(layer).block_sparse_moe"
                let (gate, up, down) = (rows("w1", layer), rows("w3", layer), rows("w2", layer))
                func add(
                    _ name: String, _ shape: [Int], _ data: [[UInt8]], to raw: inout RawCheckpoint
                ) {
                    raw.tensors.append(
                        RawCheckpoint.Tensor(
                            name: "\(block).\(name)", type: "BF16", shape: [8] + shape,
                            data: data.flatMap { $0 }))
                }
                add("switch_mlp.gate_proj.weight", [6, 4], gate, to: &mlx)
                add("switch_mlp.up_proj.weight", [6, 4], up, to: &mlx)
                add("switch_mlp.down_proj.weight", [4, 6], down, to: &mlx)
                add("experts.gate_up_proj", [12, 4], zip(gate, up).map { $0 + $1 }, to: &fused)
                add("experts.down_proj", [4, 6], down, to: &fused)
            }
            for (name, raw) in [("mlx", mlx), ("fused", fused)] {
                try raw.write(to: "\(directory)/\(name)")
                let result = try store.commit(
                    checkpoint: "\(directory)/\(name)", Checkpoints.options(name, branch: name))
                #expect(result.experts == 16 && result.newExperts == 0)
                #expect(try store.expert(name, "1/5").id == store.expert("main", "1/5").id)
                #expect(try store.diff(from: "main", to: name).pools.isEmpty)
                _ = try store.export(name, to: "\(directory)/out-\(name)")
                #expect(
                    try folderContents("\(directory)/out-\(name)")
                        == folderContents("\(directory)/\(name)"))
            }
        }
    }

    @Test("what takes a known architecture is refused by name")
    func refused() throws {
        try withScratchDirectory { directory in
            let store = try store(Self.form("MiniMax"), in: directory)
            #expect(code { _ = try store.model("main") } == .unsupported)
            #expect(
                code { _ = try store.dropExpert(nil, Checkpoints.options("no")) } == .unsupported)
        }
    }

    @Test("one rank of a known architecture is stored, and says what it lacks when it runs")
    func rank() throws {
        try withScratchDirectory { directory in
            var raw = try RawCheckpoint(Checkpoints.path("hf/olmoe/model"))
            raw.tensors.removeAll { tensor in
                (0..<8).contains { tensor.name.contains(".experts.\($0).") }
            }
            try raw.write(to: directory + "/rank")
            try Store.create(at: directory + "/S")
            let store = try Store(directory + "/S")
            let result = try store.commit(
                checkpoint: directory + "/rank", Checkpoints.options("rank"))
            #expect(result.architecture == "olmoe" && result.experts == 24)
            #expect(result.patterns == ["model.layers.{n}.mlp.experts.{e}.*"])
            #expect(result.notes.contains { $0.contains("experts.0.gate_proj.weight is missing") })
            let model = try store.model("main")
            let error = #expect(throws: CambiumError.self) {
                try model.generate(tokens: [1, 2, 3, 4, 5, 6, 7, 8], count: 4)
            }
            #expect(error?.code == .notFound && error?.message.contains("no expert") == true)
            let drop = #expect(throws: CambiumError.self) {
                try store.dropExpert(nil, Checkpoints.options("drop"))
            }
            #expect(drop?.code == .unsupported && drop?.message.contains("no expert 0") == true)
        }
    }
}
