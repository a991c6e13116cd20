internal import Tensors

extension ModelDescription {
    /// The architectures that can be described, as `model_type` spells them.
    package static let architectures: [String] = builders.keys.sorted()

    private static let builders: [String: @Sendable (ConfigFields) throws(ModelError) -> Parts] = [
        "olmoe": olmoe, "mixtral": mixtral, "qwen3_moe": qwen3, "deepseek_v3": deepseek,
        "gpt_oss": gptOSS,
    ]

    /// Reads and checks the bytes of a config.json of the transformers library (5.23 and before).
    ///
    /// - Throws: `.badConfig`, naming the field that is missing, mistyped or out of range, or the
    ///   architecture when it is none of ``architectures``.
    package init(json: [UInt8]) throws(ModelError) {
        let fields = try ConfigFields(json: json)
        let name = try fields.text("model_type") ?? "without a model_type"
        guard let build = Self.builders[name] else {
            throw ModelError(
                .badConfig,
                "config describes a model \(name.debugDescription); this engine runs "
                    + Self.architectures.joined(separator: ", "))
        }
        let activation = try fields.text("hidden_act") ?? "silu"
        guard activation == "silu" || activation == "swish" else {
            throw ModelError(
                .badConfig, "config hidden_act is \(activation.debugDescription); silu is run")
        }
        let parts = try build(fields)
        self.init(
            architecture: name,
            vocabularySize: try fields.whole("vocab_size", in: 1...1 << 24),
            hiddenSize: try Self.hiddenSize(fields),
            contextLength: min(
                try fields.whole("max_position_embeddings", in: 1...1 << 40),
                Self.mostPositions),
            normEpsilon: Float(try fields.number("rms_norm_eps", in: 1e-30...1)),
            rotation: parts.rotation, layers: parts.layers,
            tiesEmbedding: try fields.flag("tie_word_embeddings", otherwise: false),
            endTokens: try fields.wholes("eos_token_id", in: 0...1 << 24) ?? [])
    }

    /// Positions whose angles are exact enough.
    private static let mostPositions = 1 << 20

    /// What architectures differ in.
    fileprivate struct Parts {
        let rotation: RotationFrequencies
        let layers: [Layer]
    }

    // MARK: Architectures

    private static func olmoe(_ fields: ConfigFields) throws(ModelError) -> Parts {
        let bias = try fields.flag("attention_bias", otherwise: false)
        let clip =
            fields.has("clip_qkv") ? Float(try fields.number("clip_qkv", in: 1e-30...1e30)) : nil
        let attention = try grouped(fields, norm: .projection, bias: bias, clip: clip)
        let experts = try experts(
            fields, inner: fields.whole("intermediate_size", in: 1...1 << 20),
            scoring: .softmaxOfAll(
                normalised: try fields.flag("norm_topk_prob", otherwise: false)))
        return try parts(fields, attention) { _ in .experts(experts) }
    }

    private static func mixtral(_ fields: ConfigFields) throws(ModelError) -> Parts {
        let attention = try grouped(fields, norm: .none)
        let experts = try experts(
            fields, inner: fields.whole("intermediate_size", in: 1...1 << 20),
            scoring: .softmaxOfAll(normalised: true))
        let window = try fields.optionalWhole("sliding_window", in: 1...1 << 40)
        return try parts(fields, attention, window: { _ in window }) { _ in .experts(experts) }
    }

    private static func qwen3(_ fields: ConfigFields) throws(ModelError) -> Parts {
        let attention = try grouped(
            fields, norm: .head, bias: fields.flag("attention_bias", otherwise: false))
        let experts = try experts(
            fields, inner: fields.whole("moe_intermediate_size", in: 1...1 << 20),
            scoring: .softmaxOfAll(
                normalised: try fields.flag("norm_topk_prob", otherwise: false)))
        let dense = FeedForward.dense(inner: try fields.whole("intermediate_size", in: 1...1 << 20))
        let step = try fields.whole("decoder_sparse_step", in: 1...1 << 20, otherwise: 1)
        let denseLayers = Set(try fields.wholes("mlp_only_layers", in: 0...1 << 20) ?? [])
        let isSliding = try fields.flag("use_sliding_window", otherwise: false)
        let window = isSliding ? try fields.whole("sliding_window", in: 1...1 << 40) : nil
        return try parts(fields, attention, window: { _ in window }) { layer in
            denseLayers.contains(layer) || (layer + 1) % step != 0 ? dense : .experts(experts)
        }
    }

    private static func deepseek(_ fields: ConfigFields) throws(ModelError) -> Parts {
        let shared = try fields.whole("n_shared_experts", in: 0...1024, otherwise: 0)
        let inner = try fields.whole("moe_intermediate_size", in: 1...1 << 20)
        let groups = try fields.whole("n_group", in: 1...65_536, otherwise: 1)
        let picked = try fields.whole("topk_group", in: 1...groups, otherwise: groups)
        let experts = try experts(
            fields, inner: inner, shared: shared == 0 ? nil : shared * inner,
            scoring: .sigmoid(
                groups: groups, pickedGroups: picked,
                normalised: try fields.flag("norm_topk_prob", otherwise: true),
                scale: Float(try fields.number("routed_scaling_factor", in: -1e6...1e6))))
        guard experts.count % groups == 0, groups == 1 || experts.count / groups >= 2,
            experts.topK <= experts.count / groups * picked
        else {
            throw ModelError(
                .badConfig,
                "config picks \(experts.topK) experts from \(picked) of n_group \(groups) groups; "
                    + "\(experts.count) experts do not divide into such groups")
        }
        let dense = FeedForward.dense(inner: try fields.whole("intermediate_size", in: 1...1 << 20))
        let first = try fields.whole("first_k_dense_replace", in: 0...4096, otherwise: 0)
        return try parts(fields, latent(fields)) { $0 < first ? dense : .experts(experts) }
    }

