import Foundation
import TestSupport
import Testing

@testable import Cambium

@Suite("what a stored model means")
struct ModelMeaningTests {
    /// What running a variant gives, or the error.
    private func run(
        _ variant: ModelVariant, _ body: (MappedModel) throws -> Void
    ) throws -> CambiumError? {
        try withScratchDirectory { directory in
            try Store.create(at: directory + "/S")
            let store = try Store(directory + "/S")
            try store.commit(
                checkpoint: variant.write(to: directory + "/m"), Checkpoints.options("a model"))
            do {
                try body(store.model("main"))
                return nil
            } catch let error as CambiumError {
                return error
            }
        }
    }

    /// Runs a variant that must run.
    private func runs(_ variant: ModelVariant, _ body: (MappedModel) throws -> Void) throws {
        let error = try run(variant, body)
        #expect(error == nil)
    }

    private func tokens(_ variant: ModelVariant) throws -> [Int] {
        var made: [Int] = []
        try runs(variant) { made = try $0.generate(tokens: [5, 17, 200], count: 8).tokens }
        return made
    }

    @Test("DeepSeek's fields that are left out are the library's")
    func deepseek() throws {
        for (field, value) in [
            ("n_shared_experts", 1 as Any), ("n_group", 8), ("topk_group", 4),
            ("norm_topk_prob", true), ("routed_scaling_factor", 2.5), ("rope_interleave", true),
            ("num_experts_per_tok", 8), ("rms_norm_eps", 1e-6), ("attention_bias", false),
        ] {
            var written = try ModelVariant("hf/deepseek_v3/model")
            if field == "topk_group" { written.config["n_group"] = 8 }
            if field == "n_group" { written.config["topk_group"] = 4 }
            written.config[field] = value
            var less = written
            less.config[field] = nil
            #expect(try tokens(less) == tokens(written), "\(field)")
        }
    }

    @Test("a tensor of a layer that the config has no use for is refused by name")
    func unknown() throws {
        for (model, name, shape) in [
            ("mixtral", "model.layers.1.self_attn.q_proj.bias", [64]),
            ("mixtral", "model.layers.0.self_attn.q_norm.weight", [16]),
            ("olmoe", "model.layers.2.post_feedforward_layernorm.weight", [64]),
            ("olmoe", "model.layers.0.self_attn.rotary_emb.other", [8]),
            ("qwen3_moe", "model.layers.1.mlp.shared_expert_gate.weight", [1, 64]),
            ("qwen3_moe", "lm_head.bias", [256]),
            ("gpt_oss", "model.layers.0.self_attn.k_norm.weight", [16]),
            ("deepseek_v3", "model.embed_positions.weight", [256, 64]),
            // A layer that the config does not count, and that predicts nothing further ahead.
            ("deepseek_v3", "model.layers.3.input_layernorm.weight", [64]),
        ] {
            var variant = try ModelVariant("hf/\(model)/model")
            variant.config["num_nextn_predict_layers"] = 1
            variant.add(name, shape)
            let error = try run(variant) { _ in }
            #expect(error?.code.rawValue == "unused-tensor", "\(name)")
            #expect(error?.message.contains(name) == true)
        }
    }

    @Test(
        "layers that the config does not count are refused, with their experts",
        arguments: [
            "olmoe", "mixtral", "qwen3_moe", "gpt_oss",
        ])
    func fewerLayers(model: String) throws {
        var variant = try ModelVariant("hf/\(model)/model")
        variant.config["num_hidden_layers"] = 2
        if model == "gpt_oss" {
            variant.config["layer_types"] = ["sliding_attention", "full_attention"]
        }
        let error = try run(variant) { _ in }
        #expect(error?.code.rawValue == "unused-tensor")
        #expect(error?.message.contains("model.layers.2.") == true)
    }

    @Test("shared experts and dense layers that a config denies are refused")
    func denied() throws {
        var variant = try ModelVariant("hf/deepseek_v3/model")
        variant.config["n_shared_experts"] = 0
        #expect(try run(variant) { _ in }?.code.rawValue == "unused-tensor")
        variant = try ModelVariant("hf/gpt_oss/model")
        variant.config["attention_bias"] = false
        let error = try run(variant) { _ in }
        #expect(error?.message.contains("_proj.bias") == true)
        variant = try ModelVariant("hf/deepseek_v3/model")
        let gate = "model.layers.1.mlp.gate"
        variant.rename(gate + ".e_score_correction_bias", to: gate + ".bias")
        #expect(try run(variant) { _ in }?.code.rawValue == "missing-tensor")
    }

