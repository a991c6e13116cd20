import Architectures
import Elements
import Foundation
import Testing

@Suite("what a config says of codes and scales")
struct CodedWeightsTests {
    private static func describe(
        _ family: String, _ quantisation: [String: Any]
    ) throws -> ModelDescription {
        let text = try #require(LibraryDefaults.all[family])
        var fields = try #require(
            JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
        fields["quantization_config"] = quantisation
        return try ModelDescription(
            json: [UInt8](JSONSerialization.data(withJSONObject: fields)))
    }

    private static func compressed(
        _ weights: [String: Any], format: String = "pack-quantized", _ group: [String: Any] = [:],
        _ own: [String: Any] = [:]
    ) -> [String: Any] {
        let all: [String: Any] = ["targets": ["Linear"], "weights": weights]
        return [
            "quant_method": "compressed-tensors", "format": format,
            "config_groups": ["group_0": all.merging(group) { $1 }],
        ].merging(own) { $1 }
    }

    private static func columns(
        _ method: String, _ changes: [String: Any]
    ) -> [String: Any] {
        ["quant_method": method, "bits": 4, "group_size": 64].merging(changes) { $1 }
    }

    private static func marlin(_ method: String) -> [String: Any] {
        columns(method, ["is_marlin_format": true])
    }

    /// What our own forms say.
    private static func blocks(_ changes: [String: Any]) -> [String: Any] {
        let own: [String: Any] = [
            "quant_method": "cambium", "block_size": 32, "scale_dtype": "float16", "experts": "q4",
        ]
        return own.merging(changes) { $1 }
    }

    private static var int4: [String: Any] {
        ["num_bits": 4, "type": "int", "strategy": "group", "group_size": 32]
    }

