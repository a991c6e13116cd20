internal import Elements

extension Architecture {
    /// DeepSeek-V3 (2412.19437).
    static let deepseekV3 = Architecture(
        name: "deepseek_v3", classPrefix: "DeepseekV3",
        countKeys: ["n_routed_experts", "num_local_experts"],
        names: ExpertNames(router: ["gate.weight", "gate.e_score_correction_bias"]),
        defaults: [
            "vocab_size": 129_280, "hidden_size": 7168, "intermediate_size": 18432,
            "moe_intermediate_size": 2048, "num_hidden_layers": 61, "num_attention_heads": 128,
            "n_shared_experts": 1, "n_routed_experts": 256, "routed_scaling_factor": 2.5,
            "kv_lora_rank": 512, "q_lora_rank": 1536, "qk_rope_head_dim": 64, "v_head_dim": 128,
            "qk_nope_head_dim": 128, "n_group": 8, "topk_group": 4, "num_experts_per_tok": 8,
            "first_k_dense_replace": 3, "norm_topk_prob": true, "hidden_act": "silu",
            "max_position_embeddings": 4096, "rms_norm_eps": 1e-6, "eos_token_id": 1,
            "tie_word_embeddings": false, "rope_interleave": true, "attention_bias": false,
            "num_nextn_predict_layers": 1, "rope_theta": 10_000,
        ], parts: ModelDescription.deepseek)
}

extension ModelDescription {
    fileprivate static func deepseek(_ fields: ConfigFields) throws -> Parts {
        try checkDeepseek(fields)
        let experts = try groupedExperts(fields, counts: Architecture.deepseekV3.countKeys)
        return try parts(
            fields, latent(fields), feedForward: denseThenSparse(fields, experts))
    }

    /// The feed-forward of a layer where the first ones are dense.
    static func denseThenSparse(
        _ fields: ConfigFields, _ experts: Experts
    ) throws -> (Int) -> FeedForward {
        let dense = FeedForward.dense(
            intermediateSize: try fields.whole("intermediate_size", in: 1...1 << 20))
        let first = try fields.whole("first_k_dense_replace", in: 0...4096)
        return { $0 < first ? dense : .experts(experts) }
    }

    /// Experts in groups, picked by sigmoids or shares, beside shared ones.
    ///
    /// - Parameters:
    ///   - isGrouped: Whether the fields of groups count.
    ///   - scoring: Of the number of groups, how many of them are picked, whether weights are normalised, and their
    ///     scale.
    static func groupedExperts(
        _ fields: ConfigFields, counts: [String], isGrouped: Bool = true,
        scoring: (Int, Int, Bool, Float) -> Experts.Scoring = {
            .grouped(
                ExpertGrouping(groups: $0, pickedGroups: $1, isNormalised: $2, scale: $3),
                hasCorrection: true)
        }
    ) throws -> Experts {
        let shared = try fields.whole("n_shared_experts", in: 0...1024)
        let intermediateSize = try fields.whole("moe_intermediate_size", in: 1...1 << 20)
        let groups = isGrouped ? try fields.whole("n_group", in: 1...65_536) : 1
        let picked = isGrouped ? try fields.whole("topk_group", in: 1...groups) : 1
        let experts = try experts(
            fields, counts: counts, intermediateSize: intermediateSize,
            shared: shared == 0 ? nil : Shared(intermediateSize: shared * intermediateSize),
            scoring: scoring(
                groups, picked, try fields.flag("norm_topk_prob"),
                Float(try fields.number("routed_scaling_factor", in: -1e6...1e6))))
        guard experts.count % groups == 0, groups == 1 || experts.count / groups >= 2,
            experts.topK <= experts.count / groups * picked
        else {
            throw CambiumError(
                .badConfig,
                "config picks \(experts.topK) experts from \(picked) of n_group \(groups) groups"
                    + (fields.states("n_group") ? "" : " (the default, since n_group is left out)")
                    + "; \(experts.count) experts do not divide into such groups")
        }
        return experts
    }

    /// Fields of DeepSeek's own code that the library does not read: only the values that it takes for granted
    /// are run.
    static func checkDeepseek(_ fields: ConfigFields) throws {
        try checkDeepseekRouter(fields)
        try checkLatentHeads(fields)
    }

    /// Refuses fewer heads of keys than of queries, which latent attention does not have.
    static func checkLatentHeads(_ fields: ConfigFields) throws {
        let heads = try fields.whole("num_attention_heads", in: 1...4096)
        let kvHeads = try fields.whole("num_key_value_heads", in: 1...4096, otherwise: heads)
        guard kvHeads == heads else {
            throw fields.contradiction(
                "num_attention_heads", heads, "num_key_value_heads", kvHeads)
        }
    }

    /// As ``checkDeepseek(_:)``, of the router alone.
    static func checkDeepseekRouter(_ fields: ConfigFields) throws {
        for (name, only) in [("scoring_func", "sigmoid"), ("topk_method", "noaux_tc")] {
            guard let value = try fields.text(name), value != only else { continue }
            throw CambiumError(
                .badConfig,
                "config \(name) is \(value.debugDescription); \(only.debugDescription) is run")
        }
        _ = try fields.whole("moe_layer_freq", in: 1...1, otherwise: 1)
    }
}
