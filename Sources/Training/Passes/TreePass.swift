internal import Architectures
internal import Models
internal import Routing
internal import Tensors

/// A router that is a tree over some tokens, and its gradient: picks as `TreeRouter` finds them, and the score
/// of a leaf is the sum of the log softmaxes on its path, of which dₗ of a node's children is Σ ds (1 - p) over
/// the picks below the child and -Σ ds p over those below the others.
///
/// One thread at a time runs it.
final class TreePass: RouterPass {
    private let sizes: PeerConfig.Tree
    /// Of the weights: each level's keys, [children of all nodes, width].
    private let levels: [Range<Int>]
    /// One for each key; of a tree without none.
    private let biases: [Range<Int>]
    private let tokens: Int
    private let width: Int

    var picksPerToken: Int { sizes.topK }
    var picksPerHead: Int { sizes.topK }
    var products: [TrainedProduct] { [] }
    var backwardProducts: [TrainedProduct] { [] }

    init(
        _ sizes: PeerConfig.Tree, levels: [Range<Int>], biases: [Range<Int>], tokens: Int,
        width: Int
    ) {
        self.sizes = sizes
        self.levels = levels
        self.biases = biases
        self.tokens = tokens
        self.width = width
    }

    /// - Complexity: Copies the keys.
    func route(_ input: FloatSlice, weights: FloatMemory) -> (ids: [UInt32], gates: FloatSlice) {
        let router = TreeRouter(
            keys: levels.map {
                Matrix(rows: $0.count / width, columns: width, values: weights[$0].array)
            }, biases: biases.map { weights[$0].array }, branching: sizes.branching,
            beam: sizes.beam, topK: sizes.topK)
        var selection = router.noPicks
        input.withSpan { router.route($0, tokens: tokens, into: &selection) }
        let gates = FloatMemory(count: selection.weights.count).slice
        gates.copy(selection.weights)
        return (selection.experts, gates)
    }

    /// The beam leaves most leaves without a share.
    func distribution() -> RouterDistribution? { nil }

    func backward(
        _ ids: [UInt32], scores: FloatSlice, input: FloatSlice, weights: FloatMemory,
        dinput: FloatSlice, gradient: FloatMemory, scratch: FloatSlice, pull: FloatSlice?
    ) {
        let changes = scores.array
        for token in 0..<tokens {
            let selection = token * sizes.topK..<(token + 1) * sizes.topK
            let row = token * width..<(token + 1) * width
            var below = sizes.expertCount
            for (level, children) in sizes.branching.enumerated() {
                let size = below / children
                // By node, which picks are below; nodes and picks in ascending order.
                var nodes: [Int: [(child: Int, change: Float)]] = [:]
                for pick in selection {
                    let leaf = Int(ids[pick])
                    nodes[leaf / below, default: []].append((leaf / size % children, changes[pick]))
                }
                for (node, picked) in nodes.sorted(by: { $0.key < $1.key }) {
                    let start = levels[level].lowerBound + node * children * width
                    let bias = biases.isEmpty ? nil : biases[level].lowerBound + node * children
                    addGradients(
                        picked, start..<start + children * width,
                        bias.map { $0..<$0 + children }, children, input[row], weights,
                        dinput[row], gradient)
                }
                below = size
            }
        }
    }

    /// Of one node's children, whose keys lie at `keys`, and their biases, if any, at `biases`.
    private func addGradients(
        _ picked: [(child: Int, change: Float)], _ keys: Range<Int>, _ biases: Range<Int>?,
        _ children: Int,
        _ x: FloatSlice, _ weights: FloatMemory, _ dx: FloatSlice, _ gradient: FloatMemory
    ) {
        let matrix = Matrix(rows: children, columns: width, values: weights[keys].array)
        var shares = FloatBuffer(count: children)
        var probabilities = shares.mutableSpan(0..<children)
        x.withSpan { matrix.rowProducts(from: 0, $0, into: &probabilities) }
        if let biases {
            for child in 0..<children { probabilities[child] += weights[biases][child] }
        }
        Kernels.softmax(&probabilities, width: children)
        var sum: Float = 0
        var own = [Float](repeating: 0, count: children)
        for pick in picked {
            sum += pick.change
            own[pick.child] += pick.change
        }
        for child in 0..<children {
            let change = own[child] - sum * probabilities[child]
            if change == 0 { continue }
            let key = keys.lowerBound + child * width..<keys.lowerBound + (child + 1) * width
            gradient[key].add(x, times: change)
            if let biases { gradient[biases][child] += change }
            dx.add(weights[key], times: change)
        }
    }
}
