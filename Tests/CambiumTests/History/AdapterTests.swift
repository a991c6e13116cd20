import Checkpoints
import Elements
import Foundation
import TestSupport
import Testing

@testable import Cambium

@Suite("Adapters of peft")
struct AdapterTests {
    private static let module = "model.layers.1.mlp.experts.3.gate_proj"
    /// [rank, inputs] and [outputs, rank], of numbers whose products are exact.
    private static let inputs = 64
    private static let outputs = 48
    private static let a = (0..<2 * inputs).map { Float($0 % 7 - 3) / 4 }
    private static let b = (0..<outputs * 2).map { Float($0 % 5 - 2) / 8 }

    private func write(
        _ config: [String: Any] = [:], _ tensors: [(String, [Int], [Float])]? = nil,
        to folder: String
    ) throws {
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
        let fields = ["peft_type": "LORA", "r": 2, "lora_alpha": 4].merging(config) { $1 }
        try JSONSerialization.data(withJSONObject: fields).write(
            to: URL(filePath: folder + "/adapter_config.json"))
        let tensors =
            tensors ?? [
                ("base_model.model.\(Self.module).lora_A.weight", [2, Self.inputs], Self.a),
                ("base_model.model.\(Self.module).lora_B.weight", [Self.outputs, 2], Self.b),
            ]
        try SafetensorsWriter.write(
            tensors.map { TensorEntry($0.0, TensorShape(.f32, $0.1)) },
            to: folder + "/adapter_model.safetensors"
        ) { position, sink in
            let bytes = tensors[position].2.littleEndianBytes
            try sink.append(bytes.raw)
        }
    }

    private func withStore(_ body: (Store, String) throws -> Void) throws {
        try withScratchDirectory { work in
            try Store.create(at: work + "/S")
            let store = try Store(work + "/S")
            try store.commit(
                checkpoint: Checkpoints.path("hf/qwen3_moe/model"), Checkpoints.options("base"))
            try body(store, work)
        }
    }

    private func floats(_ bytes: [UInt8]) -> [Float] {
        stride(from: 0, to: bytes.count, by: 4).map { start in
            Float(
                bitPattern: (0..<4).reduce(0) { $0 | UInt32(bytes[start + $1]) << UInt32(8 * $1) })
        }
    }

    @Test("are committed as they are on a branch of their base, and come back byte for byte")
    func asTheyAre() throws {
        try withStore { store, work in
            try write(to: work + "/lora")
            let base = try store.resolve("main")
            try store.createBranch("later", at: "main", Checkpoints.signature)
            try store.commit(Checkpoints.options("moves", branch: "main")) { patch in
                try patch.remove(expert: 0, layer: 1)
            }
            let done = try store.commit(
                adapter: work + "/lora", of: base, Checkpoints.options("lora", branch: "lora"))
            #expect(done.parents == [base])
            #expect(try store.show("lora").metadata["adapter.base"] == base)
            _ = try store.export("lora", to: work + "/out")
            for name in ["adapter_config.json", "adapter_model.safetensors"] {
                #expect(
                    try Data(contentsOf: URL(filePath: "\(work)/out/\(name)"))
                        == Data(contentsOf: URL(filePath: "\(work)/lora/\(name)")))
            }
            // A model's branch is no place for an adapter.
            #expect(
                code {
                    try store.commit(
                        adapter: work + "/lora", of: base,
                        Checkpoints.options("x", branch: "main"))
                } == .unfit)
        }
    }

    @Test("are added to the weights of their base when they are baked", arguments: [2, 8])
    func baked(_ alpha: Int) throws {
        try withStore { store, work in
            try write(["alpha_pattern": ["gate_proj": alpha]], to: work + "/lora")
            let old = try store.snapshot("main")
            try store.commit(
                adapter: work + "/lora", of: "main", baked: true,
                Checkpoints.options("baked", branch: "baked"))
            let new = try store.snapshot("baked")
            let name = Self.module + ".weight"
            let before = floats(try old.data(of: name))
            let after = floats(try new.data(of: name))
            let scale = Float(alpha) / 2
            for row in 0..<Self.outputs {
                for column in 0..<Self.inputs {
                    let product =
                        scale
                        * (Self.b[2 * row] * Self.a[column]
                            + Self.b[2 * row + 1] * Self.a[Self.inputs + column])
                    let index = row * Self.inputs + column
                    #expect(after[index] == before[index] + product)
                }
            }
            let diff = try store.diff(from: "main", to: "baked", norms: false)
            #expect(diff.pools.map { $0.changed.map(\.ordinal) } == [[3]])
            #expect(diff.trunk.isEmpty && diff.files.isEmpty)
        }
    }

    @Test("that cannot be are refused by name, and nothing is committed")
    func refused() throws {
        try withStore { store, work in
            func refusal(_ config: [String: Any], _ tensors: [(String, [Int], [Float])]? = nil)
                -> CambiumError.Code?
            {
                code {
                    try write(config, tensors, to: work + "/bad")
                    try store.commit(
                        adapter: work + "/bad", of: "main", baked: true,
                        Checkpoints.options("x", branch: "bad"))
                }
            }
            #expect(refusal(["peft_type": "IA3"]) == .unsupported)
            #expect(refusal(["use_dora": true]) == .unsupported)
            #expect(refusal(["bias": "all"]) == .unsupported)
            #expect(refusal(["layer_replication": [[0, 2], [1, 2]]]) == .unsupported)
            #expect(refusal(["alora_invocation_tokens": [1]]) == .unsupported)
            #expect(refusal(["init_lora_weights": "pissa_niter_4"]) == .unsupported)
            #expect(refusal(["init_lora_weights": 7]) == .unsupported)
            #expect(
                refusal(["alpha_pattern": ["gate_proj": 1, "experts.3.gate_proj": 2]])
                    == .unsupported)
            #expect(refusal(["target_parameters": ["mlp.experts.gate_up_proj"]]) == .unsupported)
            #expect(refusal(["alpha_pattern": ["^gate": 1]]) == .unsupported)
            #expect(refusal(["lora_alpha": "much"]) == .badConfig)
            let prefix = "base_model.model."
            let a = (prefix + "\(Self.module).lora_A.weight", [2, Self.inputs], Self.a)
            let b = (prefix + "\(Self.module).lora_B.weight", [Self.outputs, 2], Self.b)
            #expect(refusal([:], [a]) == .missingTensor)
            #expect(refusal([:], [b]) == .missingTensor)
            #expect(refusal([:], [a, (b.0, [2, Self.outputs], Self.b)]) == .badShape)
            #expect(refusal([:], [a, (b.0, [2, 2], [0, 0, 0, 0])]) == .badShape)
            #expect(
                refusal([:], [(prefix + "x.lora_embedding_A", [1], [0])]) == .unsupported)
            let other = prefix + "model.layers.9.mlp"
            #expect(
                refusal(
                    [:],
                    [
                        (other + ".lora_A.weight", [2, Self.inputs], Self.a),
                        (other + ".lora_B.weight", [Self.outputs, 2], Self.b),
                    ]) == .notFound)
            #expect(
                code {
                    try store.commit(
                        adapter: work, of: "main", Checkpoints.options("x", branch: "bad"))
                } == .notACheckpoint)
            let branches = try store.branches()
            #expect(branches.map(\.name) == ["main"])
        }
    }
}