    @Test("the published forms are read")
    func read() throws {
        func coding(_ family: String, _ quantisation: [String: Any]) throws -> WeightCoding? {
            try Self.describe(family, quantisation).coded.experts?.coding
        }
        #expect(
            try coding(
                "deepseek_v3",
                [
                    "activation_scheme": "dynamic", "fmt": "e4m3", "quant_method": "fp8",
                    "weight_block_size": [128, 128],
                ]) == WeightCoding(.e4m3, scaleRows: 128, scaleColumns: 128))
        #expect(
            try coding("qwen3_moe", ["quant_method": "fp8"])
                == WeightCoding(.e4m3, scaleRows: 128, scaleColumns: 128))
        #expect(
            try coding("qwen3_moe", ["quant_method": "fp8", "weight_block_size": NSNull()])
                == WeightCoding(.e4m3, scaleRows: nil, scaleColumns: nil))
        #expect(try coding("gpt_oss", ["quant_method": "mxfp4"]) == .mxfp4)
        let own = try Self.describe("gpt_oss", Self.blocks(["dense": "q8", "routers": "q8"])).coded
        #expect(own.experts?.coding == WeightCoding.q4)
        #expect(own.experts?.isOfStackedExperts == true)
        #expect(own.dense?.coding == WeightCoding.q8 && own.dense?.isOfStackedExperts == false)
        #expect(own.routers?.coding == WeightCoding.q8 && own.embedding == nil)
        #expect(
            try coding("mixtral", Self.compressed(Self.int4))
                == WeightCoding(.int4, scaleRows: 1, scaleColumns: 32))
        let float: [String: Any] = ["num_bits": 8, "type": "float", "strategy": "channel"]
        #expect(
            try coding(
                "mixtral",
                Self.compressed(
                    float, format: "float-quantized", ["input_activations": ["dynamic": true]]))
                == WeightCoding(.e4m3, scaleRows: 1, scaleColumns: nil))
        #expect(
            try coding("mixtral", ["quant_method": "awq", "bits": 4, "group_size": 128])
                == WeightCoding(.awq, scaleRows: 1, scaleColumns: 128))
        for (format, step) in [("gptq", 1), ("gptq_v2", 0)] {
            #expect(
                try coding(
                    "mixtral",
                    [
                        "quant_method": "gptq", "bits": 4, "group_size": 128, "desc_act": false,
                        "checkpoint_format": format, "dynamic": ["-:.*gate": [String: Any]()],
                    ]) == WeightCoding(.gptq(zeroStep: step), scaleRows: 1, scaleColumns: 128))
        }
        let gptq: [String: Any] = ["quant_method": "gptq", "bits": 4, "group_size": 128]
        for (fields, step) in [
            ([:], 1), (["format": "gptq_v2"], 0), (["checkpoint_format": "GPTQ_V2"], 0),
            (["format": "gptq"], 1), (["checkpoint_format": "gptq_v2", "format": "GPTQ_V2"], 0),
        ] as [([String: String], Int)] {
            #expect(
                try coding("mixtral", gptq.merging(fields) { $1 })?.code == .gptq(zeroStep: step))
        }
        #expect(
            try coding(
                "mixtral",
                [
                    "quant_method": "awq", "bits": 4, "group_size": 128, "version": "GEMM",
                    "format": "gemm",
                ])?.code == .awq)
        let block: [String: Any] = [
            "num_bits": 8, "type": "float", "strategy": "block", "block_structure": [128, 128],
        ]
        #expect(
            try coding("mixtral", Self.compressed(block, format: "float-quantized"))
                == WeightCoding(.e4m3, scaleRows: 128, scaleColumns: 128))
    }

    @Test("what is exempt is told by its name, the beginning and the end of it")
    func exempt() throws {
        let coded = try #require(
            Self.describe(
                "mixtral",
                ["quant_method": "fp8", "modules_to_not_convert": ["lm_head", "model.layers.0"]]
            ).coded.experts)
        #expect(coded.exempts("lm_head") && coded.exempts("model.lm_head"))
        #expect(coded.exempts("model.layers.0.self_attn.q_proj"))
        #expect(!coded.exempts("model.layers.01.self_attn.q_proj"))
        #expect(!coded.exempts("model.layers.1.self_attn.q_proj"))
    }

    @Test("of experts too: one, its matrix, all of a layer, in the spelling of their tensors")
    func exemptExperts() throws {
        func found(_ entry: String, _ name: String, _ count: Int = 16) throws -> String? {
            try #require(
                Self.describe(
                    "mixtral", ["quant_method": "fp8", "modules_to_not_convert": [entry]]
                ).coded.experts
            ).exemptExperts([name], count: count)
        }
        let experts = "model.layers.1.block_sparse_moe.experts"
        for entry in ["model.layers.1", experts, experts + ".9", experts + ".9.w2", "w2", "9.w2"] {
            #expect(try found(entry, experts + ".{e}.w2.weight")?.hasPrefix(experts) == true)
        }
        for entry in ["model.layers.10", experts + ".9.w1", experts + ".16", "gate", "e"] {
            #expect(try found(entry, experts + ".{e}.w2.weight") == nil, "\(entry)")
        }
        let stacked = "model.layers.1.mlp.experts.down_proj_blocks"
        for entry in ["mlp.experts", "down_proj", "model.layers"] {
            #expect(try found(entry, stacked) != nil)
        }
        #expect(try found("gate_up_proj", stacked) == nil)
    }

    @Test("what is not run is refused by the field's name")
    func refused() throws {
        func with(_ changes: [String: Any]) -> [String: Any] { Self.int4.merging(changes) { $1 } }
        let cases: [(String, [String: Any], String)] = [
            ("olmoe", ["quant_method": "gguf"], "quant_method"),
            ("olmoe", ["bits": 4], "quant_method"),
            ("olmoe", ["quant_method": "mxfp4"], "quant_method"),
            ("gpt_oss", ["quant_method": "fp8"], "quant_method"),
            ("olmoe", ["quant_method": "fp8", "activation_scheme": "static"], "activation_scheme"),
            ("olmoe", ["quant_method": "fp8", "fmt": "e5m2"], "fmt"),
            ("olmoe", ["quant_method": "fp8", "scale_fmt": "odd"], "scale_fmt"),
            ("olmoe", ["quant_method": "fp8", "expert_dtype": "fp4"], "expert_dtype"),
            ("olmoe", ["quant_method": "fp8", "modules_to_convert": ["e"]], "modules_to_convert"),
            ("olmoe", ["quant_method": "fp8", "weight_block_size": [128]], "weight_block_size"),
            ("olmoe", ["quant_method": "fp8", "weight_block_size": [8, 8]], "weight_block_size"),
            ("olmoe", ["quant_method": "fp8", "weight_block_size": [0, 16]], "weight_block_size"),
            ("olmoe", ["quant_method": "fp8", "weight_block_size": "all"], "weight_block_size"),
            ("olmoe", ["quant_method": "awq", "bits": 8, "group_size": 128], "bits"),
            ("olmoe", ["quant_method": "awq", "bits": 4, "group_size": -1], "group_size"),
            ("olmoe", ["quant_method": "awq", "bits": 4, "group_size": 24], "group_size"),
            (
                "olmoe", ["quant_method": "awq", "bits": 4, "group_size": 64, "version": "gemv"],
                "version"
            ),
            (
                "olmoe", ["quant_method": "awq", "bits": 4, "group_size": 64, "zero_point": false],
                "zero_point"
            ),
            (
                "olmoe", ["quant_method": "gptq", "bits": 4, "group_size": 64, "desc_act": true],
                "desc_act"
            ),
            (
                "olmoe",
                [
                    "quant_method": "gptq", "bits": 4, "group_size": 64,
                    "dynamic": ["+:a": ["bits": 8]],
                ],
                "dynamic"
            ),
            ("olmoe", Self.columns("gptq", ["format": "marlin"]), "format"),
            ("olmoe", Self.columns("gptq", ["checkpoint_format": "ipex"]), "checkpoint_format"),
            (
                "olmoe",
                Self.columns("gptq", ["checkpoint_format": "gptq", "format": "gptq_v2"]),
                "checkpoint_format is \"gptq\""
            ),
            ("olmoe", Self.columns("awq", ["format": "gemv"]), "format"),
            ("olmoe", Self.columns("awq", ["version": "gemm", "format": "gemv"]), "format"),
            ("olmoe", Self.marlin("gptq"), "is_marlin_format"),
            ("olmoe", Self.marlin("awq"), "is_marlin_format"),
            ("olmoe", Self.blocks(["block_size": 64]), "block_size"),
            ("olmoe", Self.blocks(["block_size": NSNull()]), "block_size"),
            ("olmoe", Self.blocks(["scale_dtype": "bfloat16"]), "scale_dtype"),
            ("olmoe", Self.blocks(["experts": "q5"]), "experts"),
            ("olmoe", Self.blocks(["dense": 8]), "dense"),
            ("gpt_oss", Self.blocks(["experts": NSNull()]), "without a part"),
            ("olmoe", Self.compressed(with(["num_bits": 8])), "num_bits"),
            ("olmoe", Self.compressed(with(["symmetric": false])), "symmetric"),
            ("olmoe", Self.compressed(with(["dynamic": true])), "dynamic"),
            ("olmoe", Self.compressed(with(["actorder": "group"])), "actorder"),
            ("olmoe", Self.compressed(with(["strategy": "token"])), "strategy"),
            ("olmoe", Self.compressed(with(["group_size": 20])), "group_size"),
            ("olmoe", Self.compressed(with(["group_size": -1])), "group_size"),
            ("olmoe", Self.compressed(Self.int4, format: "float-quantized"), "format"),
            ("olmoe", Self.compressed(Self.int4, ["targets": ["re:.*"]]), "targets"),
            ("olmoe", Self.compressed(Self.int4, ["weights": NSNull()]), "weights"),
            (
                "olmoe", Self.compressed(Self.int4, ["output_activations": ["num_bits": 8]]),
                "output_activations"
            ),
            (
                "olmoe", Self.compressed(Self.int4, ["input_activations": ["num_bits": 8]]),
                "input_activations"
            ),
            (
                "olmoe", Self.compressed(Self.int4, [:], ["kv_cache_scheme": ["num_bits": 8]]),
                "kv_cache_scheme"
            ),
            (
                "olmoe", Self.compressed(Self.int4, [:], ["transform_config": ["a": 1]]),
                "transform_config"
            ),
            ("olmoe", Self.compressed(Self.int4, [:], ["config_groups": [:]]), "config_groups"),
        ]
        for (family, quantisation, word) in cases {
            let error = #expect(throws: CambiumError.self) {
                _ = try Self.describe(family, quantisation)
            }
            #expect(error?.code == .badConfig, "\(quantisation)")
            #expect(error?.message.contains(word) == true, "\(error?.message ?? "")")
        }
    }
}
