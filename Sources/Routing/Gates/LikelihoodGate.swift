/// Picks among models for a token by how well each of them predicted the text so far: Bayes over whole models, with
/// decay, where nothing was counted of what they were trained on.
///
/// With l(t) the logarithm of the probability that a model gave to token t, its score is s(t) = decay s(t - 1) + l(t),
/// from a start of 0 less its handicap, and its weight 2^s / Σ 2^s. As of ``CountGate``, decay follows a text that changes. Every model
/// has to run over every token.
///
/// Scores are integers, in units of 2^-16, so that weights do not depend on an order of sums.
package struct LikelihoodGate: Sendable {
    package let modelCount: Int
    /// In units of 2^-16.
    package let decay: Int

    /// In units of 2^-16.
    private let handicaps: [Int]

    /// - Parameters:
    ///   - decay: In units of 2^-16: 0 to 2^16.
    ///   - handicaps: Of each model, how many bits of evidence its text owes before it counts as much as the others; nil
    ///     for none.
    package init(modelCount: Int, decay: Int = Self.standardDecay, handicaps: [Int]? = nil) {
        precondition(
            modelCount >= 1 && (0...FixedPoint.one).contains(decay)
                && handicaps?.count ?? modelCount == modelCount,
            "\(modelCount) models, decay \(decay)")
        self.modelCount = modelCount
        self.decay = decay
        self.handicaps =
            handicaps?.map { $0 << 16 } ?? [Int](repeating: 0, count: modelCount)
    }

    /// 0.99.
    package static let standardDecay = 64_881

    /// A text that has not begun.
    package var start: [Int] { handicaps.map { -$0 } }

    /// Takes the next token of a text into account.
    ///
    /// - Parameters:
    ///   - scores: One per model, in units of 2^-16.
    ///   - probabilities: What each model gave to the token; one that is not a number counts as the least.
    package func advance(_ scores: inout [Int], _ probabilities: [Float]) {
        for (model, probability) in probabilities.enumerated() {
            // A share of 2^30, at least 1; a comparison with what is not a number is false.
            let share = probability > 0 ? UInt64(min(probability, 1) * Float(FixedPoint.unit)) : 0
            let likelihood = FixedPoint.log2(max(share, 1)) - 30 * FixedPoint.one
            scores[model] = (scores[model] * decay) >> 16 + likelihood
        }
    }

    /// The weights of the models, in units of 2^-30; their sum is at least 2^30.
    package func weights(_ scores: [Int]) -> [UInt64] {
        let best = scores.max() ?? 0
        return scores.map { FixedPoint.exp2(minus: best - $0) }
    }
}
