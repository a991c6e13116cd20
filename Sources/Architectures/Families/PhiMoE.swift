internal import Elements

extension Architecture {
    /// Phi-3.5-MoE (2404.14219): Mixtral's experts, two of which SparseMixer picks and weighs; norms with a mean and biases.
    static let phiMoE = Architecture(
        name: "phimoe", classPrefix: "Phimoe", countKeys: ["num_local_experts"],
        names: ExpertNames(
            block: "block_sparse_moe", stackedBlock: "mlp",
            parts: ["w1.weight", "w3.weight", "w2.weight"], example: "0.w1.weight",
            exampleLayer: 0),
        defaults: [
            "vocab_size": 32064, "hidden_size": 4096, "intermediate_size": 6400,
            "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8,
            "hidden_act": "silu", "max_position_embeddings": 131_072, "rms_norm_eps": 1e-5,
            "eos_token_id": 2, "tie_word_embeddings": false, "sliding_window": .null,
            "num_experts_per_tok": 2, "num_local_experts": 16, "router_jitter_noise": 0.01,
            "attention_bias": false, "lm_head_bias": false, "rope_theta": 1_000_000,
        ], parts: ModelDescription.phiMoE)
}

extension ModelDescription {
    fileprivate static func phiMoE(_ fields: ConfigFields) throws -> Parts {
        let attention = try grouped(fields, norm: .none, bias: fields.flag("attention_bias"))
        let jitter = Float(try fields.number("router_jitter_noise", in: 0...1))
        let experts = try experts(
            fields, counts: Architecture.phiMoE.countKeys,
            intermediateSize: fields.whole("intermediate_size", in: 1...1 << 20),
            scoring: .sparseMixer(jitter: jitter))
        guard experts.topK == 2 else {
            throw CambiumError(
                .badConfig,
                "config num_experts_per_tok is \(experts.topK); SparseMixer picks two experts, 2 is run"
            )
        }
        let window = try fields.optionalWhole("sliding_window", in: 1...1 << 40)
        var parts = try parts(fields, attention, window: { _ in window }) { _ in
            .experts(experts)
        }
        parts.normForm = .centred
        parts.headHasBias = try fields.flag("lm_head_bias")
        return parts
    }
}
