extension Architecture {
    /// Our own byte-level architecture, whose config.json ``PeerConfig`` reads.
    ///
    /// Neurons below product keys or a tree, or SwiGLU experts below a linear router. Rounds add adapters to it
    /// rather than experts.
    package static let peerLM = Architecture(name: "peer-lm", names: .neurons)
}

/// How peer-lm names its experts, behind `model.layers.N.`; all else is named as in a Llama.
package enum PeerNames {
    /// What the tensors of neurons and of their router begin with.
    package static let block = "peer."
    package static let down = block + "down.weight"
    package static let up = block + "up.weight"
    /// Of a product-key router.
    package static let query = block + "query.weight"
    package static let subKeys = block + "sub_keys"
    /// Of a router that is a tree: the number of a level follows.
    package static let tree = block + "tree."
    /// Of a router that is solved, in the place of query and sub-keys: read-outs of digits, those of the high digit of
    /// all heads first.
    package static let digits = block + "digits.weight"
    package static let digitBiases = block + "digits.bias"
    /// Behind the name of a solved tree's level: one for each of its keys.
    package static let bias = ".bias"
    /// Behind the name of a quantised router's tensor, or of quantised rows: one scale for each row.
    package static let scale = ".scale"
    /// The rows that a hash of the last tokens finds.
    package static let rows = "hash.rows"
    /// The norm in front of neurons.
    package static let neuronNorm = "peer_layernorm"
    /// The norm in front of SwiGLU experts.
    package static let expertNorm = "moe_layernorm"
    /// The router of SwiGLU experts.
    package static let gate = "mlp.gate.weight"

    /// What routes to the experts of a layer, and the norms in front, but for the levels of trees.
    package static let routers = [
        neuronNorm + ".weight", query, subKeys, query + scale, subKeys + scale, digits, digitBiases,
        expertNorm + ".weight", gate,
    ]
}
