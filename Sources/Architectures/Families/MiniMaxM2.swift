internal import Elements

extension Architecture {
    /// MiniMax-M2: Mixtral's experts, picked by corrected sigmoids; norms over all heads together, of which a part turns.
    static let miniMaxM2 = Architecture(
        name: "minimax_m2", classPrefix: "MiniMaxM2",
        countKeys: ["num_local_experts", "num_experts"],
        names: ExpertNames(
            block: "block_sparse_moe", stackedBlock: "mlp",
            parts: ["w1.weight", "w3.weight", "w2.weight"],
            router: ["gate.weight", "e_score_correction_bias"], example: "0.w1.weight",
            exampleLayer: 0),
        defaults: [
            "vocab_size": 200_064, "hidden_size": 3072, "intermediate_size": 1536,
            "num_hidden_layers": 62, "num_attention_heads": 48, "num_key_value_heads": 8,
            "head_dim": 128, "hidden_act": "silu", "max_position_embeddings": 196_608,
            "rms_norm_eps": 1e-6, "eos_token_id": 200_020, "tie_word_embeddings": false,
            "num_experts_per_tok": 8, "num_local_experts": 256, "rope_theta": 5_000_000,
        ], parts: ModelDescription.miniMaxM2)
}

extension ModelDescription {
    fileprivate static func miniMaxM2(_ fields: ConfigFields) throws -> Parts {
        try refuseWindow(fields, .miniMaxM2)
        try checkMiniMax(fields)
        let attention = try grouped(fields, norm: .projection)
        let experts = try experts(
            fields, counts: Architecture.miniMaxM2.countKeys,
            intermediateSize: fields.whole("intermediate_size", in: 1...1 << 20),
            scoring: .grouped(ExpertGrouping(), hasCorrection: true))
        // What turns, as older files say it.
        let turning = try fields.optionalWhole("rotary_dim", in: 2...attention.headSize)
        let parts = try parts(fields, attention, turning: turning ?? attention.headSize) { _ in
            .experts(experts)
        }
        guard let turning, turning != parts.rotation.size else { return parts }
        throw fields.contradiction(
            "rotary_dim", turning, "partial_rotary_factor's part of a head", parts.rotation.size)
    }

    /// Fields of MiniMax's own code that the library does not read: only the values that it takes for granted are run.
    private static func checkMiniMax(_ fields: ConfigFields) throws {
        if let value = try fields.text("scoring_func"), value != "sigmoid" {
            throw CambiumError(
                .badConfig, "config scoring_func is \(value.debugDescription); \"sigmoid\" is run")
        }
        for name in ["use_qk_norm", "use_routing_bias"]
        where try !fields.flag(name, otherwise: true) {
            throw CambiumError(.badConfig, "config \(name) is false; models with it are run")
        }
        if let value = try fields.text("qk_norm_type"), value != "per_layer" {
            throw CambiumError(
                .badConfig,
                "config qk_norm_type is \(value.debugDescription); \"per_layer\" is run")
        }
        _ = try fields.whole("shared_intermediate_size", in: 0...0, otherwise: 0)
        for type in try fields.wholes("attn_type_list", in: 0...1 << 20) ?? [] where type != 1 {
            throw CambiumError(
                .badConfig,
                "config attn_type_list has \(type); layers with attention by softmax, 1, are run")
        }
    }
}
