package import Architectures
internal import Models

/// Where each dense tensor of a peer-lm model lies in one run of floats, in the order and by the names
/// of its checkpoint.
///
/// The rows of neurons are not among them: ``TrainableModel`` keeps each layer's in a pool of its own.
/// SwiGLU experts are: most batches pick all of them.
package struct ParameterLayout: Sendable {
    /// How a tensor is initialised and decayed.
    package enum Role: Sendable {
        case embedding, norm, matrix, query, subKeys, head
        /// Of a linear router, or of a level of a tree.
        case router
        /// Of a router that is solved from evidence.
        case bias
        /// A matrix of a SwiGLU expert.
        case expert
    }

    package struct Entry: Sendable {
        /// As in the checkpoint.
        package let name: String
        package let shape: [Int]
        package let role: Role
        /// Its elements.
        package let range: Range<Int>

        /// Whether it belongs to an expert layer: its norm, its router, or a SwiGLU expert.
        package var isOfExperts: Bool { isRouter || role == .expert || isExpertNorm }

        /// Whether it decides what is picked.
        package var isRouter: Bool {
            role == .query || role == .subKeys || role == .router || role == .bias
        }

        private var isExpertNorm: Bool {
            [PeerNames.neuronNorm, PeerNames.expertNorm].contains {
                name.hasSuffix(".\($0).weight")
            }
        }
    }

    /// The entries of one block, by their positions.
    struct Block: Sendable {
        let attentionNorm, query, key, value, output: Range<Int>
        let feedForwardNorm, gate, up, down: Range<Int>
        let experts: Experts?
        let linear: LinearExperts?

        /// Query, key and value, which follow each other.
        var projections: Range<Int> { query.lowerBound..<value.upperBound }
        /// Gate and up.
        var gates: Range<Int> { gate.lowerBound..<up.upperBound }
    }

    struct Experts: Sendable {
        enum Router: Sendable {
            case productKey(query: Range<Int>, subKeys: Range<Int>)
            /// Solved from evidence.
            case digits(weights: Range<Int>, biases: Range<Int>)
            /// By level; biases only of one that is solved.
            case tree([Range<Int>], biases: [Range<Int>])
        }

        let layer: Int
        let norm: Range<Int>
        let router: Router
    }

    struct LinearExperts: Sendable {
        let norm, router: Range<Int>
        /// Gate and up, one behind the other, and down.
        let experts: [(gates: Range<Int>, down: Range<Int>)]
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
            blocks.append(
                Block(
                    attentionNorm: norm, query: query, key: key, value: value, output: output,
                    feedForwardNorm: second, gate: gate, up: up, down: down,
                    experts: builder.neurons(config, index),
                    linear: builder.linear(config, index)))
        }
        self.blocks = blocks
        finalNorm = builder.add("model.norm.weight", [hidden], .norm)
        head = builder.add("lm_head.weight", [256, hidden], .head)
        entries = builder.entries
        count = builder.count
    }

    /// Where a SwiGLU expert's gate, up and down lie, one behind the other; nil in a layer without.
    package func expert(_ number: Int, layer: Int) -> Range<Int>? {
        guard let linear = blocks[layer].linear else { return nil }
        let parts = linear.experts[number]
        return parts.gates.lowerBound..<parts.down.upperBound
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

        /// What routes to the neurons of a layer; nil when it has none.
        mutating func neurons(_ config: PeerConfig, _ index: Int) -> Experts? {
            guard config.peerLayers.contains(index) else { return nil }
            let (hidden, name) = (config.hiddenSize, "model.layers.\(index).")
            let norm = add("\(name)\(PeerNames.neuronNorm).weight", [hidden], .norm)
            let solved = config.isSolved(index) ? config.solved : nil
            if let tree = config.tree {
                var (levels, biases): ([Range<Int>], [Range<Int>]) = ([], [])
                for (level, count) in tree.keyCounts.enumerated() {
                    let key = "\(name)\(PeerNames.tree)\(level)"
                    levels.append(add(key, [count, hidden], .router))
                    if solved != nil { biases.append(add(key + PeerNames.bias, [count], .bias)) }
                }
                return Experts(layer: index, norm: norm, router: .tree(levels, biases: biases))
            }
            guard let peer = config.peer else { return nil }
            if let solved {
                let rows = 2 * solved.heads * peer.subKeys
                let weights = add(name + PeerNames.digits, [rows, hidden], .router)
                let biases = add(name + PeerNames.digitBiases, [rows], .bias)
                return Experts(
                    layer: index, norm: norm, router: .digits(weights: weights, biases: biases))
            }
            let query = add(name + PeerNames.query, [peer.heads * peer.keySize, hidden], .query)
            let subKeys = add(
                name + PeerNames.subKeys, [2, peer.subKeys, peer.keySize / 2], .subKeys)
            return Experts(
                layer: index, norm: norm, router: .productKey(query: query, subKeys: subKeys))
        }

        /// The SwiGLU experts of a layer; nil when it has none.
        mutating func linear(_ config: PeerConfig, _ index: Int) -> LinearExperts? {
            guard let sizes = config.linear, config.linearLayers.contains(index) else { return nil }
            let (hidden, inner) = (config.hiddenSize, sizes.width)
            let name = "model.layers.\(index)."
            let norm = add("\(name)\(PeerNames.expertNorm).weight", [hidden], .norm)
            let router = add(name + PeerNames.gate, [sizes.experts, hidden], .router)
            var experts: [(gates: Range<Int>, down: Range<Int>)] = []
            for expert in 0..<sizes.experts {
                let own = "\(name)mlp.experts.\(expert)."
                let gate = add("\(own)gate_proj.weight", [inner, hidden], .expert)
                let up = add("\(own)up_proj.weight", [inner, hidden], .expert)
                let down = add("\(own)down_proj.weight", [hidden, inner], .expert)
                experts.append((gate.lowerBound..<up.upperBound, down))
            }
            return LinearExperts(norm: norm, router: router, experts: experts)
        }
    }
}
