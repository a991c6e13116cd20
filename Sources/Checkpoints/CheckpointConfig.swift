internal import Architectures
internal import Elements

/// What the layout needs of a checkpoint's `config.json`.
struct CheckpointConfig {
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
        let byModel = model.flatMap { Architecture.named($0) }
        let byClass = classes.lazy.compactMap { Architecture.ofClass($0) }.first
        if let byModel, let byClass, byModel.classPrefix != byClass.classPrefix {
            throw CambiumError(
                .badConfig,
                "config.json contradicts itself: its type is \(byModel.name), its class "
                    + "\(classes[0]) is that of \(byClass.name)")
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
        let places = [root, root[Architecture.textConfig] ?? .null]
        for (key, place) in Architecture.allCountKeys.flatMap({ key in places.map { (key, $0) } }) {
            guard let value = try positiveInteger(place[key], named: key) else { continue }
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

    /// `hash`: the layers that have hashed rows, and how many; nil when there are none.
    ///
    /// - Throws: `.badConfig`.
    func hashSizes() throws -> (layers: [Int], rows: Int)? {
        guard let hash = root["hash"], hash != .null else { return nil }
        let layers = hash["layers"]?.array?.map(\.integer)
        guard let layers, !layers.contains(nil), let orders = hash["orders"]?.array?.count,
            let size = try positiveInteger(hash["table_size"], named: "hash.table_size"),
            size <= Int(UInt32.max), orders <= 8
        else {
            throw CambiumError(
                .badConfig, "config.json: hash does not have layers, orders and table_size")
        }
        return (layers.compactMap(\.self), orders * size)
    }

    private func positiveInteger(_ value: JSONValue?, named key: String) throws -> Int? {
        guard let value, value != .null else { return nil }
        guard let integer = value.integer, integer > 0 else {
            throw CambiumError(.badConfig, "config.json: \(key) is not a positive number")
        }
        return integer
    }
}
