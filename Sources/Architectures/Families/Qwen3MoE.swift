internal import Elements

extension Architecture {
    /// Qwen3-MoE (2505.09388).
    static let qwen3MoE = Architecture(
        name: "qwen3_moe", classPrefix: "Qwen3Moe",
        countKeys: ["num_experts", "num_local_experts"],
        names: ExpertNames(),
        defaults: [
            "vocab_size": 151_936, "hidden_size": 2048, "intermediate_size": 6144,
            "num_hidden_layers": 24, "num_attention_heads": 32, "num_key_value_heads": 4,
            "hidden_act": "silu", "max_position_embeddings": 32768, "rms_norm_eps": 1e-6,
            "eos_token_id": .null, "tie_word_embeddings": false, "attention_bias": false,
            "use_sliding_window": false, "sliding_window": 4096, "decoder_sparse_step": 1,
            "moe_intermediate_size": 768, "num_experts_per_tok": 8, "num_experts": 128,
            "norm_topk_prob": false, "mlp_only_layers": .null, "rope_theta": 10_000,
        ], parts: ModelDescription.qwen3)
}

extension ModelDescription {
    fileprivate static func qwen3(_ fields: ConfigFields) throws -> Parts {
        let attention = try grouped(fields, norm: .head, bias: fields.flag("attention_bias"))
        let experts = try experts(
            fields, counts: Architecture.qwen3MoE.countKeys,
            intermediateSize: fields.whole("moe_intermediate_size", in: 1...1 << 20),
            scoring: .softmaxOfAll(normalised: try fields.flag("norm_topk_prob")))
        let window = try usedWindow(fields)
        return try parts(
            fields, attention, window: { _ in window }, feedForward: sparse(fields, experts))
    }
}
