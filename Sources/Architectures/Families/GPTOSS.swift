internal import Elements

extension Architecture {
    /// gpt-oss (2508.10925).
    static let gptOSS = Architecture(
        name: "gpt_oss", classPrefix: "GptOss", countKeys: ["num_local_experts", "num_experts"],
        names: ExpertNames(
            router: ["router.weight", "router.bias"], isOpaque: true, example: "gate_up_proj",
            exampleLayer: 0),
        defaults: [
            "num_hidden_layers": 36, "num_local_experts": 128, "vocab_size": 201_088,
            "hidden_size": 2880, "intermediate_size": 2880, "head_dim": 64,
            "num_attention_heads": 64, "num_key_value_heads": 8, "sliding_window": 128,
            "tie_word_embeddings": false, "hidden_act": "silu",
            "max_position_embeddings": 131_072, "rms_norm_eps": 1e-5, "num_experts_per_tok": 4,
            "swiglu_alpha": 1.702, "swiglu_limit": 7, "layer_types": .null, "eos_token_id": .null,
            "attention_bias": true, "rope_theta": 150_000,
            "rope_parameters": [
                "rope_type": "yarn", "factor": 32, "beta_fast": 32, "beta_slow": 1,
                "truncate": false, "original_max_position_embeddings": 4096,
            ],
        ], parts: ModelDescription.gptOSS)
}

extension ModelDescription {
    fileprivate static func gptOSS(_ fields: ConfigFields) throws -> Parts {
        let attention = try grouped(
            fields, norm: .none, bias: fields.flag("attention_bias"), sinks: true)
        let kind = GatedExpertKind.columns(
            alpha: Float(try fields.number("swiglu_alpha", in: 0...1e6)),
            limit: Float(try fields.number("swiglu_limit", in: 0...1e30)))
        let experts = try experts(
            fields, counts: Architecture.gptOSS.countKeys,
            intermediateSize: fields.whole("intermediate_size", in: 1...1 << 20), kind: kind,
            scoring: .softmaxOfPicked, routerHasBias: true)
        let types = try fields.texts("layer_types")
        let count = try layerCount(fields)
        if let types, types.count != count {
            throw CambiumError(
                .badConfig, "config layer_types has \(types.count) entries for \(count) layers")
        }
        for type in types ?? [] where type != "sliding_attention" && type != "full_attention" {
            throw CambiumError(
                .badConfig,
                "config layer_types has \(type.debugDescription); sliding_attention and "
                    + "full_attention are run")
        }
        func isSliding(_ layer: Int) -> Bool {
            types.map { $0[layer] == "sliding_attention" } ?? (layer % 2 == 0)
        }
        // Null is for models of which no layer slides.
        let slides = (0..<count).contains(where: isSliding)
        let window = slides ? try fields.whole("sliding_window", in: 1...1 << 40) : 1
        return try parts(
            fields, .grouped(attention), window: { isSliding($0) ? window : nil },
            feedForward: { _ in .experts(experts) })
    }
}
