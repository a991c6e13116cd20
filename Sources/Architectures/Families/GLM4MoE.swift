internal import Elements

extension Architecture {
    /// GLM-4.5 and GLM-4.6 (2508.06471): DeepSeek-V3's router and shared experts below grouped attention, of which a part
    /// of each head turns.
    static let glm4MoE = Architecture(
        name: "glm4_moe", classPrefix: "Glm4Moe",
        countKeys: ["n_routed_experts", "num_local_experts"],
        names: ExpertNames(router: ["gate.weight", "gate.e_score_correction_bias"]),
        defaults: [
            "vocab_size": 151_552, "hidden_size": 4096, "intermediate_size": 10944,
            "num_hidden_layers": 46, "num_attention_heads": 96, "num_key_value_heads": 8,
            "hidden_act": "silu", "max_position_embeddings": 131_072, "rms_norm_eps": 1e-5,
            "tie_word_embeddings": false, "attention_bias": false, "moe_intermediate_size": 1408,
            "num_experts_per_tok": 8, "n_shared_experts": 1, "n_routed_experts": 128,
            "routed_scaling_factor": 1, "n_group": 1, "topk_group": 1,
            "first_k_dense_replace": 1, "norm_topk_prob": true, "use_qk_norm": false,
            "eos_token_id": .null, "num_mtp_layers": 1, "partial_rotary_factor": 0.5,
            "rope_theta": 10_000,
        ], parts: ModelDescription.glm4MoE)
}

extension ModelDescription {
    fileprivate static func glm4MoE(_ fields: ConfigFields) throws -> Parts {
        try checkDeepseekRouter(fields)
        let attention = try grouped(
            fields, norm: fields.flag("use_qk_norm") ? .head : .none,
            bias: fields.flag("attention_bias"), outputBias: false)
        return try parts(
            fields, attention, turning: attention.headSize,
            feedForward: denseThenSparse(
                fields, groupedExperts(fields, counts: Architecture.glm4MoE.countKeys)))
    }
}
