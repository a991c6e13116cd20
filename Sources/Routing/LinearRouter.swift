package import Tensors

/// Picks the k experts with the highest scores W x, and weighs them by the softmax over the picked
/// ones (Shazeer et al., Outrageously Large Neural Networks, 1701.06538, without noise).
package struct LinearRouter: Router {
    /// Scores that are held at once.
    private static let held = 1 << 20

    package let topK: Int
    package var heads: Int { 1 }
    package var expertCount: Int { weights.rows }
    private let weights: any Projection

    /// - Parameters:
    ///   - weights: W, [experts, width].
    ///   - topK: At most the number of experts and `Kernels.largestTopK`.
    package init(_ weights: any Projection, topK: Int) {
        precondition(
            topK > 0 && topK <= weights.rows && topK <= Kernels.largestTopK,
            "top \(topK) of \(weights.rows) experts")
        self.weights = weights
        self.topK = topK
    }

    /// - Complexity: Per token experts · width multiplications.
    package func route(
        _ x: Span<Float>, tokens: Int, into picks: inout Picks, team: ThreadTeam
    ) {
        let (count, width) = (weights.rows, weights.columns)
        let block = max(1, min(tokens, Self.held / count))
        var scores = FloatBuffer(count: block * count)
        picks.replace(self, tokens: tokens) { ids, picked, margins in
            for start in stride(from: 0, to: tokens, by: block) {
                let some = min(block, tokens - start)
                do {
                    var span = scores.mutableSpan(0..<some * count)
                    weights.multiply(
                        x.extracting(start * width..<(start + some) * width), tokens: some,
                        into: &span, team: team)
                }
                let found = best(scores.span(0..<some * count), tokens: some, team)
                for index in 0..<some * topK {
                    ids[start * topK + index] = found.ids[index]
                    picked[start * topK + index] = found.scores[index]
                }
                for index in 0..<some { margins[start + index] = found.margins[index] }
            }
        }
    }

    /// The picks of a block of tokens.
    private func best(
        _ all: Span<Float>, tokens: Int, _ team: ThreadTeam
    ) -> (ids: [UInt32], scores: [Float], margins: [Float]) {
        var ids = [UInt32](repeating: 0, count: tokens * topK)
        var scores = [Float](repeating: 0, count: tokens * topK)
        var margins = [Float](repeating: 0, count: tokens)
        do {
            var ids = ids.mutableSpan
            var scores = scores.mutableSpan
            var margins = margins.mutableSpan
            Kernels.top(all, ids: &ids, picked: &scores, margins: &margins, team: team)
        }
        return (ids, scores, margins)
    }
}
