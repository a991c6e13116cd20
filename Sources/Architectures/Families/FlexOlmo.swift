internal import Elements

extension Architecture {
    /// FlexOlmo (2507.07024): OLMoE's experts and norms of queries and keys, with OLMo 2's norms behind attention and
    /// feed-forward.
    static let flexOlmo = Architecture(
        name: "flex_olmo", classPrefix: "FlexOlmo",
        countKeys: ["num_experts", "num_local_experts"],
        defaults: [
            "vocab_size": 100_352, "hidden_size": 4096, "intermediate_size": 11008,
            "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": .null,
            "hidden_act": "silu", "max_position_embeddings": 4096, "rms_norm_eps": 1e-6,
            "eos_token_id": 100_257, "tie_word_embeddings": false, "attention_bias": false,
            "num_experts_per_tok": 5, "num_experts": 7, "norm_topk_prob": false,
            "rope_theta": 500_000,
        ], parts: ModelDescription.flexOlmo)
}

extension ModelDescription {
    fileprivate static func flexOlmo(_ fields: ConfigFields) throws -> Parts {
        try refuseWindow(fields, .flexOlmo)
        let attention = try grouped(
            fields, norm: .projection, bias: fields.flag("attention_bias"))
        let experts = try experts(
            fields, counts: Architecture.flexOlmo.countKeys,
            intermediateSize: fields.whole("intermediate_size", in: 1...1 << 20),
            scoring: .softmaxOfAll(normalised: try fields.flag("norm_topk_prob")))
        return try parts(fields, attention, normsFollow: true) { _ in .experts(experts) }
    }
}
