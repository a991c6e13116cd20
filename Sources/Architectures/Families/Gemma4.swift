internal import Elements

extension Architecture {
    /// Gemma 4's mixture-of-experts model: a dense feed-forward beside the experts, norms in front of and behind each part,
    /// a router that scales what it reads, layers of two kinds with heads and rotations of their own, and capped logits.
    static let gemma4 = Architecture(
        name: "gemma4", classPrefix: "Gemma4", otherNames: ["gemma4_text"], isNested: true,
        readsLayerConfig: true, activation: ("hidden_activation", true), countKeys: ["num_experts"],
        names: ExpertNames(
            block: "", router: ["router.proj.weight", "router.per_expert_scale"],
            example: ExpertNames.stacked[0], exampleLayer: 0),
        defaults: [
            "vocab_size": 262_144, "hidden_size": 2304, "intermediate_size": 9216,
            "num_hidden_layers": 30, "num_attention_heads": 8, "num_key_value_heads": 4,
            "head_dim": 256, "hidden_activation": "gelu_pytorch_tanh",
            "max_position_embeddings": 131_072, "rms_norm_eps": 1e-6, "eos_token_id": 1,
            "tie_word_embeddings": true, "attention_bias": false, "sliding_window": 512,
            "layer_types": .null, "final_logit_softcapping": .null,
            "use_bidirectional_attention": .null, "hidden_size_per_layer_input": 256,
            "attention_k_eq_v": false, "num_kv_shared_layers": 0, "enable_moe_block": false,
            "num_experts": .null, "top_k_experts": .null, "moe_intermediate_size": .null,
            "global_head_dim": 512, "num_global_key_value_heads": .null,
            "rope_parameters": [
                "sliding_attention": ["rope_type": "default", "rope_theta": 10_000],
                "full_attention": [
                    "rope_type": "proportional", "partial_rotary_factor": 0.25,
                    "rope_theta": 1_000_000,
                ],
            ],
        ], parts: ModelDescription.gemma4)
}

extension ModelDescription {
    fileprivate static func gemma4(_ fields: ConfigFields) throws -> Parts {
        try refuseGemma(fields)
        let types = try gemmaTypes(fields)
        let window = try fields.whole("sliding_window", in: 1...1 << 40)
        guard let rotations = try fields.object("rope_parameters") else {
            throw fields.absent("rope_parameters")
        }
        guard try fields.object("rope_scaling") == nil else {
            throw CambiumError(
                .badConfig,
                "config rope_scaling is given beside rope_parameters of each kind of layers; leave it out"
            )
        }
        let heads = try gemmaHeads(fields, types)
        let sliding = try gemmaAttention(fields, rotations, heads.sliding, isSliding: true)
        let full = try gemmaAttention(fields, rotations, heads.full, isSliding: false)
        guard let first = sliding.rotation else { throw fields.absent("rope_parameters") }
        let block = Block(
            norm: "pre_feedforward_layernorm_2", feedForward: .experts(try gemmaExperts(fields)),
            normAfter: "post_feedforward_layernorm", scale: "layer_scalar")
        var parts = Parts(
            normsFollow: false, rotation: first,
            layers: types.map { isSliding in
                Layer(
                    attention: .grouped(isSliding ? sliding : full),
                    window: isSliding ? window : nil, blocks: [block],
                    normAfter: "post_attention_layernorm")
            })
        parts.multipliers = Multipliers(
            embedding: Float(try hiddenSize(fields)).squareRoot(),
            logitCap: fields.has("final_logit_softcapping")
                ? Float(try fields.number("final_logit_softcapping", in: 1e-3...1e6)) : nil)
        return parts
    }

    /// Which layers slide.
    private static func gemmaTypes(_ fields: ConfigFields) throws -> [Bool] {
        let count = try layerCount(fields)
        let types =
            try fields.texts("layer_types")
            ?? (0..<count).map { ($0 + 1) % 6 == 0 ? "full_attention" : "sliding_attention" }
        guard types.count == count else {
            throw CambiumError(
                .badConfig, "config layer_types has \(types.count) entries for \(count) layers")
        }
        for type in types where type != "sliding_attention" && type != "full_attention" {
            throw CambiumError(
                .badConfig,
                "config layer_types has \(type.debugDescription); sliding_attention and "
                    + "full_attention are run")
        }
        guard fields.has("layer_types") else {
            // The library makes the last one full.
            return types.dropLast().map { $0 == "sliding_attention" } + [false]
        }
        guard types.last == "full_attention" else {
            throw CambiumError(
                .badConfig,
                "config layer_types ends with a layer that slides; the last is to be full_attention"
            )
        }
        return types.map { $0 == "sliding_attention" }
    }

    /// Heads of a kind of layers.
    private struct GemmaHeads: Equatable {
        let size: Int
        let kvHeads: Int
    }

