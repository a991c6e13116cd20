package import Tensors

/// Picks leaves of a tree by beam descent: the score of a path is the sum over its levels of the log
/// softmax of a node's children (hierarchical softmax: Morin and Bengio, 2005; as a mixture, Jordan
/// and Jacobs, Hierarchical Mixtures of Experts, 1994).
///
/// Level l has B(0) … B(l - 1) nodes of B(l) children each; a leaf's id reads its digits from the root
/// down, so leaf = ((c0 · B1 + c1) · B2 + c2) …. At each level the `beam` best paths go on, and the
/// last level gives the k best leaves, weighted by the softmax of their scores. Paths that a beam
/// dropped are not found: the result is exact among the children of the paths that were kept, and
/// exact altogether when the beam is as wide as the last level but one.
///
/// **Order.** A child's key is multiplied in 16 lanes; sums of levels run from the root down; equal
/// scores come in ascending path.
package struct TreeRouter: Router {
    package let topK: Int
    package let beam: Int
    package var heads: Int { 1 }
    package let expertCount: Int
    /// Children of a node, by level.
    package let branching: [Int]
    private let keys: [Matrix]
    /// Of each level, one for each of its keys; none for a tree without.
    private let biases: [[Float]]

    /// - Parameters:
    ///   - keys: Of each level [nodes · branching, width]: the keys of a node's children are
    ///     adjacent.
    ///   - biases: Of each level one for each key, added to its product; none for zeros.
    ///   - branching: Of each level, at least 2; the tree has at most 2^32 leaves.
    ///   - beam: Paths that go on, at most `Kernels.largestTopK`.
    ///   - topK: At most the leaves below `beam` nodes and `Kernels.largestTopK`.
    package init(
        keys: [Matrix], biases: [[Float]] = [], branching: [Int], beam: Int, topK: Int
    ) {
        precondition(
            biases.isEmpty || biases.map(\.count) == keys.map(\.rows),
            "biases of \(biases.map(\.count)) keys")
        self.biases = biases
        precondition(
            !keys.isEmpty && keys.count == branching.count && branching.allSatisfy { $0 >= 2 },
            "\(keys.count) levels of keys, branching \(branching)")
        var nodes = 1
        for (matrix, children) in zip(keys, branching) {
            let (product, overflow) = nodes.multipliedReportingOverflow(by: children)
            precondition(
                !overflow && product <= 1 << 32 && matrix.rows == product
                    && matrix.columns == keys[0].columns,
                "\(matrix.rows) keys for \(nodes) nodes of \(children) children")
            nodes = product
        }
        let parents = min(beam, nodes / branching[branching.count - 1])
        precondition(
            (1...Kernels.largestTopK).contains(beam) && (1...Kernels.largestTopK).contains(topK)
                && topK <= parents * branching[branching.count - 1],
            "a beam of \(beam), top \(topK) of branching \(branching)")
        expertCount = nodes
        self.keys = keys
        self.branching = branching
        self.beam = beam
        self.topK = topK
    }

    /// - Complexity: Per token beam · branching · width multiplications a level.
    package func route(
        _ x: Span<Float>, tokens: Int, into selection: inout Selection, team: ThreadTeam
    ) {
        let width = keys[0].columns
        let results = team.map(tokens, x) { x, token in
            descend(x.extracting(token * width..<(token + 1) * width))
        }
        selection.replace(self, tokens: tokens) { ids, scores, margins in
            for (token, result) in results.enumerated() {
                for index in 0..<topK {
                    ids[token * topK + index] = result.leaves[index]
                    scores[token * topK + index] = result.scores[index]
                }
                margins[token] = result.margin
            }
        }
    }

    private struct Descent: Sendable {
        var leaves: [UInt32]
        var scores: [Float]
        /// Between the last leaf picked and the best that was not, among those that were seen.
        var margin: Float

        mutating func sortByNode() {
            let order = leaves.indices.sorted { leaves[$0] < leaves[$1] }
            (leaves, scores) = (order.map { leaves[$0] }, order.map { scores[$0] })
        }
    }

    private func descend(_ x: Span<Float>) -> Descent {
        var paths = Descent(leaves: [0], scores: [0], margin: .infinity)
        for (level, children) in branching.enumerated() {
            var scores = FloatBuffer(count: paths.leaves.count * children)
            for (index, node) in paths.leaves.enumerated() {
                let range = index * children..<(index + 1) * children
                var products = FloatBuffer(count: children)
                do {
                    var span = products.mutableSpan(0..<children)
                    keys[level].rowProducts(from: Int(node) * children, x, into: &span)
                    if !biases.isEmpty {
                        for child in 0..<children {
                            span[child] += biases[level][Int(node) * children + child]
                        }
                    }
                }
                var span = scores.mutableSpan(range)
                Kernels.logSoftmax(products.span, width: children, into: &span)
                for child in 0..<children { span[child] += paths.scores[index] }
            }
            let isLast = level == branching.count - 1
            let kept = min(isLast ? topK : beam, scores.count)
            paths = best(scores.span, of: paths.leaves, children, kept)
            if !isLast { paths.sortByNode() }
        }
        return paths
    }

    /// The best of the children of some nodes.
    ///
    /// Nodes come in ascending order, so that positions among the scores ascend with the paths.
    private func best(
        _ scores: Span<Float>, of nodes: [UInt32], _ children: Int, _ count: Int
    ) -> Descent {
        var positions = [UInt32](repeating: 0, count: count)
        var picked = [Float](repeating: 0, count: count)
        var margins: [Float] = [0]
        do {
            var positions = positions.mutableSpan
            var picked = picked.mutableSpan
            var margins = margins.mutableSpan
            Kernels.top(scores, ids: &positions, picked: &picked, margins: &margins)
        }
        let leaves = positions.map { position in
            let (node, child) = Int(position).quotientAndRemainder(dividingBy: children)
            return nodes[node] * UInt32(children) + UInt32(child)
        }
        return Descent(leaves: leaves, scores: picked, margin: margins[0])
    }
}
