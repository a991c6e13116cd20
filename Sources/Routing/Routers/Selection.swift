internal import Tensors

/// What one head of one token picked: experts in descending score order, and their weights.
package struct Route: Sendable, Hashable {
    package let experts: [UInt32]
    /// How much each pick adds; with most routers the softmax of their scores.
    package let weights: [Float]

    package init(experts: [UInt32], weights: [Float]) {
        self.experts = experts
        self.weights = weights
    }
}

/// The picks of a batch of tokens, flat: the fast form of `Route`.
package struct Selection: Sendable {
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

    /// Replaces the picks by those of a hash, each of which counts in full.
    ///
    /// - Parameter texts: Tokens of some texts, one behind the other, each with what was in front of them.
    package mutating func replace(
        _ router: HashRouter, texts: [(tokens: [UInt8], history: HashRouter.History)]
    ) {
        precondition(
            heads == 1 && topK == router.picksPerToken, "picks of \(heads) x \(topK) for a hash")
        tokens = texts.reduce(0) { $0 + $1.tokens.count }
        if experts.count != tokens * topK {
            experts = [UInt32](repeating: 0, count: tokens * topK)
            weights = [Float](repeating: 1, count: tokens * topK)
            margins = [Float](repeating: .infinity, count: tokens)
        }
        // Taken out, so that it is held once and written in place.
        var rows = experts
        experts = []
        do {
            var span = rows.mutableSpan
            var start = 0
            for (tokens, history) in texts {
                var history = history
                let end = start + tokens.count * router.picksPerToken
                var own = span._mutatingExtracting(start..<end)
                router.route(tokens.span, history: &history, into: &own)
                start = end
            }
        }
        experts = rows
    }

    /// Replaces the picks.
    ///
    /// - Parameters:
    ///   - select: Sets the experts [tokens, heads, topK], their scores and the margins [tokens, heads].
    ///   - weigh: Makes the weights of the scores of some experts; by default their softmax.
    mutating func replace(
        _ router: some Router, tokens: Int,
        weigh: (inout MutableSpan<Float>, _ width: Int, _ ids: Span<UInt32>) -> Void = {
            scores, width, _ in Kernels.softmax(&scores, width: width)
        },
        _ select: (
            inout MutableSpan<UInt32>, inout MutableSpan<Float>, inout MutableSpan<Float>
        ) -> Void
    ) {
        precondition(
            heads == router.heads && topK == router.topK,
            "picks of \(heads) x \(topK) for a router of \(router.heads) x \(router.topK)")
        // Taken out, so that each is held once and written in place.
        var (experts, weights, margins) = (self.experts, self.weights, self.margins)
        (self.experts, self.weights, self.margins) = ([], [], [])
        if tokens != self.tokens {
            experts = [UInt32](repeating: 0, count: tokens * heads * topK)
            weights = [Float](repeating: 0, count: experts.count)
            margins = [Float](repeating: 0, count: tokens * heads)
        }
        do {
            var ids = experts.mutableSpan
            var scores = weights.mutableSpan
            var differences = margins.mutableSpan
            select(&ids, &scores, &differences)
            weigh(&scores, topK, ids.span)
        }
        self.tokens = tokens
        (self.experts, self.weights, self.margins) = (experts, weights, margins)
    }
}
