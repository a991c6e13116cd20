internal import Elements
package import Routing
internal import Tensors

/// A model with one more expert in each layer, which runs where a gate takes a text to be of the new domain, beside
/// the model before, which runs elsewhere: how often the expert is picked then, and old routes stay.
///
/// A token's picks count as much as the gate lets the model's prediction behind it count. Every text that was held out
/// begins anew, so that the gate knows nothing of its first tokens.
package struct GatedGrowth {
    /// Shares of the tokens of all layers.
    package struct Figures: Sendable {
        package let picked: Double
        package let unchanged: Double
        package let newBits: ExpertGrowth.Bits
        package let oldBits: ExpertGrowth.Bits
    }

    private let texts: [ExpertGrowth.HeldText]
    private let layers: Double
    private let gate: CountGate
    /// Of each class 1 for the model that has grown, else 0.
    private let models: [Int]
    private let speller: @Sendable () -> any TokenSpeller

    /// - Parameters:
    ///   - gate: Of counts that the texts held out are not among.
    ///   - own: The class of the model that has grown.
    ///   - speller: Spells the texts' tokens.
    package init(
        _ grown: ExpertGrowth.Result, _ gate: CountGate, own: Int,
        speller: @escaping @Sendable () -> any TokenSpeller
    ) {
        texts = grown.held
        layers = Double(max(grown.additions.count, 1))
        self.gate = gate
        models = (0..<gate.classCount).map { $0 == own ? 1 : 0 }
        self.speller = speller
    }

    /// The bits of evidence that a text has to owe so that old routes stay: the fewest that reach the aim, or, where none
    /// do, those that keep most.
    ///
    /// - Parameters:
    ///   - unchanged: The share of them that must. Aimed at is, where that can be, that only half as many change.
    ///   - most: Bits.
    /// - Throws: `.badInput` when none keep that share.
    package func handicap(unchanged: Double, most: Int) throws -> Int {
        let aim = 1 - (1 - unchanged) / 2
        var best: (bits: Int, bound: Double)?
        for bits in 0...most {
            let mixture = mixture(bits)
            let bound = ExpertGrowth.bound(
                texts.filter { $0.isOld && !$0.reports }.map { text in
                    1 - share(text, mixture) / Double(max(text.tokens.count, 1))
                })
            if bound >= aim { return bits }
            if bound > best?.bound ?? -.infinity { best = (bits, bound) }
        }
        if let best, best.bound >= unchanged { return best.bits }
        throw CambiumError(
            .badInput,
            "at best \(((best?.bound ?? 0) * 10_000).rounded() / 100) % of the old text's routes are sure to stay as "
                + "they are, not \(unchanged * 100) %: the gate takes old text for new; give more text of both"
        )
    }

    /// What texts show that nothing was chosen by.
    package func figures(handicap: Int) -> Figures {
        let mixture = mixture(handicap)
        var (picked, changed) = (0.0, 0.0)
        var (newBits, oldBits) = (ExpertGrowth.Bits(), ExpertGrowth.Bits())
        var (newTokens, oldTokens) = (0, 0)
        for text in texts where text.reports {
            let nats = (text.nats.before.reduce(0, +), mixedNats(text, mixture))
            if text.isOld {
                changed += share(text, mixture)
                oldTokens += text.tokens.count
                oldBits.add(nats, text.tokens.count - 1)
            } else {
                picked += share(text, mixture)
                newTokens += text.tokens.count
                newBits.add(nats, text.tokens.count - 1)
            }
        }
        return Figures(
            picked: picked / Double(max(newTokens, 1)),
            unchanged: 1 - changed / Double(max(oldTokens, 1)),
            newBits: newBits.perToken, oldBits: oldBits.perToken)
    }

    private func mixture(_ handicap: Int) -> AdapterMixture {
        AdapterMixture(gate, models: models, handicaps: models.map { $0 * handicap })
    }

    /// Of each token, the share of the model that has grown in what is predicted behind it.
    private func weights(
        _ text: ExpertGrowth.HeldText, _ mixture: AdapterMixture
    ) -> [Double] {
        var state = mixture.start
        var speller = speller()
        return text.tokens.map { token in
            var bytes: [UInt8] = []
            speller.append(token, to: &bytes)
            for byte in bytes { mixture.advance(&state, byte) }
            return mixture.shares(state).reduce(0) { $0 + ($1.model == 1 ? Double($1.weight) : 0) }
        }
    }

    /// Tokens that count in the figure of a text, over all layers.
    private func share(_ text: ExpertGrowth.HeldText, _ mixture: AdapterMixture) -> Double {
        zip(weights(text, mixture), text.layers).reduce(0) { $0 + $1.0 * Double($1.1) / layers }
    }

    private func mixedNats(
        _ text: ExpertGrowth.HeldText, _ mixture: AdapterMixture
    ) -> Double {
        let weights = weights(text, mixture)
        return text.nats.before.indices.reduce(0) { sum, index in
            let weight = weights[index]
            let probability =
                (1 - weight) * Kernels.exp(-text.nats.before[index])
                + weight * Kernels.exp(-text.nats.after[index])
            return sum - Kernels.log(max(probability, .leastNormalMagnitude))
        }
    }
}
