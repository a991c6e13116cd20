package import Architectures
package import Elements

/// The experts that a cohort brings along, with a router of their own, and the layers that they are in.
package enum CohortExperts: Sendable, Hashable {
    /// Neurons that a product-key router picks.
    case neurons(PeerConfig.Peer, layers: [Int])
    /// SwiGLU experts that a linear router picks.
    case swiglu(PeerConfig.Linear, layers: [Int])

    /// As the description of a cohort writes them: the names are the file's.
    struct Fields: Codable {
        enum Kind: String, Codable { case neuron, swiglu }

        var kind: Kind
        var layers: [Int]
        var sub_keys: Int?
        var heads: Int?
        var top_k: Int
        var key_size: Int?
        var count: Int?
        var ffn_size: Int?
    }

    /// - Parameter name: Of the cohort, for the error.
    /// - Throws: `.badTensor` for missing sizes; `.badConfig` for impossible ones.
    init(_ fields: Fields, of name: String) throws {
        switch fields.kind {
        case .neuron:
            if let (subKeys, heads, keySize) = all(fields.sub_keys, fields.heads, fields.key_size) {
                self = .neurons(
                    try PeerConfig.Peer(
                        subKeys: subKeys, heads: heads, topK: fields.top_k, keySize: keySize),
                    layers: fields.layers)
                return
            }
        case .swiglu:
            if let count = fields.count, let width = fields.ffn_size {
                self = .swiglu(
                    try PeerConfig.Linear(experts: count, topK: fields.top_k, width: width),
                    layers: fields.layers)
                return
            }
        }
        throw CambiumError(
            .badTensor, "cohorts.\(name).cohort does not say how large the cohort's experts are")
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
        [
            ".peer_layernorm.weight", ".peer.query.weight", ".peer.sub_keys",
            // Of a quantised router.
            ".peer.query.weight.scale", ".peer.sub_keys.scale",
            ".moe_layernorm.weight", ".mlp.gate.weight",
        ].contains { tensor.hasSuffix($0) } || tensor.contains(".peer.tree.")
    }

    /// Whether a router's tensor is the norm in front of it, which a store keeps in the trunk.
    package static func isNorm(_ tensor: String) -> Bool { tensor.hasSuffix("_layernorm.weight") }

    private func list(_ layers: [Int]) -> String {
        "[" + layers.map(String.init).joined(separator: ",") + "]"
    }
}

private func all(_ first: Int?, _ second: Int?, _ third: Int?) -> (Int, Int, Int)? {
    guard let first, let second, let third else { return nil }
    return (first, second, third)
}
