internal import Tensors

/// What one head of one token picked: experts in descending score order, and their weights.
package struct Route: Sendable, Hashable {
    package let experts: [UInt32]
    /// The softmax of the picks' scores; the weights of a head sum to one.
    package let weights: [Float]

    package init(experts: [UInt32], weights: [Float]) {
        self.experts = experts
        self.weights = weights
    }
}

/// The picks of a batch of tokens, flat: the fast form of `Route`.
package struct Picks: Sendable {
    package let heads: Int
    package let topK: Int
    package private(set) var tokens = 0
    /// [tokens, heads, topK], best first.
    package private(set) var experts: [UInt32] = []
    /// [tokens, heads, topK].
    package private(set) var weights: [Float] = []
    /// [tokens, heads]: the last pick's score minus that of the best expert not picked, or infinity
    /// when every expert was.
    package private(set) var margins: [Float] = []

    package init(heads: Int, topK: Int) {
        precondition(heads > 0 && topK > 0, "\(heads) heads of \(topK) picks")
        self.heads = heads
        self.topK = topK
    }

    /// The picks of one head of one token.
    package func route(token: Int, head: Int) -> Route {
        precondition(
            token >= 0 && token < tokens && head >= 0 && head < heads,
            "token \(token), head \(head) of \(tokens) x \(heads)")
        let start = (token * heads + head) * topK
        return Route(
            experts: Array(experts[start..<start + topK]),
            weights: Array(weights[start..<start + topK]))
    }

    /// Replaces the picks by the best sums of the given scores.
    ///
    /// - Parameters:
    ///   - first: [tokens, heads, n], the scores of the high digits.
    ///   - second: [tokens, heads, n], those of the low digits.
    mutating func select(tokens: Int, first: Span<Float>, second: Span<Float>) {
        var experts = [UInt32](repeating: 0, count: tokens * heads * topK)
        var weights = [Float](repeating: 0, count: experts.count)
        var margins = [Float](repeating: 0, count: tokens * heads)
        do {
            var experts = experts.mutableSpan
            var weights = weights.mutableSpan
            var margins = margins.mutableSpan
            Kernels.productKeyTop(
                first: first, second: second, ids: &experts, scores: &weights, margins: &margins)
            Kernels.softmax(&weights, width: topK)
        }
        self.tokens = tokens
        self.experts = experts
        self.weights = weights
        self.margins = margins
    }
}
