internal import Elements

extension Architecture {
    /// Qwen3-Next: in three layers of four the gated delta rule in the place of attention, attention with an output gate
    /// in the fourth, norms around 1 and a shared expert with a gate.
    static let qwen3Next = Architecture(
        name: "qwen3_next", classPrefix: "Qwen3Next",
        countKeys: ["num_experts", "num_local_experts"],
        defaults: common.merging([
            "vocab_size": 151_936, "intermediate_size": 5632, "num_hidden_layers": 48,
            "decoder_sparse_step": 1, "mlp_only_layers": .null, "num_experts_per_tok": 10,
            "num_experts": 512, "norm_topk_prob": true,
        ]) { $1 }, parts: ModelDescription.qwen3Next)

    /// Qwen3.5-MoE and Qwen3.6-MoE: Qwen3-Next with projections apart and experts in every layer; the language model
    /// of one that also sees.
    static let qwen35MoE = Architecture(
        name: "qwen3_5_moe", classPrefix: "Qwen3_5Moe", otherNames: ["qwen3_5_moe_text"],
        isNested: true, countKeys: ["num_experts", "num_local_experts"],
        defaults: common.merging([
            "vocab_size": 248_320, "num_hidden_layers": 40, "num_experts_per_tok": 8,
            "num_experts": 256,
        ]) { $1 }, parts: ModelDescription.qwen35MoE)

    private static let common: [String: JSONValue] = [
        "hidden_size": 2048, "num_attention_heads": 16, "num_key_value_heads": 2,
        "hidden_act": "silu", "max_position_embeddings": 32768, "rms_norm_eps": 1e-6,
        "tie_word_embeddings": false, "attention_bias": false, "head_dim": 256,
        "linear_conv_kernel_dim": 4, "linear_key_head_dim": 128, "linear_value_head_dim": 128,
        "linear_num_key_heads": 16, "linear_num_value_heads": 32, "moe_intermediate_size": 512,
        "shared_expert_intermediate_size": 512, "layer_types": .null,
        "full_attention_interval": 4, "eos_token_id": .null, "partial_rotary_factor": 0.25,
        "rope_theta": 10_000,
    ]
}

extension ModelDescription {
    fileprivate static func qwen3Next(_ fields: ConfigFields) throws -> Parts {
        let normalised = try fields.flag("norm_topk_prob")
        let experts = try sharedExperts(fields, .qwen3Next, normalised: normalised)
        return try qwenLayers(
            fields, isSplit: false, feedForward: sparse(fields, experts))
    }

    fileprivate static func qwen35MoE(_ fields: ConfigFields) throws -> Parts {
        // Fields of Qwen3-Next that the library does not read here.
        for name in ["norm_topk_prob", "attn_output_gate"]
        where try !fields.flag(name, otherwise: true) {
            throw CambiumError(
                .badConfig, "config \(name) is false; a qwen3_5_moe is run with it")
        }
        guard try (fields.wholes("mlp_only_layers", in: 0...1 << 20) ?? []).isEmpty else {
            throw CambiumError(
                .badConfig,
                "config mlp_only_layers names layers; a qwen3_5_moe is run with experts in all")
        }
        _ = try fields.whole("decoder_sparse_step", in: 1...1, otherwise: 1)
        let experts = try sharedExperts(fields, .qwen35MoE, normalised: true)
        return try qwenLayers(fields, isSplit: true) { _ in .experts(experts) }
    }

    private static func sharedExperts(
        _ fields: ConfigFields, _ family: Architecture, normalised: Bool
    ) throws -> Experts {
        try experts(
            fields, counts: family.countKeys,
            intermediateSize: fields.whole("moe_intermediate_size", in: 1...1 << 20),
            shared: Shared(
                name: "shared_expert",
                intermediateSize: fields.whole("shared_expert_intermediate_size", in: 1...1 << 20),
                gate: "shared_expert_gate"),
            scoring: .softmaxOfAll(normalised: normalised))
    }

    /// - Parameter isSplit: Whether the inputs of the delta rule have projections of their own.
    private static func qwenLayers(
        _ fields: ConfigFields, isSplit: Bool, feedForward: (Int) -> FeedForward
    ) throws -> Parts {
        var attention = try grouped(fields, norm: .head, bias: fields.flag("attention_bias"))
        attention.isGated = true
        let delta = try delta(fields, isSplit: isSplit)
        let count = try layerCount(fields)
        let types = try fields.texts("layer_types")
        if let types, types.count != count {
            throw CambiumError(
                .badConfig, "config layer_types has \(types.count) entries for \(count) layers")
        }
        for type in types ?? [] where type != "linear_attention" && type != "full_attention" {
            throw CambiumError(
                .badConfig,
                "config layer_types has \(type.debugDescription); linear_attention and "
                    + "full_attention are run")
        }
        let interval = try fields.whole("full_attention_interval", in: 1...1 << 20)
        func isFull(_ layer: Int) -> Bool {
            types.map { $0[layer] == "full_attention" } ?? ((layer + 1) % interval == 0)
        }
        var parts = try parts(
            fields, attention, turning: attention.headSize, feedForward: feedForward)
        parts.normForm = .aroundOne
        parts.layers = parts.layers.enumerated().map { index, layer in
            isFull(index)
                ? layer : Layer(attention: .delta(delta), window: nil, blocks: layer.blocks)
        }
        return parts
    }

    private static func delta(_ fields: ConfigFields, isSplit: Bool) throws -> DeltaAttention {
        let keyHeads = try fields.whole("linear_num_key_heads", in: 1...4096)
        let valueHeads = try fields.whole("linear_num_value_heads", in: 1...4096)
        guard valueHeads % keyHeads == 0 else {
            throw CambiumError(
                .badConfig,
                "config linear_num_value_heads \(valueHeads) is no multiple of "
                    + "linear_num_key_heads \(keyHeads)")
        }
        let keySize = try fields.whole("linear_key_head_dim", in: 1...4096)
        let valueSize = try fields.whole("linear_value_head_dim", in: 1...4096)
        // 32 x 128 x 128 are in use; each layer keeps so many floats of each text.
        guard valueHeads * keySize * valueSize <= 1 << 24 else {
            throw CambiumError(
                .badConfig,
                "config linear_num_value_heads \(valueHeads), linear_key_head_dim \(keySize) and linear_value_head_dim "
                    + "\(valueSize) make a state of \(valueHeads * keySize * valueSize) elements a layer; at most "
                    + "\(1 << 24) are run")
        }
        return DeltaAttention(
            keyHeads: keyHeads, valueHeads: valueHeads, keySize: keySize, valueSize: valueSize,
            taps: try fields.whole("linear_conv_kernel_dim", in: 1...64), isSplit: isSplit)
    }
}
