internal import Elements

extension Architecture {
    /// Mistral Small 4: DeepSeek-V3's attention with queries that grow with their position, and experts picked by shares of
    /// a softmax in groups.
    static let mistral4 = Architecture(
        name: "mistral4", classPrefix: "Mistral4",
        countKeys: ["n_routed_experts", "num_local_experts"],
        defaults: [
            "vocab_size": 131_072, "hidden_size": 4096, "intermediate_size": 12288,
            "moe_intermediate_size": 2048, "num_hidden_layers": 36, "num_attention_heads": 32,
            "n_shared_experts": 1, "n_routed_experts": 128, "routed_scaling_factor": 1,
            "kv_lora_rank": 256, "q_lora_rank": 1024, "qk_rope_head_dim": 64, "v_head_dim": 128,
            "qk_nope_head_dim": 64, "n_group": 1, "topk_group": 1, "num_experts_per_tok": 4,
            "first_k_dense_replace": 0, "norm_topk_prob": true, "hidden_act": "silu",
            "max_position_embeddings": 1_048_576, "rms_norm_eps": 1e-6, "eos_token_id": 2,
            "tie_word_embeddings": false, "rope_interleave": true, "attention_bias": false,
            "rope_theta": 10_000,
            "rope_parameters": [
                "type": "yarn", "factor": 128, "original_max_position_embeddings": 8192,
                "beta_fast": 32, "beta_slow": 1, "mscale_all_dim": 1, "mscale": 1,
                "llama_4_scaling_beta": 0.1,
            ],
        ], parts: ModelDescription.mistral4)
}

extension ModelDescription {
    fileprivate static func mistral4(_ fields: ConfigFields) throws -> Parts {
        try checkLatentHeads(fields)
        let experts = try groupedExperts(fields, counts: Architecture.mistral4.countKeys) {
            .grouped(
                ExpertGrouping(
                    score: .softmax, groups: $0, pickedGroups: $1, isNormalised: $2, scale: $3),
                hasCorrection: false)
        }
        let turning = try fields.whole("qk_rope_head_dim", in: 2...4096)
        return try parts(
            fields, latent(fields, growth: growth(fields)), turning: turning,
            feedForward: denseThenSparse(fields, experts))
    }

    private static func growth(_ fields: ConfigFields) throws -> QueryGrowth {
        // As the rotation is read; the older spelling counts.
        let older = try fields.object("rope_scaling")
        guard let own = try older?.isEmpty == false ? older : fields.object("rope_parameters")
        else { throw fields.absent("rope_parameters") }
        let context = try fields.number("max_position_embeddings", in: 1...1e12)
        return QueryGrowth(
            rate: try own.number("llama_4_scaling_beta", in: 0...1e3),
            step: try own.number(
                "original_max_position_embeddings", in: 1...1e12, otherwise: context))
    }
}
