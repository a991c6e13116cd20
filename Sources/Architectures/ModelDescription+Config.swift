internal import Elements

extension ModelDescription {
    /// The architectures that can be described, as `model_type` spells them.
    package static let architectures: [String] = Architecture.all.filter { $0.parts != nil }
        .map(\.name).sorted()

    /// Positions whose angles are exact enough.
    package static let mostPositions = 1 << 20

    /// Reads and checks the bytes of a config.json of the transformers library (5.24 and before), as that library
    /// reads it: what is left out is what the library makes of it, and what would change the model and is not
    /// run is refused by name.
    ///
    /// - Parameter generation: The bytes of generation_config.json, whose end tokens count before those of
    ///   config.json; nil without the file.
    /// - Throws: `.badConfig`, naming the field that is null, mistyped or out of range, or the architecture when
    ///   it is none of ``architectures``.
    package init(json: [UInt8], generation: [UInt8]? = nil) throws {
        let whole = try ConfigFields(json: json)
        let name = try whole.text("model_type") ?? "without a model_type"
        guard let family = Architecture.named(name), let build = family.parts else {
            throw CambiumError(
                .badConfig,
                "config describes a model \(name.debugDescription); this engine runs "
                    + Self.architectures.joined(separator: ", "))
        }
        // One that leaves it out has the library's defaults there.
        let nested =
            family.isNested && name == family.name
            ? try whole.object(Architecture.textConfig) ?? whole.none(Architecture.textConfig)
            : nil
        if let inner = try nested?.text("model_type"),
            Architecture.named(inner)?.name != family.name
        {
            throw whole.contradiction("model_type", name, "text_config.model_type", inner)
        }
        let fields = (nested ?? whole).with(defaults: family.defaults)
        let activation = try Self.activation(fields, family)
        if !family.readsLayerConfig { try Self.refuseOthers(fields) }
        if nested != nil { try Self.refuseOthers(whole) }
        let parts = try build(fields)
        try Self.checkLayerTypes(fields, parts.layers)
        self.init(
            architecture: family.name,
            vocabularySize: try fields.whole("vocab_size", in: 1...1 << 24),
            hiddenSize: try Self.hiddenSize(fields),
            contextLength: min(
                try fields.whole("max_position_embeddings", in: 1...1 << 40),
                Self.mostPositions),
            normEpsilon: Float(try fields.number("rms_norm_eps", in: 1e-30...1)),
            normsFollow: parts.normsFollow, rotation: parts.rotation, layers: parts.layers,
            tiesEmbedding: try Self.tiesEmbedding(fields, in: nested == nil ? nil : whole),
            furtherLayers: try Self.furtherLayers(fields, after: parts.layers.count),
            endTokens: try Self.endTokens(fields, in: nested == nil ? nil : whole, generation),
            activation: activation,
            normForm: parts.normForm,
            multipliers: parts.multipliers, headHasBias: parts.headHasBias, matrixForm: .rows,
            readsBytes: false, slides: false)
        coded = try CodedParts(fields, family) ?? CodedParts(whole, family) ?? CodedParts()
    }

    /// Reads the config.json of a model that is stored as one of an architecture.
    ///
    /// - Throws: As ``init(json:generation:)``.
    package init(
        architecture: String, json: [UInt8], generation: [UInt8]? = nil
    ) throws {
        if architecture == Self.ownArchitecture {
            self.init(try PeerConfig(json: json))
        } else {
            try self.init(json: json, generation: generation)
        }
    }

    /// The architecture that config.json has in a form of its own.
    package static let ownArchitecture = Architecture.peerLM.name

    /// All architectures whose models run.
    package static let allArchitectures = [ownArchitecture] + architectures

    package static func isKnown(_ architecture: String) -> Bool {
        allArchitectures.contains(architecture)
    }

    private static func activation(
        _ fields: ConfigFields, _ family: Architecture
    ) throws -> GateActivation {
        let (field, allowsGELU) = family.activation
        let name = try fields.text(field) ?? "null"
        if name == "silu" || name == "swish" { return .silu }
        if allowsGELU, name == "gelu_pytorch_tanh" { return .gelu }
        throw CambiumError(
            .badConfig,
            "config \(field) is \(name.debugDescription); silu"
                + (allowsGELU ? " and gelu_pytorch_tanh are run" : " is run"))
    }

    /// Whether the head is the embedding, as the whole model's config says it where it does, else the language model's.
    private static func tiesEmbedding(
        _ fields: ConfigFields, in whole: ConfigFields?
    ) throws -> Bool {
        let name = "tie_word_embeddings"
        let own = try fields.flag(name)
        guard let whole, whole.states(name) else { return own }
        let outer = try whole.flag(name)
        guard !fields.states(name) || own == outer else {
            throw whole.contradiction(name, outer, "that of text_config", own)
        }
        return outer
    }

    /// Layers behind the model's own that predict tokens further ahead (multi-token prediction).
    private static func furtherLayers(
        _ fields: ConfigFields, after count: Int
    ) throws -> Range<Int> {
        let further = try fields.whole(
            "num_nextn_predict_layers", "num_mtp_layers", in: 0...64, otherwise: 0)
        return count..<count + further
    }

    /// The tokens that end a text.
    ///
    /// The library generates by generation_config.json where there is one. Where that says nothing of them,
    /// config.json's end a text here; the library then goes on to the limit.
    private static func endTokens(
        _ fields: ConfigFields, in whole: ConfigFields?, _ generation: [UInt8]?
    ) throws -> [Int] {
        let name = "eos_token_id"
        // Negative ones are none: no token is.
        let range = -(1 << 24)...1 << 24
        var stated: [Int]?
        if let generation {
            let file = try ConfigFields(json: generation, file: "generation_config.json")
            stated = try file.wholes(name, in: range)
        }
        // The whole model's config comes before the language model's.
        if stated == nil { stated = try whole?.wholes(name, in: range) }
        if stated == nil { stated = try fields.wholes(name, in: range) }
        var tokens: [Int] = []
        for token in stated ?? [] where token >= 0 && !tokens.contains(token) {
            tokens.append(token)
        }
        return tokens
    }

    // MARK: What is not run

    /// Refuses fields that say of the weights or the layers what no architecture here does.
    private static func refuseOthers(_ fields: ConfigFields) throws {
        if let own = try fields.object("per_layer_config"), !own.isEmpty {
            throw CambiumError(
                .badConfig,
                "config per_layer_config gives layers sizes of their own; layers of one kind are run"
            )
        }
    }

    /// Refuses kinds of layers that contradict the windows.
    private static func checkLayerTypes(
        _ fields: ConfigFields, _ layers: [Layer]
    ) throws {
        guard let types = try fields.texts("layer_types") else { return }
        guard types.count == layers.count else {
            throw CambiumError(
                .badConfig,
                "config layer_types has \(types.count) entries for \(layers.count) layers")
        }
        for (index, (type, layer)) in zip(types, layers).enumerated() {
            var own = layer.window == nil ? "full_attention" : "sliding_attention"
            if case .delta = layer.attention { own = "linear_attention" }
            guard type == own else {
                throw CambiumError(
                    .badConfig,
                    "config layer_types says that layer \(index) is \(type.debugDescription); by the other "
                        + "fields it is \(own)")
            }
        }
    }
}
