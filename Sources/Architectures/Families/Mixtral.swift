internal import Elements

extension Architecture {
    /// Mixtral (2401.04088).
    static let mixtral = Architecture(
        name: "mixtral", classPrefix: "Mixtral", countKeys: ["num_local_experts", "num_experts"],
        names: ExpertNames(
            block: "block_sparse_moe", stackedBlock: "mlp",
            parts: ["w1.weight", "w3.weight", "w2.weight"], example: "0.w1.weight",
            exampleLayer: 0),
        defaults: [
            "vocab_size": 32000, "hidden_size": 4096, "intermediate_size": 14336,
            "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8,
            "head_dim": .null, "hidden_act": "silu", "max_position_embeddings": 131_072,
            "rms_norm_eps": 1e-5, "eos_token_id": 2, "tie_word_embeddings": false,
            "sliding_window": .null, "num_experts_per_tok": 2, "num_local_experts": 8,
            "rope_theta": 1_000_000,
        ], parts: ModelDescription.mixtral)
}

extension ModelDescription {
    fileprivate static func mixtral(_ fields: ConfigFields) throws -> Parts {
        let attention = try grouped(fields, norm: .none)
        let experts = try experts(
            fields, counts: Architecture.mixtral.countKeys,
            intermediateSize: fields.whole("intermediate_size", in: 1...1 << 20),
            scoring: .softmaxOfAll(normalised: true))
        let window = try fields.optionalWhole("sliding_window", in: 1...1 << 40)
        return try parts(fields, attention, window: { _ in window }) { _ in .experts(experts) }
    }
}
