package import Tensors

/// Picks the k experts with the highest scores W x + b, and weighs them; by default by the softmax over
/// the picked ones (Shazeer et al., Outrageously Large Neural Networks, 1701.06538, without noise).
package struct LinearRouter: Router {
    /// Scores that are held at once.
    private static let held = 1 << 20

    package let topK: Int
    package var heads: Int { 1 }
    package var expertCount: Int { weights.rows }
    /// Elements of a hidden state.
    package var width: Int { weights.columns }
    /// W, [experts, width].
    package let weights: any Projection
    /// b, [experts]; empty for none.
    package let bias: [Float]
    package let scoring: ExpertScoring
    /// What weights are multiplied with at last, [experts]; empty for nothing.
    package let expertScales: [Float]

    /// - Parameters:
    ///   - weights: W, [experts, width].
    ///   - bias: b, [experts]; empty for none.
    ///   - topK: At most the number of experts, those of the picked groups, and `Kernels.largestTopK`.
    package init(
        _ weights: any Projection, bias: [Float] = [], topK: Int,
        scoring: ExpertScoring = .softmaxOfPicked, expertScales: [Float] = []
    ) {
        precondition(
            topK > 0 && topK <= weights.rows && topK <= Kernels.largestTopK
                && (bias.isEmpty || bias.count == weights.rows)
                && (expertScales.isEmpty || expertScales.count == weights.rows),
            "top \(topK) of \(weights.rows) experts")
        if case .grouped(let grouped) = scoring {
            precondition(
                grouped.fits(weights.rows)
                    && topK <= weights.rows / grouped.groups * grouped.pickedGroups,
                "top \(topK) of \(grouped.pickedGroups) of \(grouped.groups) groups")
        }
        if case .sparseMixer = scoring {
            precondition(topK == 2, "\(topK) picks by SparseMixer, which makes two")
        }
        self.weights = weights
        self.bias = bias
        self.topK = topK
        self.scoring = scoring
        self.expertScales = expertScales
    }

    /// - Complexity: Per token experts · width multiplications.
    package func route(
        _ x: Span<Float>, tokens: Int, into selection: inout Selection, team: ThreadTeam
    ) {
        let (count, width) = (weights.rows, weights.columns)
        let block = max(1, min(tokens, Self.held / count))
        var scores = FloatBuffer(count: block * count)
        selection.replace(self, tokens: tokens, weigh: weigh) { ids, picked, margins in
            for start in stride(from: 0, to: tokens, by: block) {
                let some = min(block, tokens - start)
                do {
                    var span = scores.mutableSpan(0..<some * count)
                    weights.multiply(
                        x.extracting(start * width..<(start + some) * width), tokens: some,
                        into: &span, team: team)
                    addBias(&span)
                    value(&span)
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

    /// Makes of the products scores: [tokens, experts].
    func addBias(_ scores: inout MutableSpan<Float>) {
        guard !bias.isEmpty else { return }
        for index in scores.indices { scores[index] += bias[index % bias.count] }
    }

    /// Makes of scores what picks are weighed by: [tokens, experts].
    func value(_ scores: inout MutableSpan<Float>) {
        switch scoring {
        case .softmaxOfPicked, .sparseMixer: break
        case .softmaxOfAll: Kernels.softmax(&scores, width: weights.rows)
        case .grouped(let grouped):
            switch grouped.score {
            case .sigmoid: Kernels.sigmoid(&scores)
            case .softmax: Kernels.softmax(&scores, width: weights.rows)
            }
        }
    }

    /// Makes of the picks' scores their weights.
    private func weigh(
        _ scores: inout MutableSpan<Float>, _ width: Int, _ ids: Span<UInt32>
    ) {
        weigh(&scores, width)
        guard !expertScales.isEmpty else { return }
        for index in scores.indices { scores[index] *= expertScales[Int(ids[index])] }
    }

    private func weigh(_ scores: inout MutableSpan<Float>, _ width: Int) {
        switch scoring {
        case .softmaxOfPicked: Kernels.softmax(&scores, width: width)
        case .softmaxOfAll(let normalised):
            if normalised { divideBySum(&scores, width, .leastNormalMagnitude) }
        case .grouped(let grouped):
            if grouped.isNormalised { divideBySum(&scores, width, grouped.leastSum) }
            for index in scores.indices { scores[index] *= grouped.scale }
        // They are weights already.
        case .sparseMixer: break
        }
    }

    private func divideBySum(_ scores: inout MutableSpan<Float>, _ width: Int, _ least: Float) {
        for first in stride(from: 0, to: scores.count, by: width) {
            var sum: Float = 0
            for index in first..<first + width { sum += scores[index] }
            sum = max(sum, least)
            for index in first..<first + width { scores[index] /= sum }
        }
    }

    /// The picks of a block of tokens, with the scores that weigh them.
    private func best(
        _ all: Span<Float>, tokens: Int, _ team: ThreadTeam
    ) -> (ids: [UInt32], scores: [Float], margins: [Float]) {
        let count = weights.rows
        switch scoring {
        case .softmaxOfPicked, .softmaxOfAll: return top(all, tokens: tokens, team)
        case .grouped(let grouped):
            var choices: [Float] = []
            choices.reserveCapacity(all.count)
            for token in 0..<tokens {
                choices += grouped.choices(all.extracting(token * count..<(token + 1) * count))
            }
            var found = top(choices.span, tokens: tokens, team)
            for index in found.ids.indices {
                found.scores[index] = all[index / topK * count + Int(found.ids[index])]
            }
            return found
        case .sparseMixer(let jitter):
            var found = top(all, tokens: tokens, team)
            for token in 0..<tokens {
                let (first, second) = (2 * token, 2 * token + 1)
                (found.scores[first], found.scores[second]) = sparseMixerWeights(
                    all.extracting(token * count..<(token + 1) * count),
                    first: Int(found.ids[first]), second: Int(found.ids[second]), jitter: jitter)
            }
            return found
        }
    }

    /// The `topK` best of each token's scores, [tokens, experts].
    func top(
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
