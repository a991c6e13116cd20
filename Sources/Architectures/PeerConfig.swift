internal import Elements

/// The sizes of a peer-lm model: a byte-level Llama-style decoder with expert layers, all of one kind.
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

        /// - Throws: `.badConfig`, naming the field, its value and what is allowed.
        package init(subKeys: Int, heads: Int, topK: Int, keySize: Int) throws {
            try PeerConfig.check("peer.sub_keys", subKeys, in: 1...65_535)
            try PeerConfig.check("peer.heads", heads, in: 1...4_096)
            try PeerConfig.check(
                "peer.top_k", topK, in: 1...min(subKeys, ModelDescription.largestTopK))
            try PeerConfig.check("peer.key_size", keySize, in: 2...65_536)
            guard keySize % 2 == 0 else {
                throw CambiumError(
                    .badConfig, "config peer.key_size is \(keySize); it must be even")
            }
            self.subKeys = subKeys
            self.heads = heads
            self.topK = topK
            self.keySize = keySize
        }
    }

    /// The sizes of layers of SwiGLU experts that a linear router picks; all of them are alike.
    package struct Linear: Sendable, Hashable {
        package let experts: Int
        /// Picks of a token, weighed by the softmax of their scores.
        package let topK: Int
        /// Inner width of an expert.
        package let width: Int

        /// - Throws: `.badConfig` for sizes that cannot be.
        package init(experts: Int, topK: Int, width: Int) throws {
            try PeerConfig.check("linear.experts", experts, in: 1...65_536)
            try PeerConfig.check(
                "linear.top_k", topK, in: 1...min(experts, ModelDescription.largestTopK))
            try PeerConfig.check("linear.ffn_size", width, in: 1...1_048_576)
            self.experts = experts
            self.topK = topK
            self.width = width
        }
    }

    /// The sizes of a tree that routes to neurons in the place of product keys (`TreeRouter`).
    package struct Tree: Sendable, Hashable {
        /// Neurons of a layer, at most.
        private static let mostExperts = 1 << 24

        /// Children of a node, by level; a layer has a neuron for each leaf.
        package let branching: [Int]
        /// Paths that go on.
        package let beam: Int
        /// Picks of a token.
        package let topK: Int

        /// - Throws: `.badConfig`, naming the field, its value and what is allowed.
        package init(branching: [Int], beam: Int, topK: Int) throws {
            try PeerConfig.check("tree.branching's length", branching.count, in: 1...24)
            var leaves = 1
            for (level, children) in branching.enumerated() {
                guard leaves <= Self.mostExperts / 2 else {
                    throw CambiumError(
                        .badConfig,
                        "config tree.branching makes more than \(Self.mostExperts) leaves")
                }
                try PeerConfig.check(
                    "tree.branching[\(level)]", children, in: 2...Self.mostExperts / leaves)
                leaves *= children
            }
            try PeerConfig.check("tree.beam", beam, in: 1...ModelDescription.largestTopK)
            let last = branching[branching.count - 1]
            let reached = min(beam, leaves / last) * last
            try PeerConfig.check(
                "tree.top_k", topK, in: 1...min(reached, ModelDescription.largestTopK))
            self.branching = branching
            self.beam = beam
            self.topK = topK
        }

        package var expertCount: Int { branching.reduce(1, *) }

        /// Keys of each level: a row for each child of each of its nodes.
        package var keyCounts: [Int] {
            var nodes = 1
            return branching.map { children in
                nodes *= children
                return nodes
            }
        }
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
    /// The layers that have neurons, ascending.
    package private(set) var peerLayers: [Int]
    /// Of product-key routers; nil when no layer has one.
    package private(set) var peer: Peer?
    /// Of trees in their place; nil when no layer has one.
    package private(set) var tree: Tree?
    /// The layers that have SwiGLU experts and a linear router, ascending; none beside `peerLayers`.
    package private(set) var linearLayers: [Int]
    /// Nil when there is no such layer.
    package private(set) var linear: Linear?
    /// Layers of `peerLayers` whose routers are solved from evidence; nil when no layer's is.
    package internal(set) var solved: Solved?
    /// Rows in front of layers, beside experts of any kind; nil when there are none.
    package internal(set) var hash: Hash?

    package var headSize: Int { hiddenSize / headCount }

    /// The layers that have experts, ascending.
    package var expertLayers: [Int] { peerLayers + linearLayers }

    /// Experts of each of `expertLayers`.
    package var expertCount: Int { peer?.expertCount ?? tree?.expertCount ?? linear?.experts ?? 0 }

    /// The same sizes with no expert layer; hashed experts stay.
    package var withoutExperts: PeerConfig {
        var config = self
        (config.peerLayers, config.peer, config.tree, config.solved) = ([], nil, nil, nil)
        (config.linearLayers, config.linear) = ([], nil)
        return config
    }

    /// The same sizes with other layers of experts, of one kind: neurons below product keys, or SwiGLU experts.
    ///
    /// - Throws: `.badConfig` for layers that do not ascend or are not the model's.
    package func replacingExperts(
        peer: Peer? = nil, linear: Linear? = nil, layers: [Int]
    ) throws -> PeerConfig {
        precondition((peer == nil) != (linear == nil), "experts of one kind")
        try Self.check("layers", layers, in: 0...layerCount - 1)
        var config = withoutExperts
        if layers.isEmpty { return config }
        (config.peer, config.linear) = (peer, linear)
        (config.peerLayers, config.linearLayers) = peer == nil ? ([], layers) : (layers, [])
        return config
    }

    /// Reads and checks the bytes of a config.json.
    ///
    /// Fields that the architecture does not have are ignored.
    ///
    /// - Throws: `.badConfig`, naming the field that is missing, mistyped or out of range; `.duplicateName` for equal
    ///   keys in one object.
    package init(json: [UInt8]) throws {
        let fields = try ConfigFields(json: json)
        guard let architecture = try fields.text("architecture") else {
            throw fields.absent("architecture")
        }
        guard architecture == Architecture.peerLM.name else {
            throw CambiumError(
                .badConfig,
                "config architecture is \(architecture.debugDescription); this engine runs "
                    + Architecture.peerLM.name.debugDescription)
        }
        _ = try fields.whole("vocab_size", in: Self.vocabularySize...Self.vocabularySize)
        hiddenSize = try fields.whole("hidden_size", in: 2...65_536)
        layerCount = try fields.whole("num_layers", in: 1...4_096)
        headCount = try fields.whole("num_heads", in: 1...hiddenSize)
        contextLength = try fields.whole("context_length", in: 2...65_536)
        feedForwardSize = try fields.whole("ffn_size", in: 1...1 << 20)
        guard hiddenSize % (2 * headCount) == 0 else {
            throw CambiumError(
                .badConfig,
                "config hidden_size \(hiddenSize) does not divide into \(headCount) heads of even size"
            )
        }
        normEpsilon = Float(try fields.number("rms_norm_eps", in: 1e-30...1))
        ropeTheta = try fields.number("rope_theta", in: 1...1e12)
        peerLayers = try fields.list("peer_layers")
        linearLayers = fields.has("linear_layers") ? try fields.list("linear_layers") : []
        try Self.check("peer_layers", peerLayers, in: 0...layerCount - 1)
        try Self.check("linear_layers", linearLayers, in: 0...layerCount - 1)
        guard peerLayers.isEmpty || linearLayers.isEmpty else {
            throw CambiumError(
                .badConfig,
                "config has peer_layers \(peerLayers) and linear_layers \(linearLayers); the expert layers "
                    + "of a model are of one kind")
        }
        peer = try fields.object("peer").map { peer in
            try Peer(
                subKeys: peer.whole("sub_keys"), heads: peer.whole("heads"),
                topK: peer.whole("top_k"), keySize: peer.whole("key_size"))
        }
        linear = try fields.object("linear").map { linear in
            try Linear(
                experts: linear.whole("experts"), topK: linear.whole("top_k"),
                width: linear.whole("ffn_size"))
        }
        tree = try fields.object("tree").map { tree in
            try Tree(
                branching: tree.list("branching"), beam: tree.whole("beam"),
                topK: tree.whole("top_k"))
        }
        guard peer != nil || tree != nil || peerLayers.isEmpty else {
            throw CambiumError(
                .badConfig, "config has peer_layers \(peerLayers) but no \"peer\" sizes")
        }
        guard peer == nil || tree == nil else {
            throw CambiumError(
                .badConfig, "config has \"peer\" and \"tree\"; neurons have one kind of router")
        }
        if peerLayers.isEmpty { (peer, tree) = (nil, nil) }
        solved = try fields.object("solved").map { try readSolved($0) }
        guard linear != nil || linearLayers.isEmpty else {
            throw CambiumError(
                .badConfig, "config has linear_layers \(linearLayers) but no \"linear\" sizes")
        }
        if linearLayers.isEmpty { linear = nil }
        hash = try fields.object("hash").map { try Hash($0, layerCount: layerCount) }
        if let layer = hash?.layers.first(where: expertLayers.contains) {
            throw CambiumError(
                .badConfig,
                "config has hash.layers \(hash?.layers ?? []) and other experts in layer \(layer); a layer has "
                    + "experts of one kind, so put the rows in front of another")
        }
    }

    /// Checks a list that ascends.
    static func check(
        _ field: String, _ list: [Int], in range: ClosedRange<Int>
    ) throws {
        for (index, value) in list.enumerated() {
            try check("\(field)[\(index)]", value, in: range)
            guard index == 0 || value > list[index - 1] else {
                throw CambiumError(.badConfig, "config \(field) \(list) do not ascend")
            }
        }
    }

    static func check(
        _ field: String, _ value: Int, in range: ClosedRange<Int>
    ) throws {
        guard range.contains(value) else {
            throw ConfigFields.outOfRange("config \(field)", value, range)
        }
    }
}
