internal import Elements

extension Architecture {
    /// Granite 3's mixture-of-experts models: experts stacked below the block, and multipliers of the embedding, of what
    /// layers add, of scores and of logits.
    static let graniteMoE = Architecture(
        name: "granitemoe", classPrefix: "GraniteMoe", countKeys: ["num_local_experts"],
        names: ExpertNames(
            block: "block_sparse_moe", router: ["router.layer.weight"],
            example: ExpertNames.stackedBeside[0], exampleLayer: 0),
        defaults: [
            "vocab_size": 32000, "hidden_size": 4096, "intermediate_size": 11008,
            "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": .null,
            "hidden_act": "silu", "max_position_embeddings": 2048, "rms_norm_eps": 1e-6,
            "eos_token_id": 2, "tie_word_embeddings": false, "attention_bias": false,
            "embedding_multiplier": 1, "logits_scaling": 1, "residual_multiplier": 1,
            "attention_multiplier": 1, "num_local_experts": 8, "num_experts_per_tok": 2,
            "rope_theta": 10_000,
        ], parts: ModelDescription.graniteMoE)
}

extension ModelDescription {
    fileprivate static func graniteMoE(_ fields: ConfigFields) throws -> Parts {
        var attention = try grouped(fields, norm: .none, bias: fields.flag("attention_bias"))
        attention.scale = Float(try fields.number("attention_multiplier", in: -1e6...1e6))
        let experts = try experts(
            fields, counts: Architecture.graniteMoE.countKeys,
            intermediateSize: fields.whole("intermediate_size", in: 1...1 << 20),
            scoring: .softmaxOfPicked)
        var parts = try parts(fields, attention) { _ in .experts(experts) }
        parts.multipliers = Multipliers(
            embedding: Float(try fields.number("embedding_multiplier", in: -1e6...1e6)),
            residual: Float(try fields.number("residual_multiplier", in: -1e6...1e6)),
            logitDivisor: Float(try fields.number("logits_scaling", in: 1e-6...1e6)))
        return parts
    }
}
