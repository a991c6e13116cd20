internal import Tensors

/// How a linear router's scores decide who is picked, and with what weights.
package enum ExpertScoring: Sendable, Hashable {
    /// The highest scores; weights are their softmax (gpt-oss, 2508.10925).
    case softmaxOfPicked
    /// The highest probabilities of the softmax over all experts, which are the weights, divided by their
    /// sum when `normalised` (Mixtral, 2401.04088; OLMoE, 2409.02060; Qwen3, 2505.09388).
    case softmaxOfAll(normalised: Bool)
    /// Sigmoids; see ``SigmoidScoring`` (DeepSeek-V3, 2412.19437).
    case sigmoid(SigmoidScoring)
}

/// Picks by corrected sigmoids, inside the best groups of experts.
///
/// With sigmoids s of the scores, the picks are the highest s + correction among the experts of the best
/// groups, which are those whose two highest s + correction have the greatest sums. Weights are s alone.
package struct SigmoidScoring: Sendable, Hashable {
    /// [experts]: steers the picks, not the weights.
    package let correction: [Float]
    /// Adjacent experts form groups of one size.
    package let groups: Int
    package let pickedGroups: Int
    /// Whether the weights are divided by their sum.
    package let isNormalised: Bool
    /// What the weights are multiplied with at last.
    package let scale: Float

    /// - Parameters:
    ///   - groups: Divides the number of experts, into groups of at least 2 unless there is one.
    package init(
        correction: [Float], groups: Int, pickedGroups: Int, isNormalised: Bool, scale: Float
    ) {
        precondition(
            groups >= 1 && correction.count % groups == 0 && (1...groups).contains(pickedGroups)
                && (groups == 1 || correction.count / groups >= 2),
            "\(pickedGroups) of \(groups) groups of \(correction.count) experts")
        self.correction = correction
        self.groups = groups
        self.pickedGroups = pickedGroups
        self.isNormalised = isNormalised
        self.scale = scale
    }

    /// What the picks are chosen by: the corrected sigmoids, those of the other groups below all.
    ///
    /// - Parameter sigmoids: [experts], of one token.
    func choices(_ sigmoids: Span<Float>) -> [Float] {
        var choices = correction.indices.map { sigmoids[$0] + correction[$0] }
        guard pickedGroups < groups else { return choices }
        let size = choices.count / groups
        var sums: [Float] = []
        for group in 0..<groups {
            // A NaN counts as the highest, so that it shows.
            let best = choices[group * size..<(group + 1) * size].sorted { isHigher($0, $1) }
            sums.append(best[0] + best[1])
        }
        let order = (0..<groups).sorted {
            isHigher(sums[$0], sums[$1]) || (!isHigher(sums[$1], sums[$0]) && $0 < $1)
        }
        for group in order.dropFirst(pickedGroups) {
            for expert in group * size..<(group + 1) * size { choices[expert] = -.infinity }
        }
        return choices
    }

    private func isHigher(_ left: Float, _ right: Float) -> Bool {
        (left.isNaN ? .infinity : left) > (right.isNaN ? .infinity : right)
    }
}