    /// The heads of both kinds of layers: by fields of their own, or as newer versions of the library write them, layer by
    /// layer in `per_layer_config`, before which the others do not count.
    private static func gemmaHeads(
        _ fields: ConfigFields, _ types: [Bool]
    ) throws -> (sliding: GemmaHeads, full: GemmaHeads) {
        let most = try fields.whole("num_attention_heads", in: 1...4096)
        let sliding = GemmaHeads(
            size: try fields.whole("head_dim", in: 2...4096),
            kvHeads: try fields.whole("num_key_value_heads", in: 1...most))
        let name = "per_layer_config"
        guard fields.states(name) else {
            let own =
                try fields.flag("attention_k_eq_v")
                ? fields.optionalWhole("num_global_key_value_heads", in: 1...most) : nil
            let size = try fields.whole("global_head_dim", in: 2...4096)
            return (sliding, GemmaHeads(size: size, kvHeads: own ?? sliding.kvHeads))
        }
        let layers = try fields.object(name)
        for key in layers?.names ?? [] where !types.indices.map(String.init).contains(key) {
            throw CambiumError(
                .badConfig, "config \(name) has \(key.debugDescription), which is no layer")
        }
        var full: GemmaHeads?
        for (number, isSliding) in types.enumerated() {
            let layer = try layers?.object("\(number)")
            for other in layer?.names ?? []
            where other != "head_dim" && other != "num_key_value_heads" {
                throw CambiumError(
                    .badConfig,
                    "config \(name).\(number) has \(other); head_dim and num_key_value_heads are run"
                )
            }
            let own = GemmaHeads(
                size: try layer?.optionalWhole("head_dim", in: 2...4096) ?? sliding.size,
                kvHeads: try layer?.optionalWhole("num_key_value_heads", in: 1...most)
                    ?? sliding.kvHeads)
            let wanted = isSliding ? sliding : full ?? own
            guard own == wanted else {
                throw CambiumError(
                    .badConfig,
                    "config \(name) gives layer \(number) heads of \(own.size) elements and \(own.kvHeads) of keys; "
                        + "all layers of its kind have one form (\(wanted.size) and \(wanted.kvHeads))"
                )
            }
            if !isSliding { full = own }
        }
        let found = full ?? sliding
        if fields.states("global_head_dim") {
            let size = try fields.whole("global_head_dim", in: 2...4096)
            guard size == found.size else {
                throw fields.contradiction("global_head_dim", size, name, found.size)
            }
        }
        return (sliding, found)
    }

    private static func gemmaAttention(
        _ fields: ConfigFields, _ rotations: ConfigFields, _ form: GemmaHeads, isSliding: Bool
    ) throws -> GroupedAttention {
        let heads = try fields.whole("num_attention_heads", in: 1...4096)
        let (size, kvHeads) = (form.size, form.kvHeads)
        let keysAreValues = try !isSliding && fields.flag("attention_k_eq_v")
        guard heads % kvHeads == 0, size % 2 == 0 else {
            throw CambiumError(
                .badConfig,
                "config num_attention_heads \(heads) is no multiple of \(kvHeads) heads of keys, or heads of "
                    + "\(size) elements (head_dim, global_head_dim) are odd")
        }
        let kind = isSliding ? "sliding_attention" : "full_attention"
        guard let own = try rotations.object(kind) else { throw rotations.absent(kind) }
        let hasBias = try fields.flag("attention_bias")
        return GroupedAttention(
            heads: heads, kvHeads: kvHeads, headSize: size, norm: .head, hasBias: hasBias,
            outputHasBias: hasBias, hasSinks: false, clip: nil, scale: 1,
            rotation: try Rotation(ofKind: own, size: size), normalisesValues: true,
            keysAreValues: keysAreValues)
    }

    private static func gemmaExperts(_ fields: ConfigFields) throws -> Experts {
        var shared = Shared(
            name: "", intermediateSize: try fields.whole("intermediate_size", in: 1...1 << 20))
        shared.norm = "pre_feedforward_layernorm"
        shared.normAfter = "post_feedforward_layernorm_1"
        var experts = try experts(
            fields, counts: Architecture.gemma4.countKeys, picks: ["top_k_experts"],
            intermediateSize: fields.whole("moe_intermediate_size", in: 1...1 << 20),
            shared: shared, scoring: .softmaxOfAll(normalised: true))
        experts.normAfter = "post_feedforward_layernorm_2"
        experts.routerIsScaled = true
        return experts
    }

    /// Refuses what other models of the family have and is not run.
    private static func refuseGemma(_ fields: ConfigFields) throws {
        guard try fields.flag("enable_moe_block") else {
            throw CambiumError(
                .badConfig, "config enable_moe_block is false; a gemma4 with experts is run")
        }
        let narrow = try fields.whole("hidden_size_per_layer_input", in: 0...65_536)
        guard narrow == 0 else {
            throw CambiumError(
                .badConfig,
                "config hidden_size_per_layer_input is \(narrow); embeddings of each layer are not run, 0 is"
            )
        }
        let shared = try fields.whole("num_kv_shared_layers", in: 0...4096)
        guard shared == 0 else {
            throw CambiumError(
                .badConfig,
                "config num_kv_shared_layers is \(shared); layers that share keys and values are not run, 0 is"
            )
        }
        if let way = try fields.text("use_bidirectional_attention"), way != "vision" {
            throw CambiumError(
                .badConfig,
                "config use_bidirectional_attention is \(way.debugDescription); texts are read forwards"
            )
        }
    }
}
