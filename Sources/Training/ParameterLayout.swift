package import Models

/// Where each dense tensor of a peer-lm model lies in one run of floats, in the order and by the names
/// of its checkpoint.
///
/// The experts' rows are not among them: ``TrainableModel`` keeps each layer's in a pool of its own.
package struct ParameterLayout: Sendable {
    /// How a tensor is initialised and decayed.
    package enum Role: Sendable { case embedding, norm, matrix, query, subKeys, head }

    package struct Entry: Sendable {
        /// As in the checkpoint.
        package let name: String
        package let shape: [Int]
        package let role: Role
        /// Its elements.
        package let range: Range<Int>

        /// Whether it belongs to an expert layer: its norm or its router.
        package var isOfExperts: Bool {
            role == .query || role == .subKeys || name.hasSuffix(".peer_layernorm.weight")
        }
    }

    /// The entries of one block, by their positions.
    struct Block: Sendable {
        let attentionNorm, query, key, value, output: Range<Int>
        let feedForwardNorm, gate, up, down: Range<Int>
        let experts: Experts?

        /// Query, key and value, which follow each other.
        var projections: Range<Int> { query.lowerBound..<value.upperBound }
        /// Gate and up.
        var gates: Range<Int> { gate.lowerBound..<up.upperBound }
    }

    struct Experts: Sendable {
        let layer: Int
        let norm, query, subKeys: Range<Int>
    }

    package let config: PeerConfig
    package let entries: [Entry]
    let embedding: Range<Int>
    let blocks: [Block]
    let finalNorm: Range<Int>
    let head: Range<Int>
    /// Elements of all.
    package let count: Int

    package init(_ config: PeerConfig) {
        var builder = Builder()
        let (hidden, inner) = (config.hiddenSize, config.feedForwardSize)
        self.config = config
        embedding = builder.add("model.embed_tokens.weight", [256, hidden], .embedding)
        var blocks: [Block] = []
        for index in 0..<config.layerCount {
            let name = "model.layers.\(index)."
            func square(_ tensor: String) -> Range<Int> {
                builder.add("\(name)self_attn.\(tensor)_proj.weight", [hidden, hidden], .matrix)
            }
            let norm = builder.add("\(name)input_layernorm.weight", [hidden], .norm)
            let (query, key, value, output) = (square("q"), square("k"), square("v"), square("o"))
            let second = builder.add("\(name)post_attention_layernorm.weight", [hidden], .norm)
            let gate = builder.add("\(name)mlp.gate_proj.weight", [inner, hidden], .matrix)
            let up = builder.add("\(name)mlp.up_proj.weight", [inner, hidden], .matrix)
            let down = builder.add("\(name)mlp.down_proj.weight", [hidden, inner], .matrix)
            var experts: Experts?
            if let peer = config.peer, config.peerLayers.contains(index) {
                let half = peer.keySize / 2
                experts = Experts(
                    layer: index,
                    norm: builder.add("\(name)peer_layernorm.weight", [hidden], .norm),
                    query: builder.add(
                        "\(name)peer.query.weight", [peer.heads * peer.keySize, hidden], .query),
                    subKeys: builder.add(
                        "\(name)peer.sub_keys", [2, peer.subKeys, half], .subKeys))
            }
            blocks.append(
                Block(
                    attentionNorm: norm, query: query, key: key, value: value, output: output,
                    feedForwardNorm: second, gate: gate, up: up, down: down, experts: experts))
        }
        self.blocks = blocks
        finalNorm = builder.add("model.norm.weight", [hidden], .norm)
        head = builder.add("lm_head.weight", [256, hidden], .head)
        entries = builder.entries
        count = builder.count
    }

    private struct Builder {
        var entries: [Entry] = []
        var count = 0

        mutating func add(_ name: String, _ shape: [Int], _ role: Role) -> Range<Int> {
            let range = count..<count + shape.reduce(1, *)
            entries.append(Entry(name: name, shape: shape, role: role, range: range))
            count = range.upperBound
            return range
        }
    }
}
