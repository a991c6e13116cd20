internal import Elements

extension Architecture {
    /// ERNIE-4.5-MoE: experts picked by corrected shares of a softmax; pairs that turn are adjacent.
    static let ernie45MoE = Architecture(
        name: "ernie4_5_moe", classPrefix: "Ernie4_5_Moe",
        countKeys: ["moe_num_experts", "num_experts"],
        names: ExpertNames(router: ["gate.weight", "moe_statics.e_score_correction_bias"]),
        defaults: [
            "vocab_size": 103_424, "eos_token_id": 2, "hidden_size": 2560,
            "intermediate_size": 12288, "num_hidden_layers": 28, "num_attention_heads": 20,
            "num_key_value_heads": 4, "hidden_act": "silu", "max_position_embeddings": 131_072,
            "rms_norm_eps": 1e-5, "tie_word_embeddings": true, "use_bias": false,
            "moe_intermediate_size": 1536, "moe_k": 6, "moe_num_experts": 64,
            "moe_num_shared_experts": 2, "moe_layer_start_index": 1, "moe_layer_end_index": -1,
            "moe_layer_interval": 1, "moe_norm_min": 1e-12, "rope_theta": 500_000,
        ], parts: ModelDescription.ernie45MoE)
}

extension ModelDescription {
    fileprivate static func ernie45MoE(_ fields: ConfigFields) throws -> Parts {
        guard try !fields.flag("use_bias") else {
            throw CambiumError(
                .badConfig,
                "config use_bias is true; an ernie4_5_moe is run without biases in its feed-forward"
            )
        }
        var attention = try grouped(fields, norm: .none)
        attention.isInterleaved = true
        let shared = try fields.whole("moe_num_shared_experts", in: 0...1024)
        let size = try fields.whole("moe_intermediate_size", in: 1...1 << 20)
        let least = try fields.number("moe_norm_min", in: 0...1)
        let experts = try experts(
            fields, counts: Architecture.ernie45MoE.countKeys,
            picks: ["moe_k", "num_experts_per_tok"], intermediateSize: size,
            shared: shared == 0 ? nil : Shared(intermediateSize: shared * size),
            scoring: .grouped(
                ExpertGrouping(score: .softmax, leastSum: Float(least)), hasCorrection: true))
        let dense = FeedForward.dense(
            intermediateSize: try fields.whole("intermediate_size", in: 1...1 << 20))
        let count = try layerCount(fields)
        let step = try fields.whole("moe_layer_interval", in: 1...1 << 20)
        let first = try fields.whole("moe_layer_start_index", in: 0...1 << 20)
        let last = try fields.whole("moe_layer_end_index", in: -1...1 << 20)
        return try parts(fields, attention) { layer in
            (layer + 1) % step == 0 && layer >= first && layer <= (last == -1 ? count : last)
                ? .experts(experts) : dense
        }
    }
}
