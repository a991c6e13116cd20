/// The sizes of a peer-lm model: a byte-level Llama-style decoder with PEER expert layers.
///
/// A value of this type has been validated: a model can be built from it without overflow, and
/// every division that the architecture asks for is even.
package struct PeerConfig: Sendable, Hashable {
    /// The sizes of the PEER layers; all of them are alike.
    package struct Peer: Sendable, Hashable {
        /// Sub-keys per side, n: a layer has n² experts.
        package let subKeys: Int
        package let heads: Int
        /// Picks per head.
        package let topK: Int
        /// Width of a head's query; each half meets one side's sub-keys.
        package let keySize: Int

        package var expertCount: Int { subKeys * subKeys }
    }

    /// Tokens are bytes.
    package static let vocabularySize = 256

    package let hiddenSize: Int
    package let layerCount: Int
    package let headCount: Int
    package let contextLength: Int
    package let feedForwardSize: Int
    package let normEpsilon: Float
    package let ropeTheta: Double
    /// The layers that have experts, ascending.
    package private(set) var peerLayers: [Int]
    /// Nil when no layer has experts.
    package private(set) var peer: Peer?

    package var headSize: Int { hiddenSize / headCount }

    /// The same sizes with no expert layer.
    package var withoutExperts: PeerConfig {
        var config = self
        config.peerLayers = []
        config.peer = nil
        return config
    }

    /// Checks sizes from outside.
    ///
    /// - Throws: `.badConfig`, naming the field, its value and what is allowed.
    init(_ fields: PeerConfigFields) throws(ModelError) {
        guard fields.architecture == "peer-lm" else {
            throw ModelError(
                .badConfig,
                "config architecture is \"\(fields.architecture)\"; this engine runs \"peer-lm\"")
        }
        try Self.check("vocab_size", fields.vocab_size.value, in: 256...256)
        try Self.check("hidden_size", fields.hidden_size.value, in: 2...65_536)
        try Self.check("num_layers", fields.num_layers.value, in: 1...4_096)
        try Self.check("num_heads", fields.num_heads.value, in: 1...fields.hidden_size.value)
        try Self.check("context_length", fields.context_length.value, in: 2...65_536)
        try Self.check("ffn_size", fields.ffn_size.value, in: 1...1_048_576)
        guard fields.hidden_size.value % (2 * fields.num_heads.value) == 0 else {
            throw ModelError(
                .badConfig,
                "config hidden_size \(fields.hidden_size.value) does not divide into "
                    + "\(fields.num_heads.value) heads of even size")
        }
        guard fields.rms_norm_eps > 0, fields.rms_norm_eps <= 1 else {
            throw ModelError(
                .badConfig, "config rms_norm_eps is \(fields.rms_norm_eps); give 0 < eps <= 1")
        }
        guard fields.rope_theta >= 1, fields.rope_theta <= 1e12 else {
            throw ModelError(
                .badConfig, "config rope_theta is \(fields.rope_theta); give 1 to 1e12")
        }
        let peerLayers = fields.peer_layers.map(\.value)
        for (index, layer) in peerLayers.enumerated() {
            try Self.check("peer_layers[\(index)]", layer, in: 0...fields.num_layers.value - 1)
            guard index == 0 || layer > peerLayers[index - 1] else {
                throw ModelError(
                    .badConfig, "config peer_layers \(peerLayers) do not ascend")
            }
        }
        self.hiddenSize = fields.hidden_size.value
        self.layerCount = fields.num_layers.value
        self.headCount = fields.num_heads.value
        self.contextLength = fields.context_length.value
        self.feedForwardSize = fields.ffn_size.value
        self.normEpsilon = Float(fields.rms_norm_eps)
        self.ropeTheta = fields.rope_theta
        self.peerLayers = peerLayers
        if let peer = fields.peer {
            self.peer = try Peer(peer)
        } else if peerLayers.isEmpty {
            self.peer = nil
        } else {
            throw ModelError(
                .badConfig, "config has peer_layers \(peerLayers) but no \"peer\" sizes")
        }
    }

    static func check(
        _ field: String, _ value: Int, in range: ClosedRange<Int>
    ) throws(ModelError) {
        guard range.contains(value) else {
            let allowed =
                range.count == 1
                ? "\(range.lowerBound)" : "\(range.lowerBound) to \(range.upperBound)"
            throw ModelError(.badConfig, "config \(field) is \(value); it must be \(allowed)")
        }
    }
}
