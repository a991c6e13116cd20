internal import Elements

/// What architectures differ in, each as the transformers library has it.
extension ModelDescription {
    /// What is read differently for each.
    struct Parts {
        let rotation: Rotation
        let layers: [Layer]
    }

    static func olmoe(_ fields: ConfigFields) throws -> Parts {
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
        // Whether it slides depends on which of the library's kernels runs.
        guard !fields.has("sliding_window") else {
            throw CambiumError(
                .badConfig, "config sliding_window is given; an olmoe is run with its whole context"
            )
        }
        let experts = try experts(
            fields, counts: ["num_experts", "num_local_experts"],
            inner: fields.whole("intermediate_size", in: 1...1 << 20),
            scoring: .softmaxOfAll(normalised: try fields.flag("norm_topk_prob")))
        return try parts(fields, attention) { _ in .experts(experts) }
    }

    static func mixtral(_ fields: ConfigFields) throws -> Parts {
        let attention = try grouped(fields, norm: .none)
        let experts = try experts(
            fields, counts: ["num_local_experts", "num_experts"],
            inner: fields.whole("intermediate_size", in: 1...1 << 20),
            scoring: .softmaxOfAll(normalised: true))
        let window = try fields.optionalWhole("sliding_window", in: 1...1 << 40)
        return try parts(fields, attention, window: { _ in window }) { _ in .experts(experts) }
    }

    static func qwen3(_ fields: ConfigFields) throws -> Parts {
        let attention = try grouped(fields, norm: .head, bias: fields.flag("attention_bias"))
        let experts = try experts(
            fields, counts: ["num_experts", "num_local_experts"],
            inner: fields.whole("moe_intermediate_size", in: 1...1 << 20),
            scoring: .softmaxOfAll(normalised: try fields.flag("norm_topk_prob")))
        let dense = FeedForward.dense(inner: try fields.whole("intermediate_size", in: 1...1 << 20))
        let step = try fields.whole("decoder_sparse_step", in: 1...1 << 20)
        let denseLayers = Set(try fields.wholes("mlp_only_layers", in: 0...1 << 20) ?? [])
        let window =
            try fields.flag("use_sliding_window")
            ? try fields.optionalWhole("sliding_window", in: 1...1 << 40) : nil
        return try parts(fields, attention, window: { _ in window }) { layer in
            denseLayers.contains(layer) || (layer + 1) % step != 0 ? dense : .experts(experts)
        }
    }

    static func deepseek(_ fields: ConfigFields) throws -> Parts {
        try checkDeepseek(fields)
        let shared = try fields.whole("n_shared_experts", in: 0...1024)
        let inner = try fields.whole("moe_intermediate_size", in: 1...1 << 20)
        let groups = try fields.whole("n_group", in: 1...65_536)
        let picked = try fields.whole("topk_group", in: 1...groups)
        let experts = try experts(
            fields, counts: ["n_routed_experts", "num_local_experts"], inner: inner,
            shared: shared == 0 ? nil : shared * inner,
            scoring: .sigmoid(
                groups: groups, pickedGroups: picked,
                normalised: try fields.flag("norm_topk_prob"),
                scale: Float(try fields.number("routed_scaling_factor", in: -1e6...1e6))))
        guard experts.count % groups == 0, groups == 1 || experts.count / groups >= 2,
            experts.topK <= experts.count / groups * picked
        else {
            throw CambiumError(
                .badConfig,
                "config picks \(experts.topK) experts from \(picked) of n_group \(groups) groups"
                    + (fields.states("n_group") ? "" : " (the default, since n_group is left out)")
                    + "; \(experts.count) experts do not divide into such groups")
        }
        let dense = FeedForward.dense(inner: try fields.whole("intermediate_size", in: 1...1 << 20))
        let first = try fields.whole("first_k_dense_replace", in: 0...4096)
        return try parts(fields, latent(fields)) { $0 < first ? dense : .experts(experts) }
    }

    /// Fields of DeepSeek's own code that the library does not read: only the values that it takes for granted
    /// are run.
    private static func checkDeepseek(_ fields: ConfigFields) throws {
        for (name, only) in [("scoring_func", "sigmoid"), ("topk_method", "noaux_tc")] {
            guard let value = try fields.text(name), value != only else { continue }
            throw CambiumError(
                .badConfig,
                "config \(name) is \(value.debugDescription); \(only.debugDescription) is run")
        }
        _ = try fields.whole("moe_layer_freq", in: 1...1, otherwise: 1)
        let heads = try fields.whole("num_attention_heads", in: 1...4096)
        let keyHeads = try fields.whole("num_key_value_heads", in: 1...4096, otherwise: heads)
        guard keyHeads == heads else {
            throw fields.contradiction(
                "num_attention_heads", heads, "num_key_value_heads", keyHeads)
        }
    }

