internal import Elements

extension Architecture {
    /// DeepSeek-V2 (2405.04434): latent attention, and experts picked by shares of a softmax, in groups or not.
    static let deepseekV2 = Architecture(
        name: "deepseek_v2", classPrefix: "DeepseekV2",
        countKeys: ["n_routed_experts", "num_experts"],
        defaults: [
            "vocab_size": 102_400, "hidden_size": 4096, "intermediate_size": 11008,
            "num_hidden_layers": 32, "num_attention_heads": 32, "hidden_act": "silu",
            "max_position_embeddings": 2048, "rms_norm_eps": 1e-6, "eos_token_id": 2,
            "tie_word_embeddings": false, "attention_bias": false, "mlp_bias": false,
            "first_k_dense_replace": 0, "kv_lora_rank": 512, "q_lora_rank": 1536,
            "n_group": .null, "n_routed_experts": 64, "n_shared_experts": 2,
            "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "routed_scaling_factor": 1,
            "topk_group": .null, "topk_method": "greedy", "norm_topk_prob": false,
            "v_head_dim": 128, "num_experts_per_tok": .null, "moe_intermediate_size": 1407,
            "rope_theta": 10_000,
        ], parts: ModelDescription.deepseekV2)
}

extension ModelDescription {
    fileprivate static func deepseekV2(_ fields: ConfigFields) throws -> Parts {
        try checkLatentHeads(fields)
        if let value = try fields.text("scoring_func"), value != "softmax" {
            throw CambiumError(
                .badConfig, "config scoring_func is \(value.debugDescription); \"softmax\" is run")
        }
        _ = try fields.whole("moe_layer_freq", in: 1...1, otherwise: 1)
        for name in ["mlp_bias", "norm_topk_prob"] where try fields.flag(name) {
            throw CambiumError(
                .badConfig, "config \(name) is true; a deepseek_v2 is run without it")
        }
        let method = try fields.text("topk_method") ?? "null"
        let isGrouped = method == "group_limited_greedy"
        guard isGrouped || method == "greedy" else {
            throw CambiumError(
                .badConfig,
                "config topk_method is \(method.debugDescription); \"greedy\" and "
                    + "\"group_limited_greedy\" are run")
        }
        let experts = try groupedExperts(
            fields, counts: Architecture.deepseekV2.countKeys, isGrouped: isGrouped
        ) { groups, picked, _, scale in
            .grouped(
                ExpertGrouping(
                    score: .softmax, groups: groups, pickedGroups: picked, groupBest: 1,
                    isNormalised: false, scale: scale), hasCorrection: false)
        }
        return try parts(
            fields, latent(fields, isInterleaved: true),
            feedForward: denseThenSparse(fields, experts))
    }
}
