/// Picks by corrected sigmoids or shares, inside the best groups of experts.
///
/// With s the sigmoids of the scores or the scores' softmax, the picks are the highest s + correction among the experts
/// of the best groups, which are those whose highest s + correction, one or two of them, have the greatest sums. Weights
/// are s alone.
package struct GroupedScoring: Sendable, Hashable {
    /// What is made of scores.
    package enum Score: Sendable, Hashable {
        /// Of each alone (DeepSeek-V3, 2412.19437).
        case sigmoid
        /// Over all experts (DeepSeek-V2, 2405.04434).
        case softmax
    }

    package let score: Score
    /// [experts]: steers the picks, not the weights; empty for none.
    package let correction: [Float]
    /// Adjacent experts form groups of one size.
    package let groups: Int
    package let pickedGroups: Int
    /// How many of a group's highest tell how good it is: 1 or 2.
    package let groupBest: Int
    /// Whether the weights are divided by their sum.
    package let isNormalised: Bool
    /// That sum is at least this: sigmoids that are all 0 weigh nothing.
    package let leastSum: Float
    /// What the weights are multiplied with at last.
    package let scale: Float

    /// - Parameters:
    ///   - groups: Divides the number of experts, into groups of at least `groupBest` unless there is one.
    package init(
        score: Score = .sigmoid, correction: [Float], groups: Int, pickedGroups: Int,
        groupBest: Int = 2, isNormalised: Bool, leastSum: Float = .leastNormalMagnitude,
        scale: Float
    ) {
        precondition(
            groups >= 1 && correction.count % groups == 0 && (1...groups).contains(pickedGroups)
                && (1...2).contains(groupBest),
            "\(pickedGroups) of \(groups) groups of \(correction.count) experts")
        self.score = score
        self.correction = correction
        self.groups = groups
        self.pickedGroups = pickedGroups
        self.groupBest = groupBest
        self.isNormalised = isNormalised
        self.leastSum = leastSum
        self.scale = scale
    }

    /// The same with one more expert, of which there are no groups.
    package func adding(correction more: [Float]) -> GroupedScoring {
        GroupedScoring(
            score: score, correction: correction.isEmpty ? [] : correction + more, groups: 1,
            pickedGroups: 1, groupBest: groupBest, isNormalised: isNormalised, leastSum: leastSum,
            scale: scale)
    }

    /// Whether experts of a number form the groups.
    func fits(_ experts: Int) -> Bool {
        (correction.isEmpty || correction.count == experts) && experts % groups == 0
            && (groups == 1 || experts / groups >= groupBest)
    }

    /// What the picks are chosen by: what was made of the scores, corrected, that of the other groups below all.
    ///
    /// - Parameter values: [experts], of one token.
    func choices(_ values: Span<Float>) -> [Float] {
        var choices = values.indices.map { values[$0] + (correction.isEmpty ? 0 : correction[$0]) }
        guard pickedGroups < groups else { return choices }
        let size = choices.count / groups
        var sums: [Float] = []
        for group in 0..<groups {
            // A NaN counts as the highest, so that it shows.
            let best = choices[group * size..<(group + 1) * size].sorted { isHigher($0, $1) }
            sums.append(groupBest == 1 ? best[0] : best[0] + best[1])
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
