internal import Elements

/// What the layout needs of a checkpoint's `config.json`.
struct CheckpointConfig {
    /// The spellings of the number of experts in a layer; versions of one library differ.
    static let expertCountKeys = ["num_experts", "num_local_experts", "n_routed_experts"]

    let architecture: Architecture?
    /// What the file calls its architecture, for messages; nil when it says nothing.
    let statedName: String?
    private let root: JSONValue

    /// - Throws: `.badConfig`, or `.duplicateName`.
    init(parsing bytes: [UInt8]) throws {
        let root = try JSONValue(parsing: bytes, source: Checkpoint.configName, code: .badConfig)
        guard case .object = root else {
            throw CambiumError(.badConfig, "\(Checkpoint.configName) is not a JSON object")
        }
        // Ours is `architecture`; that of the transformers library is `model_type`.
        let own = root["architecture"]?.string
        let model = own ?? root["model_type"]?.string
        if let own, let other = root["model_type"]?.string, own != other {
            throw CambiumError(
                .badConfig,
                "config.json contradicts itself: architecture is \(quoted(own)), model_type is "
                    + quoted(other))
        }
        let classes = root["architectures"]?.array?.compactMap(\.string) ?? []
        let byModel = model.flatMap { Architecture(rawValue: $0) }
        let byClass = classes.lazy.compactMap { Architecture(className: $0) }.first
        if let byModel, let byClass, byModel != byClass {
            throw CambiumError(
                .badConfig,
                "config.json contradicts itself: its type is \(byModel.rawValue), its class "
                    + "\(classes[0]) is that of \(byClass.rawValue)")
        }
        self.architecture = byModel ?? byClass
        self.statedName = model ?? classes.first
        self.root = root
    }

    /// The number of experts in a layer, or nil when the file does not say.
    ///
    /// - Throws: `.badConfig` when spellings disagree or a value is not a positive number.
    func expertCount() throws -> (key: String, value: Int)? {
        var stated: (key: String, value: Int)?
        for key in Self.expertCountKeys {
            guard let value = try positiveInteger(root[key], named: key) else { continue }
            if let stated, stated.value != value {
                throw CambiumError(
                    .badConfig,
                    "config.json contradicts itself: \(stated.key) is \(stated.value), \(key) is "
                        + "\(value)")
            }
            stated = (key, value)
        }
        return stated
    }

    /// `peer.sub_keys`: the square root of the number of experts.
    func subKeyCount() throws -> Int? {
        try positiveInteger(root["peer"]?["sub_keys"], named: "peer.sub_keys")
    }

    /// `peer_layers`: the layers that have experts, or nil when the file does not say.
    func peerLayers() throws -> [Int]? {
        guard let stated = root["peer_layers"] else { return nil }
        let layers = stated.array?.compactMap(\.integer)
        guard let layers, layers.count == stated.array?.count else {
            throw CambiumError(.badConfig, "config.json: peer_layers is not a list of numbers")
        }
        return layers
    }

    private func positiveInteger(
        _ value: JSONValue?, named key: String
    ) throws -> Int? {
        guard let value, value != .null else { return nil }
        guard let integer = value.integer, integer > 0 else {
            throw CambiumError(.badConfig, "config.json: \(key) is not a positive number")
        }
        return integer
    }
}

/// The architectures whose expert layout is known.
enum Architecture: String, CaseIterable {
    case peerLM = "peer-lm"
    case olmoe
    case mixtral
    case qwen3MoE = "qwen3_moe"
    case deepseekV3 = "deepseek_v3"
    case gptOSS = "gpt_oss"

    /// - Parameter className: An element of `architectures`, such as `OlmoeForCausalLM`.
    init?(className: String) {
        let match = Self.allCases.first { architecture in
            architecture.classPrefix.map { className == "\($0)ForCausalLM" } ?? false
        }
        guard let match else { return nil }
        self = match
    }

    /// The transformers library's name for it.
    private var classPrefix: String? {
        switch self {
        case .peerLM: nil
        case .olmoe: "Olmoe"
        case .mixtral: "Mixtral"
        case .qwen3MoE: "Qwen3Moe"
        case .deepseekV3: "DeepseekV3"
        case .gptOSS: "GptOss"
        }
    }
}