    @Test("what is left over for a known reason is named, and the model runs as without it")
    func known() throws {
        let plain = try tokens(ModelVariant("hf/deepseek_v3/model"))
        var variant = try ModelVariant("hf/deepseek_v3/model")
        variant.config["num_nextn_predict_layers"] = 1
        for name in variant.names where name.hasPrefix("model.layers.2.") {
            try variant.copy(name, to: "model.layers.3." + name.dropFirst("model.layers.2.".count))
        }
        variant.add("model.layers.3.eh_proj.weight", [64, 128])
        variant.add("model.layers.3.enorm.weight", [64])
        for layer in 0..<3 {
            variant.add("model.layers.\(layer).self_attn.rotary_emb.inv_freq", [4])
        }
        variant.add("model.rotary_emb.inv_freq", [4])
        variant.add("score.weight", [2, 64])
        let error = try run(variant) { model in
            #expect(
                model.unused.map(\.name) == [
                    "*rotary_emb.inv_freq", "model.layers.3.*", "score.weight",
                ])
            #expect(model.unused.map(\.tensors) == [4, 16, 1])
            #expect(model.unused.map(\.experts) == [0, 16, 0])
            let made = try model.generate(tokens: [5, 17, 200], count: 8)
            #expect(made.tokens == plain)
            #expect(made.unused == model.unused)
            #expect(model.unused.allSatisfy { !$0.reason.isEmpty })
        }
        #expect(error == nil)
        // Nothing is left over of what the library writes.
        for path in Checkpoints.transformers {
            try runs(ModelVariant(path)) { #expect($0.unused.isEmpty) }
        }
    }

    @Test("a head beside a tied embedding must be it")
    func tied() throws {
        var variant = try ModelVariant("hf/olmoe/model")
        variant.config["tie_word_embeddings"] = true
        let error = try run(variant) { _ in }
        #expect(error?.code.rawValue == "bad-config")
        #expect(error?.message.contains("tie_word_embeddings") == true)
        #expect(error?.message.contains("lm_head.weight") == true)
        variant.rename("lm_head.weight", to: "old")
        try variant.copy("model.embed_tokens.weight", to: "lm_head.weight")
        variant.rename("old", to: "other.weight")
        try runs(variant) { #expect($0.unused.map(\.name) == ["lm_head.weight", "other.weight"]) }
    }

    @Test("inside a larger model tensors named as if it stood alone are refused")
    func beside() throws {
        for name in ["model.norm.bias", "model.layers.1.input_layernorm.bias"] {
            var variant = try ModelVariant("hf/qwen3_5_moe/model")
            variant.add(name, [64])
            #expect(try run(variant) { _ in }?.message.contains(name) == true, "\(name)")
        }
        var variant = try ModelVariant("hf/qwen3_5_moe/model")
        variant.add("model.visual.norm.weight", [64])
        try runs(variant) { #expect($0.unused.count == 1) }
    }

    @Test("generation_config.json's end tokens end a text")
    func ends() throws {
        var variant = try ModelVariant("hf/qwen3_moe/model")
        variant.config["eos_token_id"] = 2
        variant.generation = ["eos_token_id": [7, 9]]
        try runs(variant) { #expect($0.endTokens == [7, 9]) }
        variant.generation = ["eos_token_id": [7, "x"]]
        #expect(try run(variant) { _ in }?.message.contains("generation_config.json") == true)
        variant.generation = nil
        try runs(variant) { #expect($0.endTokens == [2]) }
    }

    @Test("a config of two minds about the architecture is refused when it is committed")
    func twoMinds() throws {
        var variant = try ModelVariant("hf/olmoe/model")
        variant.config["architecture"] = "peer-lm"
        try withScratchDirectory { directory in
            try Store.create(at: directory + "/S")
            let store = try Store(directory + "/S")
            let error = #expect(throws: CambiumError.self) {
                try store.commit(
                    checkpoint: variant.write(to: directory + "/m"), Checkpoints.options("x"))
            }
            #expect(error?.message.contains("contradicts") == true)
        }
    }

    @Test("a peer-lm with a tensor that no layer uses is refused by name")
    func peer() throws {
        var checkpoint = TinyCheckpoint()
        checkpoint.tensors.append(
            ("model.layers.0.self_attn.q_proj.bias", [8], [Float](repeating: 0, count: 8)))
        try withScratchDirectory { directory in
            try Store.create(at: directory + "/S")
            let store = try Store(directory + "/S")
            try store.commit(
                checkpoint: checkpoint.write(to: directory + "/m"), Checkpoints.options("x"))
            let error = #expect(throws: CambiumError.self) { try store.model("main") }
            #expect(error?.code.rawValue == "unused-tensor")
            #expect(error?.message.contains("q_proj.bias") == true)
        }
    }
}
