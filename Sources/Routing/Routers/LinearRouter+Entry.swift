package import Tensors

/// What a further expert would need to be picked.
extension LinearRouter {
    /// Of each token the score W x + b above which a further expert is picked, and the best expert's.
    ///
    /// With softmax the last pick's score; with sigmoids what makes its corrected sigmoid together with
    /// `correction`.
    ///
    /// - Parameters:
    ///   - x: [tokens, width].
    ///   - correction: Of sigmoids, the further expert's own.
    /// - Returns: [tokens] each.
    package func entries(
        _ x: Span<Float>, tokens: Int, correction: Float, team: ThreadTeam
    ) -> (entry: [Float], best: [Float]) {
        var scores = [Float](repeating: 0, count: tokens * expertCount)
        do {
            var span = scores.mutableSpan
            weights.multiply(x, tokens: tokens, into: &span, team: team)
            if !bias.isEmpty {
                for index in span.indices { span[index] += bias[index % bias.count] }
            }
            if case .sigmoid(let sigmoid) = scoring {
                Kernels.sigmoid(&span)
                for index in span.indices { span[index] += sigmoid.correction[index % expertCount] }
            }
        }
        let picked = top(scores.span, tokens: tokens, team).scores
        func score(_ value: Float) -> Float {
            guard case .sigmoid = scoring else { return value }
            // A share outside of 0 to 1 is one that no score, or every score, exceeds.
            let share = Double(min(max(value - correction, 1e-6), 1 - 1e-6))
            return Float(Kernels.log(share) - Kernels.log(1 - share))
        }
        return (
            (0..<tokens).map { score(picked[$0 * topK + topK - 1]) },
            (0..<tokens).map { score(picked[$0 * topK]) }
        )
    }
}
