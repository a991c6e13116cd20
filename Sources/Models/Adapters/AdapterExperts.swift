package import Architectures
package import Elements

/// The experts that an adapter brings along, with a router of their own, and the layers that they are in.
package enum AdapterExperts: Sendable, Hashable {
    /// Neurons that a product-key router picks.
    case neurons(PeerConfig.Peer, layers: [Int])
    /// SwiGLU experts that a linear router picks.
    case swiglu(PeerConfig.Linear, layers: [Int])

    /// - Parameters:
    ///   - fields: As the description of an adapter writes them.
    ///   - name: Of the adapter, for the error.
    /// - Throws: `.badTensor` for missing sizes; `.badConfig` for impossible ones.
    init(_ fields: JSONValue, of name: String) throws {
        guard let layers = fields["layers"]?.array?.map(\.whole), !layers.contains(nil),
            let topK = fields["top_k"]?.whole
        else { throw AdapterDescription.unreadable(name) }
        func size(_ key: String) throws -> Int {
            guard let size = fields[key]?.whole else {
                throw CambiumError(
                    .badTensor,
                    "\(AdapterTensorName.description(of: name)) does not say how large the adapter's experts are"
                )
            }
            return size
        }
        switch fields["kind"]?.string {
        case "neuron":
            self = .neurons(
                try PeerConfig.Peer(
                    subKeys: size("sub_keys"), heads: size("heads"), topK: topK,
                    keySize: size("key_size")), layers: layers.compactMap(\.self))
        case "swiglu":
            self = .swiglu(
                try PeerConfig.Linear(
                    experts: size("count"), topK: topK, width: size("ffn_size")),
                layers: layers.compactMap(\.self))
        default: throw AdapterDescription.unreadable(name)
        }
    }

    var encoded: String {
        switch self {
        case .neurons(let sizes, let layers):
            "{\"kind\":\"neuron\",\"layers\":\(list(layers)),\"sub_keys\":\(sizes.subKeys),"
                + "\"heads\":\(sizes.heads),\"top_k\":\(sizes.topK),\"key_size\":\(sizes.keySize)}"
        case .swiglu(let sizes, let layers):
            "{\"kind\":\"swiglu\",\"layers\":\(list(layers)),\"count\":\(sizes.experts),"
                + "\"top_k\":\(sizes.topK),\"ffn_size\":\(sizes.width)}"
        }
    }

    /// Experts of each layer.
    package var count: Int {
        switch self {
        case .neurons(let sizes, _): sizes.expertCount
        case .swiglu(let sizes, _): sizes.experts
        }
    }

    /// Whether stored experts of these parts are of the sizes said here.
    package func fits(_ parts: [TensorShape]) -> Bool {
        switch self {
        case .neurons: parts.count == 2 && parts[0].dimensions.count == 1 && parts[1] == parts[0]
        case .swiglu(let sizes, _):
            parts.count == 3 && parts[0].dimensions.first == sizes.width && parts[1] == parts[0]
                && parts[2].dimensions.last == sizes.width
        }
    }

    /// Ascending.
    package var layers: [Int] {
        switch self {
        case .neurons(_, let layers), .swiglu(_, let layers): layers
        }
    }

    /// By layer, what runs there in place of the base's experts.
    var blocks: [Int: ModelDescription.Block] {
        let block: ModelDescription.Block =
            switch self {
            case .neurons(let sizes, _): .neurons(.productKeys(sizes))
            case .swiglu(let sizes, _): .experts(sizes)
            }
        return Dictionary(layers.map { ($0, block) }, uniquingKeysWith: { $1 })
    }

    /// The base's sizes with these experts in place of its own, as training takes them.
    ///
    /// - Throws: `.badConfig` for layers that the base does not have.
    package func config(on base: PeerConfig) throws -> PeerConfig {
        switch self {
        case .neurons(let sizes, let layers): try base.replacingExperts(peer: sizes, layers: layers)
        case .swiglu(let sizes, let layers):
            try base.replacingExperts(linear: sizes, layers: layers)
        }
    }

    /// Whether a tensor, by its name in a checkpoint, routes to the experts of a layer or is their norm.
    package static func isRouter(_ tensor: String) -> Bool {
        PeerNames.routers.contains { tensor.hasSuffix("." + $0) }
            || tensor.contains("." + PeerNames.tree)
    }

    /// Whether a router's tensor is the norm in front of it, which a store keeps in the trunk.
    package static func isNorm(_ tensor: String) -> Bool { tensor.hasSuffix("_layernorm.weight") }

    private func list(_ layers: [Int]) -> String {
        "[" + layers.map(String.init).joined(separator: ",") + "]"
    }
}
