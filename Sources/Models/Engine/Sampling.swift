internal import Elements
internal import Tensors

/// How the next token is chosen from the logits.
package struct Sampling: Sendable, Hashable {
    /// 0 takes the most likely token; 1 samples from the model's distribution.
    package let temperature: Double
    /// Only the most likely tokens whose probabilities add up to this are drawn from; 1 keeps all.
    package let topP: Double
    /// The same seed, model and prompt give the same text.
    package let seed: UInt64

    /// The most likely token; of equally likely ones the lowest.
    package static let greedy = Sampling(checked: 0, 1, 0)

    /// - Throws: `.badInput` unless 0 <= temperature <= 100 and 0 < topP <= 1.
    package init(temperature: Double, topP: Double = 1, seed: UInt64) throws {
        guard temperature >= 0, temperature <= 100 else {
            throw CambiumError(.badInput, "temperature is \(temperature); give 0 to 100")
        }
        guard topP > 0, topP <= 1 else {
            throw CambiumError(.badInput, "top-p is \(topP); give more than 0, at most 1")
        }
        self.init(checked: temperature, topP, seed)
    }

    private init(checked temperature: Double, _ topP: Double, _ seed: UInt64) {
        self.temperature = temperature
        self.topP = topP
        self.seed = seed
    }

    /// The chosen token.
    ///
    /// - Parameters:
    ///   - logits: One for each token, before softmax.
    ///   - generator: Draws one number, unless the choice is greedy.
    /// - Throws: `.notFinite` if a logit is NaN or infinite.
    func choose(
        _ logits: [Float], using generator: inout SplitMix64
    ) throws -> Int {
        var best = 0
        for (token, logit) in logits.enumerated() {
            guard logit.isFinite else {
                throw CambiumError(.notFinite, "the logit of token \(token) is \(logit)")
            }
            if logit > logits[best] { best = token }
        }
        guard temperature > 0 else { return best }
        var ranked = logits.enumerated().map { (token: $0, logit: $1) }
        ranked.sort { ($0.logit, $1.token) > ($1.logit, $0.token) }
        // Our own exponential: with the C library's, a seed would give other text elsewhere.
        let weights = ranked.map {
            Kernels.exp((Double($0.logit) - Double(ranked[0].logit)) / temperature)
        }
        let wanted = topP * weights.reduce(0, +)
        var kept = 0.0
        var count = 0
        while count < weights.count, kept < wanted {
            kept += weights[count]
            count += 1
        }
        var left = generator.nextUnit() * kept
        for index in 0..<count {
            left -= weights[index]
            if left < 0 { return ranked[index].token }
        }
        return ranked[max(count, 1) - 1].token
    }
}
