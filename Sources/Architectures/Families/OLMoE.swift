internal import Elements

extension Architecture {
    /// OLMoE (2409.02060).
    static let olmoe = Architecture(
        name: "olmoe", classPrefix: "Olmoe", countKeys: ["num_experts", "num_local_experts"],
        names: ExpertNames(),
        defaults: [
            "vocab_size": 50304, "hidden_size": 2048, "intermediate_size": 2048,
            "num_hidden_layers": 16, "num_attention_heads": 16, "num_key_value_heads": .null,
            "hidden_act": "silu", "max_position_embeddings": 4096, "rms_norm_eps": 1e-5,
            "eos_token_id": 50279, "tie_word_embeddings": false, "attention_bias": false,
            "clip_qkv": .null, "num_experts_per_tok": 8, "num_experts": 64, "norm_topk_prob": false,
            "rope_theta": 10_000,
        ], parts: ModelDescription.olmoe)
}

extension ModelDescription {
    fileprivate static func olmoe(_ fields: ConfigFields) throws -> Parts {
        let bias = try fields.flag("attention_bias")
        let clip =
            fields.has("clip_qkv") ? Float(try fields.number("clip_qkv", in: 1e-30...1e30)) : nil
        let attention = try grouped(fields, norm: .projection, bias: bias, clip: clip)
        guard try attention.headSize == hiddenSize(fields) / attention.heads else {
            throw CambiumError(
                .badConfig,
                "config head_dim is \(attention.headSize); the norms of an olmoe are over hidden_size "
                    + "elements, so it must be \(try hiddenSize(fields) / attention.heads)")
        }
        try refuseWindow(fields, .olmoe)
        let experts = try experts(
            fields, counts: Architecture.olmoe.countKeys,
            intermediateSize: fields.whole("intermediate_size", in: 1...1 << 20),
            scoring: .softmaxOfAll(normalised: try fields.flag("norm_topk_prob")))
        return try parts(fields, attention) { _ in .experts(experts) }
    }
}
