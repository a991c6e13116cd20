package import Tensors

/// What a further expert would need to be picked.
extension LinearRouter {
    /// Of each token the score W x + b above which a further expert is picked, and the best expert's.
    ///
    /// With softmax the last pick's score; where picks are corrected, what makes its corrected sigmoid or share together
    /// with `correction`.
    ///
    /// - Parameters:
    ///   - x: [tokens, width].
    ///   - correction: The further expert's own.
    /// - Returns: [tokens] each.
    package func entries(
        _ x: Span<Float>, tokens: Int, correction: Float, team: ThreadTeam
    ) -> (entry: [Float], best: [Float]) {
        var scores = [Float](repeating: 0, count: tokens * expertCount)
        do {
            var span = scores.mutableSpan
            weights.multiply(x, tokens: tokens, into: &span, team: team)
            addBias(&span)
        }
        // By softmax alone the order is that of the scores.
        guard case .grouped(let grouped) = scoring, !grouped.correction.isEmpty else {
            let picked = top(scores.span, tokens: tokens, team).scores
            return (
                (0..<tokens).map { picked[$0 * topK + topK - 1] },
                (0..<tokens).map { picked[$0 * topK] }
            )
        }
        // A share of e^score is one of e^score and this.
        var others = [Double](repeating: 0, count: tokens)
        if grouped.score == .softmax {
            for token in 0..<tokens {
                let own = scores[token * expertCount..<(token + 1) * expertCount]
                let largest = own.max() ?? 0
                let sum = own.reduce(0.0) { $0 + Kernels.exp(Double($1 - largest)) }
                others[token] = Double(largest) + Kernels.log(sum)
            }
        }
        do {
            var span = scores.mutableSpan
            value(&span)
            for index in span.indices { span[index] += grouped.correction[index % expertCount] }
        }
        let picked = top(scores.span, tokens: tokens, team).scores
        func score(_ value: Float, _ token: Int) -> Float {
            // A share outside of 0 to 1 is one that no score, or every score, exceeds.
            let share = Double(min(max(value - correction, 1e-6), 1 - 1e-6))
            return Float(Kernels.log(share) - Kernels.log(1 - share) + others[token])
        }
        return (
            (0..<tokens).map { score(picked[$0 * topK + topK - 1], $0) },
            (0..<tokens).map { score(picked[$0 * topK], $0) }
        )
    }
}
