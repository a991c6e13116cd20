internal import Elements

extension Architecture {
    /// Qwen1.5-MoE and Qwen2-MoE (2407.10671): biases of queries, keys and values, and a shared expert with a gate.
    static let qwen2MoE = Architecture(
        name: "qwen2_moe", classPrefix: "Qwen2Moe",
        countKeys: ["num_experts", "num_local_experts"],
        defaults: [
            "vocab_size": 151_936, "hidden_size": 2048, "intermediate_size": 5632,
            "num_hidden_layers": 24, "num_attention_heads": 16, "num_key_value_heads": 16,
            "hidden_act": "silu", "max_position_embeddings": 32768, "rms_norm_eps": 1e-6,
            "eos_token_id": .null, "tie_word_embeddings": false, "qkv_bias": true,
            "use_sliding_window": false, "sliding_window": 4096, "max_window_layers": 28,
            "decoder_sparse_step": 1, "moe_intermediate_size": 1408,
            "shared_expert_intermediate_size": 5632, "num_experts_per_tok": 4, "num_experts": 60,
            "norm_topk_prob": false, "mlp_only_layers": .null, "rope_theta": 10_000,
        ], parts: ModelDescription.qwen2)
}

extension ModelDescription {
    fileprivate static func qwen2(_ fields: ConfigFields) throws -> Parts {
        let attention = try grouped(
            fields, norm: .none, bias: fields.flag("qkv_bias"), outputBias: false)
        let experts = try experts(
            fields, counts: Architecture.qwen2MoE.countKeys,
            intermediateSize: fields.whole("moe_intermediate_size", in: 1...1 << 20),
            shared: Shared(
                name: "shared_expert",
                intermediateSize: fields.whole("shared_expert_intermediate_size", in: 1...1 << 20),
                gate: "shared_expert_gate"),
            scoring: .softmaxOfAll(normalised: try fields.flag("norm_topk_prob")))
        // Every second of the first layers slides, where any does.
        let window = try usedWindow(fields)
        let sliding = try fields.whole("max_window_layers", in: 0...1 << 20)
        return try parts(
            fields, attention, window: { $0 % 2 == 0 && $0 < sliding ? window : nil },
            feedForward: sparse(fields, experts))
    }
}
