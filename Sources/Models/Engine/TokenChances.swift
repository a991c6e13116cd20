internal import Tensors

/// How likely a model held a token, and which others it held likeliest.
package struct TokenChances: Sendable, Hashable {
    package struct Chance: Sendable, Hashable {
        package let token: Int
        /// The natural logarithm of the probability, at temperature 1.
        package let logProbability: Double
    }

    package let chosen: Chance
    /// The likeliest, in order; of equally likely ones the lower first.
    package let alternatives: [Chance]

    /// - Parameters:
    ///   - logits: Before softmax, one for each token of the vocabulary; or logarithms of probabilities.
    ///   - alternatives: How many of the likeliest are told.
    init(of token: Int, _ logits: ArraySlice<Float>, alternatives: Int) {
        let greatest = Double(logits.max() ?? 0)
        // Our own exponential and logarithm: the C library's bits differ between machines.
        let sum = logits.reduce(0.0) { $0 + Kernels.exp(Double($1) - greatest) }
        let whole = greatest + Kernels.log(sum)
        let first = logits.startIndex
        func chance(_ token: Int) -> Chance {
            Chance(token: token, logProbability: Double(logits[first + token]) - whole)
        }
        chosen = chance(token)
        var best: [Int] = []
        for index in 0..<(alternatives == 0 ? 0 : logits.count) {
            let logit = logits[first + index]
            if best.count == alternatives, logits[first + best[best.count - 1]] >= logit {
                continue
            }
            let place = best.firstIndex { logits[first + $0] < logit } ?? best.count
            best.insert(index, at: place)
            if best.count > alternatives { best.removeLast() }
        }
        self.alternatives = best.map(chance)
    }
}