    private static func gptOSS(_ fields: ConfigFields) throws(ModelError) -> Parts {
        let attention = try grouped(
            fields, norm: .none, bias: fields.flag("attention_bias", otherwise: true), sinks: true)
        let kind = GatedExpertForm.Kind.columns(
            alpha: Float(try fields.number("swiglu_alpha", in: 0...1e6, otherwise: 1.702)),
            limit: Float(try fields.number("swiglu_limit", in: 0...1e30, otherwise: 7)))
        let experts = try experts(
            fields, inner: fields.whole("intermediate_size", in: 1...1 << 20), kind: kind,
            scoring: .softmaxOfPicked, routerHasBias: true)
        let types = try fields.texts("layer_types")
        let count = try layerCount(fields)
        if let types, types.count != count {
            throw ModelError(
                .badConfig, "config layer_types has \(types.count) entries for \(count) layers")
        }
        for type in types ?? [] where type != "sliding_attention" && type != "full_attention" {
            throw ModelError(
                .badConfig,
                "config layer_types has \(type.debugDescription); sliding_attention and "
                    + "full_attention are run")
        }
        let window = try fields.whole("sliding_window", in: 1...1 << 40, otherwise: 128)
        return try parts(
            fields, .grouped(attention),
            window: { layer in
                let isSliding = types.map { $0[layer] == "sliding_attention" } ?? (layer % 2 == 0)
                return isSliding ? window : nil
            }, feedForward: { _ in .experts(experts) })
    }

    // MARK: Parts

    private static func hiddenSize(_ fields: ConfigFields) throws(ModelError) -> Int {
        try fields.whole("hidden_size", in: 2...65_536)
    }

    private static func layerCount(_ fields: ConfigFields) throws(ModelError) -> Int {
        try fields.whole("num_hidden_layers", in: 1...4096)
    }

    private static func parts(
        _ fields: ConfigFields, _ attention: GroupedAttention,
        window: (Int) -> Int? = { _ in nil }, feedForward: (Int) -> FeedForward
    ) throws(ModelError) -> Parts {
        try parts(fields, .grouped(attention), window: window, feedForward: feedForward)
    }

    private static func parts(
        _ fields: ConfigFields, _ attention: Attention, window: (Int) -> Int? = { _ in nil },
        feedForward: (Int) -> FeedForward
    ) throws(ModelError) -> Parts {
        let size =
            switch attention {
            case .grouped(let grouped): grouped.headSize
            case .latent(let latent): latent.turningSize
            }
        return Parts(
            rotation: try Rotation(fields).frequencies(size: size),
            layers: (0..<(try layerCount(fields))).map {
                Layer(attention: attention, window: window($0), feedForward: feedForward($0))
            })
    }

    private static func grouped(
        _ fields: ConfigFields, norm: GroupedAttention.Norm, bias: Bool = false,
        sinks: Bool = false, clip: Float? = nil
    ) throws(ModelError) -> GroupedAttention {
        let hidden = try hiddenSize(fields)
        let heads = try fields.whole("num_attention_heads", in: 1...4096)
        let keyHeads = try fields.whole("num_key_value_heads", in: 1...heads, otherwise: heads)
        let size = try fields.whole("head_dim", in: 2...4096, otherwise: hidden / heads)
        guard heads % keyHeads == 0 else {
            throw ModelError(
                .badConfig,
                "config num_attention_heads \(heads) is no multiple of num_key_value_heads "
                    + "\(keyHeads)")
        }
        guard size >= 2, size % 2 == 0 else {
            throw ModelError(
                .badConfig, "config makes heads of \(size) elements; give an even size")
        }
        return GroupedAttention(
            heads: heads, keyHeads: keyHeads, headSize: size, norm: norm, hasBias: bias,
            outputHasBias: bias, hasSinks: sinks, clip: clip)
    }

    private static func latent(_ fields: ConfigFields) throws(ModelError) -> Attention {
        let plain = try fields.whole("qk_nope_head_dim", in: 1...4096)
        let turning = try fields.whole("qk_rope_head_dim", in: 2...4096)
        guard turning % 2 == 0 else {
            throw ModelError(.badConfig, "config qk_rope_head_dim is \(turning); it must be even")
        }
        let scale = try Rotation(fields).scoreScale / Double(plain + turning).squareRoot()
        return .latent(
            LatentAttention(
                heads: try fields.whole("num_attention_heads", in: 1...4096),
                queryRank: try fields.optionalWhole("q_lora_rank", in: 1...65_536),
                rank: try fields.whole("kv_lora_rank", in: 1...65_536), plainSize: plain,
                turningSize: turning, valueSize: try fields.whole("v_head_dim", in: 1...4096),
                isInterleaved: try fields.flag("rope_interleave", otherwise: true),
                hasBias: try fields.flag("attention_bias", otherwise: false), scale: Float(scale)))
    }

    private static func experts(
        _ fields: ConfigFields, inner: Int, shared: Int? = nil,
        kind: GatedExpertForm.Kind = .rows, scoring: Experts.Scoring, routerHasBias: Bool = false
    ) throws(ModelError) -> Experts {
        let count = try fields.whole(
            "num_experts", "num_local_experts", "n_routed_experts", in: 1...65_536)
        return Experts(
            count: count,
            topK: try fields.whole(
                "num_experts_per_tok", "experts_per_token",
                in: 1...min(count, Kernels.largestTopK)),
            inner: inner, sharedInner: shared, kind: kind, scoring: scoring,
            routerHasBias: routerHasBias)
    }
}
