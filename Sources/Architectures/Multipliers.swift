extension ModelDescription {
    /// What states are multiplied with on their way.
    package struct Multipliers: Sendable, Hashable {
        /// Rows of the embedding.
        package var embedding: Float = 1
        /// What attention and feed-forwards add.
        package var residual: Float = 1
        /// What logits are divided by.
        package var logitDivisor: Float = 1
        /// Logits are cap · tanh(logits / cap); nil for as they are.
        package var logitCap: Float? = nil
    }

    /// What a norm makes of a state.
    package enum NormForm: Sendable, Hashable {
        /// Divided by its root mean square, times weights.
        case weighed
        /// The same, times 1 + weights.
        case aroundOne
        /// Less its mean, divided by the root mean square of that, times weights, plus biases (LayerNorm).
        case centred
    }
}

/// Scores of experts that are sigmoids or shares of one softmax, picked inside the best groups.
///
/// Picked are the highest scores, each with its correction, among the experts of the best groups.
package struct ExpertGrouping: Sendable, Hashable {
    package enum Score: Sendable, Hashable {
        case sigmoid
        /// Over all experts.
        case softmax
    }

    package let score: Score
    /// Adjacent experts form groups of one size.
    package let groups: Int
    package let pickedGroups: Int
    /// Groups are as good as so many of their best experts together: 1 or 2.
    package let groupBest: Int
    /// Whether the weights are divided by their sum.
    package let isNormalised: Bool
    /// That sum is at least this.
    package let leastSum: Float
    /// What the weights are multiplied with at last.
    package let scale: Float

    package init(
        score: Score = .sigmoid, groups: Int = 1, pickedGroups: Int = 1, groupBest: Int = 2,
        isNormalised: Bool = true, leastSum: Float = .leastNormalMagnitude, scale: Float = 1
    ) {
        self.score = score
        self.groups = groups
        self.pickedGroups = pickedGroups
        self.groupBest = groupBest
        self.isNormalised = isNormalised
        self.leastSum = leastSum
        self.scale = scale
    }
}

extension ModelDescription.Experts {
    /// The groups that experts are picked from; nil where all are one.
    package var groups: Int? {
        guard case .grouped(let grouping, _) = scoring, grouping.groups > 1 else { return nil }
        return grouping.groups
    }

    /// Whether weights are shares of one softmax.
    package var givesShares: Bool {
        switch scoring {
        case .softmaxOfPicked, .softmaxOfAll: true
        case .grouped, .sparseMixer: false
        }
    }
}
