import Architectures
import Elements
import Foundation
import Models
import Tensors
import Testing

@Suite("fields that a config.json leaves out")
struct LibraryDefaultsTests {
    static let names = LibraryDefaults.all.keys.sorted()
    /// A description and one of its fields.
    static let fields: [(String, String)] = names.flatMap { name in
        ((try? object(LibraryDefaults.all[name])) ?? [:]).keys.sorted().map { (name, $0) }
    }

    private static func object(_ text: String?) throws -> [String: Any] {
        let text = try #require(text)
        return try #require(
            JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    }

    private func describe(_ fields: [String: Any]) -> Result<ModelDescription, any Error> {
        Result {
            try ModelDescription(json: [UInt8](JSONSerialization.data(withJSONObject: fields)))
        }
    }

    @Test(
        "a config that says its model type alone is the library's default model", arguments: names)
    func nothing(name: String) throws {
        guard !LibraryDefaults.incomplete.contains(name) else {
            let error = #expect(throws: CambiumError.self) {
                try describe(["model_type": name]).get()
            }
            #expect(error?.code == .badConfig)
            return
        }
        let whole = try describe(Self.object(LibraryDefaults.all[name])).get()
        #expect(try describe(["model_type": name]).get() == whole)
    }

    @Test("each field that is left out has its architecture's default", arguments: fields)
    func one(name: String, field: String) throws {
        let defaults = try Self.object(LibraryDefaults.all[name])
        let small = try Self.object(ArchitectureConfigs.all[name])
        guard field != "model_type" else { return }
        // Beside the default of all others.
        var less = defaults
        less[field] = nil
        if !LibraryDefaults.incomplete.contains(name) {
            #expect(try describe(less).get() == describe(defaults).get())
        }
        // Beside other numbers: the same model, or refused as the default written out is.
        guard LibraryDefaults.derived[name]?.contains(field) != true else { return }
        (less, _) = (small, ())
        less[field] = nil
        var written = less
        written[field] = defaults[field]
        if field == "rope_parameters" {
            less["rope_scaling"] = nil
            less["rope_theta"] = nil
            written = less
            written[field] = defaults[field]
        }
        switch (describe(less), describe(written)) {
        case (.success(let one), .success(let other)): #expect(one == other)
        case (.failure(let one as CambiumError), .failure(let other as CambiumError)):
            #expect(one.code == .badConfig && other.code == .badConfig)
        case (let one, let other): Issue.record("left out \(one), written out \(other)")
        }
    }

    @Test("null is no default where the library takes none")
    func null() throws {
        for (name, field) in [
            ("olmoe", "hidden_size"), ("mixtral", "rms_norm_eps"), ("qwen3_moe", "norm_topk_prob"),
            ("deepseek_v3", "n_group"), ("deepseek_v3", "topk_group"),
            ("deepseek_v3", "n_shared_experts"), ("deepseek_v3", "first_k_dense_replace"),
            ("gpt_oss", "sliding_window"), ("gpt_oss", "tie_word_embeddings"),
            ("mixtral", "num_local_experts"),
        ] {
            var fields = try Self.object(LibraryDefaults.all[name])
            fields[field] = NSNull()
            let error = #expect(throws: CambiumError.self) { try describe(fields).get() }
            #expect(error?.code == .badConfig && error?.message.contains(field) == true)
        }
        // Where it has a meaning: heads as many as queries', no rank, no window.
        var fields = try Self.object(LibraryDefaults.all["deepseek_v3"])
        fields["q_lora_rank"] = NSNull()
        guard case .latent(let latent) = try describe(fields).get().layers[0].attention else {
            Issue.record("no latent attention")
            return
        }
        #expect(latent.queryRank == nil)
        fields = try Self.object(LibraryDefaults.all["gpt_oss"])
        fields["rope_parameters"] = NSNull()
        #expect(try describe(fields).get() == describe(["model_type": "gpt_oss"]).get())
    }

    @Test("rotations are as the library reads them, or refused")
    func rotations() throws {
        func with(_ name: String = "qwen3_moe", _ changes: [String: Any]) throws -> ModelDescription
        {
            var fields = try Self.object(LibraryDefaults.all[name])
            fields["rope_parameters"] = nil
            return try describe(fields.merging(changes) { $1 }).get()
        }
        func refused(_ changes: [String: Any], _ words: String...) throws {
            let error = #expect(throws: CambiumError.self) { try with("qwen3_moe", changes) }
            #expect(error?.code == .badConfig)
            for word in words { #expect(error?.message.contains(word) == true, "\(word)") }
        }
        let yarn: [String: Any] = ["rope_type": "yarn", "factor": 4.0]
        let plain: [String: Any] = ["rope_type": "default", "rope_theta": 5e6]
        try refused(
            ["rope_scaling": yarn, "rope_parameters": plain], "rope_scaling", "rope_parameters")
        try refused(["rope_scaling": yarn, "rope_parameters": plain, "rope_theta": 5e6], "both")
        try refused(["rope_theta": 1e6, "rope_parameters": plain], "rope_theta")
        try refused(["rope_scaling": yarn.merging(["type": "linear"]) { $1 }], "rope_type", "type")
        try refused(["rope_scaling": ["type": "yarn"]], "factor")
        try refused(
            [
                "rope_scaling": yarn.merging(["original_max_position_embeddings": 100]) { $1 },
                "original_max_position_embeddings": 77,
            ], "original_max_position_embeddings")
        try refused(["partial_rotary_factor": 0.5], "partial_rotary_factor")
        try refused(
            ["rope_scaling": yarn, "partial_rotary_factor": 0.5], "partial_rotary_factor")
        try refused(
            ["rope_parameters": ["full_attention": plain, "sliding_attention": plain]],
            "rope_parameters.full_attention")
        for kind in ["linear", "dynamic", "longrope", "llama3", "proportional", "mrope"] {
            try refused(["rope_scaling": ["rope_type": kind, "factor": 2.0]], kind)
        }
        // Both, saying the same; none; empty; a theta of older versions.
        let same = try with("qwen3_moe", ["rope_parameters": plain])
        #expect(
            try with("qwen3_moe", ["rope_parameters": plain, "rope_scaling": plain]) == same)
        #expect(
            try with("qwen3_moe", ["rope_theta": 5e6, "rope_scaling": ["type": "default"]]) == same)
        #expect(try with("qwen3_moe", ["rope_theta": 5e6, "rope_scaling": NSNull()]) == same)
        #expect(
            try with("qwen3_moe", ["rope_parameters": plain, "rope_scaling": [String: Any]()])
                == same)
        let scaled = try with(
            "qwen3_moe", ["rope_parameters": yarn.merging(["rope_theta": 5e6]) { $1 }])
        #expect(try with("qwen3_moe", ["rope_scaling": yarn, "rope_theta": 5e6]) == scaled)
        #expect(scaled != same)
        #expect(
            try with("qwen3_moe", ["rope_scaling": yarn, "original_max_position_embeddings": 77])
                == with(
                    "qwen3_moe",
                    ["rope_scaling": yarn.merging(["original_max_position_embeddings": 77]) { $1 }])
        )
        // gpt-oss scales unless it is told otherwise.
        let own = try with("gpt_oss", [:])
        #expect(own.frequencies.factor != 1)
        #expect(
            try with("gpt_oss", ["rope_scaling": ["rope_type": "default"]]).frequencies.factor == 1)
        #expect(
            try with("gpt_oss", ["rope_theta": 1e5]).frequencies.factor == own.frequencies.factor)
        #expect(try with("gpt_oss", ["rope_theta": 1e5]).rotation != own.rotation)
    }

    @Test("what would change the model and is not run is refused by name")
    func refused() throws {
        let cases: [(String, [String: Any], String)] = [
            ("mixtral", ["quantization_config": ["quant_method": "bitsandbytes"]], "bitsandbytes"),
            ("mixtral", ["quantization_config": ["quant_method": "mxfp4"]], "quantization_config"),
            ("olmoe", ["per_layer_config": ["0": ["hidden_size": 1]]], "per_layer_config"),
            ("olmoe", ["sliding_window": 128], "sliding_window"),
            ("olmoe", ["head_dim": 64], "head_dim"),
            ("olmoe", ["n_routed_experts": 16], "n_routed_experts"),
            ("mixtral", ["hidden_act": "gelu"], "gelu"),
            (
                "mixtral", ["layer_types": Array(repeating: "sliding_attention", count: 32)],
                "layer 0"
            ),
            ("mixtral", ["layer_types": ["full_attention"]], "layer_types"),
            ("deepseek_v3", ["scoring_func": "softmax"], "scoring_func"),
            ("deepseek_v3", ["topk_method": "greedy"], "topk_method"),
            ("deepseek_v3", ["moe_layer_freq": 2], "moe_layer_freq"),
            ("deepseek_v3", ["num_key_value_heads": 8], "num_key_value_heads"),
            ("gpt_oss", ["experts_per_token": 2], "experts_per_token"),
        ]
        for (name, changes, word) in cases {
            let fields = try Self.object(LibraryDefaults.all[name]).merging(changes) { $1 }
            let error = #expect(throws: CambiumError.self) { try describe(fields).get() }
            #expect(error?.code == .badConfig, "\(name) \(changes)")
            #expect(error?.message.contains(word) == true, "\(name) \(changes)")
        }
        let nothing: [String: Any] = [
            "quantization_config": NSNull(), "per_layer_config": [String: Any](),
            "experts_per_token": 4, "num_experts": 128,
        ]
        let plain = try Self.object(LibraryDefaults.all["gpt_oss"])
        #expect(
            try describe(plain.merging(nothing) { $1 }).get() == describe(plain).get())
    }

    @Test("generation_config.json's end tokens count before config.json's")
    func endTokens() throws {
        func ends(_ config: Any?, _ generation: String?) throws -> [Int] {
            var fields = try Self.object(LibraryDefaults.all["mixtral"])
            fields["eos_token_id"] = config
            return try ModelDescription(
                json: [UInt8](JSONSerialization.data(withJSONObject: fields)),
                generation: generation.map { Array($0.utf8) }
            ).endTokens
        }
        #expect(try ends(7, nil) == [7])
        #expect(try ends([7, 8, 7], nil) == [7, 8])
        // Mixtral's default, none, and none by a number that no token has.
        #expect(try ends(nil, nil) == [2])
        #expect(try ends(NSNull(), nil) == [])
        #expect(try ends(-1, nil) == [])
        #expect(try ends(7, #"{"eos_token_id": [9, 10]}"#) == [9, 10])
        #expect(try ends(NSNull(), #"{"eos_token_id": 9}"#) == [9])
        #expect(try ends(7, #"{"eos_token_id": -1}"#) == [])
        #expect(try ends(7, #"{"eos_token_id": null}"#) == [7])
        #expect(try ends(7, #"{"temperature": 0.6}"#) == [7])
        for bad in [#"{"eos_token_id": "9"}"#, "[", #"{"eos_token_id": [1.5]}"#] {
            let error = #expect(throws: CambiumError.self) { try ends(7, bad) }
            #expect(error?.message.contains("generation_config.json") == true)
        }
    }
}
