internal import Elements

extension Architecture {
    /// GLM-4.7-Flash: latent attention and grouped sigmoid routing as DeepSeek-V3 has them, with kinds of layers
    /// listed.
    static let glm4MoELite = Architecture(
        name: "glm4_moe_lite", classPrefix: "Glm4MoeLite",
        countKeys: ["n_routed_experts", "num_local_experts"],
        names: ExpertNames(router: ["gate.weight", "gate.e_score_correction_bias"]),
        defaults: [
            "vocab_size": 154_880, "hidden_size": 2048, "intermediate_size": 10240,
            "moe_intermediate_size": 1536, "num_hidden_layers": 47, "num_attention_heads": 20,
            "n_shared_experts": 1, "n_routed_experts": 64, "routed_scaling_factor": 1.8,
            "kv_lora_rank": 512, "q_lora_rank": 768, "qk_rope_head_dim": 64, "v_head_dim": 256,
            "qk_nope_head_dim": 192, "n_group": 1, "topk_group": 1, "num_experts_per_tok": 4,
            "norm_topk_prob": true, "hidden_act": "silu", "max_position_embeddings": 202_752,
            "rms_norm_eps": 1e-5, "eos_token_id": 1, "tie_word_embeddings": false,
            "rope_interleave": true, "mlp_layer_types": .null, "attention_bias": false,
            "rope_theta": 10_000,
        ], parts: ModelDescription.glm4MoELite)
}

extension ModelDescription {
    fileprivate static func glm4MoELite(_ fields: ConfigFields) throws -> Parts {
        try checkDeepseek(fields)
        let turning = try fields.whole("qk_rope_head_dim", in: 2...4096)
        let head = try fields.whole("head_dim", in: 2...4096, otherwise: turning)
        guard head == turning else {
            throw fields.contradiction("qk_rope_head_dim", turning, "head_dim", head)
        }
        let count = try layerCount(fields)
        let types =
            try fields.texts("mlp_layer_types")
            ?? (0..<count).map { $0 == 0 ? "dense" : "sparse" }
        guard types.count == count else {
            throw CambiumError(
                .badConfig, "config mlp_layer_types has \(types.count) entries for \(count) layers")
        }
        for type in types where type != "dense" && type != "sparse" {
            throw CambiumError(
                .badConfig,
                "config mlp_layer_types has \(type.debugDescription); dense and sparse are run")
        }
        // The library reads the list; older fields for the same must not say otherwise.
        let first = types.prefix { $0 == "dense" }.count
        let stated = try fields.whole("first_k_dense_replace", in: 0...4096, otherwise: first)
        guard stated == first else {
            throw fields.contradiction(
                "mlp_layer_types' dense layers in front", first, "first_k_dense_replace", stated)
        }
        let experts = try groupedExperts(
            fields, counts: Architecture.glm4MoELite.countKeys)
        let dense = FeedForward.dense(
            intermediateSize: try fields.whole("intermediate_size", in: 1...1 << 20))
        return try parts(fields, latent(fields)) {
            types[$0] == "dense" ? dense : .experts(experts)
        }
    }
}