    static func gptOSS(_ fields: ConfigFields) throws -> Parts {
        let attention = try grouped(
            fields, norm: .none, bias: fields.flag("attention_bias"), sinks: true)
        let kind = GatedExpertKind.columns(
            alpha: Float(try fields.number("swiglu_alpha", in: 0...1e6)),
            limit: Float(try fields.number("swiglu_limit", in: 0...1e30)))
        let experts = try experts(
            fields, counts: ["num_local_experts", "num_experts"],
            inner: fields.whole("intermediate_size", in: 1...1 << 20), kind: kind,
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

    // MARK: Parts

    static func hiddenSize(_ fields: ConfigFields) throws -> Int {
        try fields.whole("hidden_size", in: 2...65_536)
    }

    private static func layerCount(_ fields: ConfigFields) throws -> Int {
        try fields.whole("num_hidden_layers", in: 1...4096)
    }

    private static func parts(
        _ fields: ConfigFields, _ attention: GroupedAttention,
        window: (Int) -> Int? = { _ in nil }, feedForward: (Int) -> FeedForward
    ) throws -> Parts {
        try parts(fields, .grouped(attention), window: window, feedForward: feedForward)
    }

    private static func parts(
        _ fields: ConfigFields, _ attention: Attention, window: (Int) -> Int? = { _ in nil },
        feedForward: (Int) -> FeedForward
    ) throws -> Parts {
        let size =
            switch attention {
            case .grouped(let grouped): grouped.headSize
            case .latent(let latent): latent.turningSize
            }
        return Parts(
            rotation: try Rotation(fields, size: size),
            layers: (0..<(try layerCount(fields))).map {
                Layer(
                    attention: attention, window: window($0),
                    blocks: [
                        Block(norm: "post_attention_layernorm", feedForward: feedForward($0))
                    ])
            })
    }

    private static func grouped(
        _ fields: ConfigFields, norm: GroupedAttention.Norm, bias: Bool = false,
        sinks: Bool = false, clip: Float? = nil
    ) throws -> GroupedAttention {
        let hidden = try hiddenSize(fields)
        let heads = try fields.whole("num_attention_heads", in: 1...4096)
        let keyHeads = try fields.whole("num_key_value_heads", in: 1...heads, otherwise: heads)
        let size = try fields.whole("head_dim", in: 2...4096, otherwise: hidden / heads)
        guard heads % keyHeads == 0 else {
            throw CambiumError(
                .badConfig,
                "config num_attention_heads \(heads) is no multiple of num_key_value_heads "
                    + "\(keyHeads)")
        }
        guard size >= 2, size % 2 == 0 else {
            throw CambiumError(
                .badConfig,
                "config makes heads of \(size) elements (head_dim, else hidden_size / "
                    + "num_attention_heads); give an even size")
        }
        return GroupedAttention(
            heads: heads, keyHeads: keyHeads, headSize: size, norm: norm, hasBias: bias,
            outputHasBias: bias, hasSinks: sinks, clip: clip)
    }

    private static func latent(_ fields: ConfigFields) throws -> Attention {
        let plain = try fields.whole("qk_nope_head_dim", in: 1...4096)
        let turning = try fields.whole("qk_rope_head_dim", in: 2...4096)
        guard turning % 2 == 0 else {
            throw CambiumError(.badConfig, "config qk_rope_head_dim is \(turning); it must be even")
        }
        return .latent(
            LatentAttention(
                heads: try fields.whole("num_attention_heads", in: 1...4096),
                queryRank: try fields.optionalWhole("q_lora_rank", in: 1...65_536),
                rank: try fields.whole("kv_lora_rank", in: 1...65_536), plainSize: plain,
                turningSize: turning, valueSize: try fields.whole("v_head_dim", in: 1...4096),
                isInterleaved: try fields.flag("rope_interleave"),
                hasBias: try fields.flag("attention_bias")))
    }

    /// - Parameter counts: The architecture's own spellings of the number of experts, the first of which has
    ///   the default.
    private static func experts(
        _ fields: ConfigFields, counts: [String], inner: Int, shared: Int? = nil,
        kind: GatedExpertKind = .rows, scoring: Experts.Scoring, routerHasBias: Bool = false
    ) throws -> Experts {
        let count = try fields.whole(counts, in: 1...65_536)
        let topK = try fields.whole(
            "num_experts_per_tok", in: 1...min(count, ModelDescription.largestTopK))
        // Other architectures' spellings are not read by the library; they must not say otherwise.
        for name in ["num_experts", "num_local_experts", "n_routed_experts"]
        where fields.states(name) {
            if let other = try fields.optionalWhole(name, in: 1...65_536), other != count {
                throw fields.contradiction(counts[0], count, name, other)
            }
        }
        if let other = try fields.optionalWhole("experts_per_token", in: 1...65_536), other != topK
        {
            throw fields.contradiction("num_experts_per_tok", topK, "experts_per_token", other)
        }
        return Experts(
            count: count, topK: topK, inner: inner, sharedInner: shared, kind: kind,
            scoring: scoring, routerHasBias: routerHasBias)
    }
}
