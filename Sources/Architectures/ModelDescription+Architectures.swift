internal import Elements

/// What several architectures read alike, each as the transformers library has it.
extension ModelDescription {
    /// What is read differently for each.
    struct Parts {
        let normsFollow: Bool
        let rotation: Rotation
        var layers: [Layer]
        var normForm = NormForm.weighed
        var multipliers = Multipliers()
        var headHasBias = false
    }

    static func hiddenSize(_ fields: ConfigFields) throws -> Int {
        try fields.whole("hidden_size", in: 2...65_536)
    }

    static func layerCount(_ fields: ConfigFields) throws -> Int {
        try fields.whole("num_hidden_layers", in: 1...4096)
    }

    static func parts(
        _ fields: ConfigFields, _ attention: GroupedAttention, normsFollow: Bool = false,
        turning: Int? = nil,
        window: (Int) -> Int? = { _ in nil }, feedForward: (Int) -> FeedForward
    ) throws -> Parts {
        try parts(
            fields, .grouped(attention), normsFollow: normsFollow, turning: turning,
            window: window, feedForward: feedForward)
    }

    /// - Parameter turning: Elements of a head that turn where no field says it; nil where all must that are for it.
    static func parts(
        _ fields: ConfigFields, _ attention: Attention, normsFollow: Bool = false,
        turning: Int? = nil,
        window: (Int) -> Int? = { _ in nil }, feedForward: (Int) -> FeedForward
    ) throws -> Parts {
        let rotation =
            switch attention {
            case .grouped(let grouped):
                try Rotation(fields, size: grouped.headSize, turning: turning)
            case .latent(let latent):
                try Rotation(
                    fields,
                    size: latent.ropeHeadDim + (turning == nil ? 0 : latent.nopeHeadDim),
                    turning: turning)
            case .delta: preconditionFailure("positions turn nothing in the delta rule")
            }
        if case .latent(let latent) = attention, rotation.size != latent.ropeHeadDim {
            throw fields.contradiction(
                "qk_rope_head_dim", latent.ropeHeadDim, "partial_rotary_factor's part of a head",
                rotation.size)
        }
        let norm = normsFollow ? "post_feedforward_layernorm" : "post_attention_layernorm"
        return Parts(
            normsFollow: normsFollow, rotation: rotation,
            layers: (0..<(try layerCount(fields))).map {
                Layer(
                    attention: attention, window: window($0),
                    blocks: [Block(norm: norm, feedForward: feedForward($0))])
            })
    }

    static func grouped(
        _ fields: ConfigFields, norm: GroupedAttention.Norm, bias: Bool = false,
        outputBias: Bool? = nil,
        sinks: Bool = false, clip: Float? = nil
    ) throws -> GroupedAttention {
        let hidden = try hiddenSize(fields)
        let heads = try fields.whole("num_attention_heads", in: 1...4096)
        let kvHeads = try fields.whole("num_key_value_heads", in: 1...heads, otherwise: heads)
        let size = try fields.whole("head_dim", in: 2...4096, otherwise: hidden / heads)
        guard heads % kvHeads == 0 else {
            throw CambiumError(
                .badConfig,
                "config num_attention_heads \(heads) is no multiple of num_key_value_heads "
                    + "\(kvHeads)")
        }
        guard size >= 2, size % 2 == 0 else {
            throw CambiumError(
                .badConfig,
                "config makes heads of \(size) elements (head_dim, else hidden_size / "
                    + "num_attention_heads); give an even size")
        }
        return GroupedAttention(
            heads: heads, kvHeads: kvHeads, headSize: size, norm: norm, hasBias: bias,
            outputHasBias: outputBias ?? bias, hasSinks: sinks, clip: clip)
    }

    /// Refuses a window of a family of which it depends on the library's kernel, or on its cache, whether it slides.
    static func refuseWindow(_ fields: ConfigFields, _ family: Architecture) throws {
        guard fields.has("sliding_window") else { return }
        throw CambiumError(
            .badConfig,
            "config sliding_window is given; an \(family.name) is run with its whole context")
    }

    /// The window of Qwen's families; nil where none slides.
    static func usedWindow(_ fields: ConfigFields) throws -> Int? {
        try fields.flag("use_sliding_window")
            ? try fields.optionalWhole("sliding_window", in: 1...1 << 40) : nil
    }

    /// The feed-forward of a layer in Qwen's families: experts in every `decoder_sparse_step`-th, but for those of
    /// `mlp_only_layers`.
    static func sparse(
        _ fields: ConfigFields, _ experts: Experts
    ) throws -> (Int) -> FeedForward {
        let dense = FeedForward.dense(
            intermediateSize: try fields.whole("intermediate_size", in: 1...1 << 20))
        let step = try fields.whole("decoder_sparse_step", in: 1...1 << 20)
        let denseLayers = Set(try fields.wholes("mlp_only_layers", in: 0...1 << 20) ?? [])
        return { layer in
            denseLayers.contains(layer) || (layer + 1) % step != 0 ? dense : .experts(experts)
        }
    }

    static func latent(
        _ fields: ConfigFields, isInterleaved: Bool? = nil, growth: QueryGrowth? = nil
    ) throws -> Attention {
        let plain = try fields.whole("qk_nope_head_dim", in: 1...4096)
        let turning = try fields.whole("qk_rope_head_dim", in: 2...4096)
        guard turning % 2 == 0 else {
            throw CambiumError(.badConfig, "config qk_rope_head_dim is \(turning); it must be even")
        }
        return .latent(
            LatentAttention(
                heads: try fields.whole("num_attention_heads", in: 1...4096),
                queryRank: try fields.optionalWhole("q_lora_rank", in: 1...65_536),
                rank: try fields.whole("kv_lora_rank", in: 1...65_536), nopeHeadDim: plain,
                ropeHeadDim: turning, valueSize: try fields.whole("v_head_dim", in: 1...4096),
                isInterleaved: try isInterleaved ?? fields.flag("rope_interleave"),
                hasBias: try fields.flag("attention_bias"), growth: growth))
    }

    /// - Parameter counts: The architecture's own spellings of the number of experts, the first of which has
    ///   the default.
    static func experts(
        _ fields: ConfigFields, counts: [String], picks: [String] = ["num_experts_per_tok"],
        intermediateSize: Int, shared: Shared? = nil,
        kind: GatedExpertKind = .rows, scoring: Experts.Scoring, routerHasBias: Bool = false
    ) throws -> Experts {
        let count = try fields.whole(counts, in: 1...65_536)
        let topK = try fields.whole(picks, in: 1...min(count, ModelDescription.largestTopK))
        // Other architectures' spellings are not read by the library; they must not say otherwise.
        for name in Architecture.allCountKeys where fields.states(name) {
            if let other = try fields.optionalWhole(name, in: 1...65_536), other != count {
                throw fields.contradiction(counts[0], count, name, other)
            }
        }
        if let other = try fields.optionalWhole("experts_per_token", in: 1...65_536), other != topK
        {
            throw fields.contradiction(picks[0], topK, "experts_per_token", other)
        }
        return Experts(
            count: count, topK: topK, intermediateSize: intermediateSize, shared: shared,
            kind: kind,
            scoring: scoring, routerHasBias: routerHasBias)
    }
}
