internal import Elements

extension Architecture {
    /// dots.llm1 (2506.05767): DeepSeek-V3's router and shared experts below Qwen3's attention.
    static let dots1 = Architecture(
        name: "dots1", classPrefix: "Dots1", countKeys: ["n_routed_experts", "num_local_experts"],
        names: ExpertNames(router: ["gate.weight", "gate.e_score_correction_bias"]),
        defaults: [
            "vocab_size": 152_064, "hidden_size": 4608, "intermediate_size": 10944,
            "moe_intermediate_size": 1408, "num_hidden_layers": 62, "num_attention_heads": 32,
            "num_key_value_heads": 32, "n_shared_experts": .null, "n_routed_experts": .null,
            "n_group": 1, "topk_group": 1, "num_experts_per_tok": .null,
            "first_k_dense_replace": 0, "norm_topk_prob": false, "hidden_act": "silu",
            "max_position_embeddings": 2048, "rms_norm_eps": 1e-6, "tie_word_embeddings": false,
            "attention_bias": false, "routed_scaling_factor": 1, "sliding_window": 4096,
            "max_window_layers": 62, "layer_types": .null, "eos_token_id": .null,
            "rope_theta": 10_000,
        ], parts: ModelDescription.dots1)
}

extension ModelDescription {
    fileprivate static func dots1(_ fields: ConfigFields) throws -> Parts {
        // The published file calls it by the name of DeepSeek's method.
        if let value = try fields.text("scoring_func"), value != "noaux_tc", value != "sigmoid" {
            throw CambiumError(
                .badConfig,
                "config scoring_func is \(value.debugDescription); \"noaux_tc\" is run")
        }
        let attention = try grouped(fields, norm: .head, bias: fields.flag("attention_bias"))
        let experts = try groupedExperts(fields, counts: Architecture.dots1.countKeys)
        // The last layers slide; a list says it for each.
        let window = try fields.optionalWhole("sliding_window", in: 1...1 << 40)
        let first = try fields.whole("max_window_layers", in: 0...1 << 20)
        let types = try fields.texts("layer_types")
        let count = try layerCount(fields)
        if let types, types.count != count {
            throw CambiumError(
                .badConfig, "config layer_types has \(types.count) entries for \(count) layers")
        }
        func slides(_ layer: Int) -> Bool {
            types.map { $0[layer] == "sliding_attention" } ?? (layer >= first)
        }
        return try parts(
            fields, attention, window: { slides($0) ? window : nil },
            feedForward: denseThenSparse(fields, experts))
    }
}
