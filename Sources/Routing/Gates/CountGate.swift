internal import Elements

/// Picks adapters for a byte from n-gram counts of what each adapter was trained on: naive Bayes over
/// the bytes so far, with decay.
///
/// **Likelihood.** For a class with counts n, the probability of byte b after the bytes c (up to
/// `order` - 1 of them) backs off to shorter contexts, with the pseudo-count a for each of the d(c)
/// different bytes that were seen after c: p(b | c) = (n(c b) + a d(c) p(b | c')) / (n(c) + a d(c)),
/// where c' is c without its first byte; below all contexts is the uniform 1 / 256, and a context
/// never seen leaves the shorter one's probability as it is. With a = 1 this is method C of Witten
/// and Bell (The zero-frequency problem, 1991): contexts that many bytes follow trust their own
/// counts less.
///
/// **Posterior.** With log-likelihoods l(t), a class's score is s(t) = decay s(t - 1) + temperature
/// l(t), from a start of 0, and its weight 2^s / Σ 2^s. Decay forgets what lies far back, so that
/// the gate follows a text that changes; temperature allows for bytes that are not independent.
///
/// **Bits.** All of it is integer arithmetic: probabilities in units of 2^-30, logarithms of 2^-16,
/// cut off downwards. Counts are sums, so a gate depends on the set of texts that were counted
/// alone, not on their order or on how they were divided among branches.
package struct CountGate: Sendable {
    /// How much the gate trusts what it sees.
    package struct Settings: Sendable, Hashable {
        /// a, for each different byte seen after a context; at least 1.
        package var pseudoCount: UInt64
        /// In units of 2^-16: 0 to 2^16.
        package var decay: Int
        /// In units of 2^-16: 1 to 2^16.
        package var temperature: Int

        package init(pseudoCount: UInt64, decay: Int, temperature: Int) {
            precondition(
                (1...1 << 20).contains(pseudoCount) && (0...FixedPoint.one).contains(decay)
                    && (1...FixedPoint.one).contains(temperature),
                "pseudo-count \(pseudoCount), decay \(decay), temperature \(temperature)")
            self.pseudoCount = pseudoCount
            self.decay = decay
            self.temperature = temperature
        }

        /// Pseudo-count 1, decay 0.995, temperature 0.7.
        package static let standard = Settings(
            pseudoCount: 1, decay: 65_208, temperature: 45_875)
    }

    /// What the gate has seen of one text.
    package struct State: Sendable, Equatable {
        /// By class, the nodes of its trie that the last 0, 1, … bytes are.
        var places: [UInt32]
        /// One score per class, in units of 2^-16.
        package internal(set) var scores: [Int]
    }

    package let order: Int
    package let classCount: Int
    package let settings: Settings
    let tries: [CountTrie]

    /// - Parameter classes: At least one, all of one order of at least 1, totals below 2^33.
    package init(
        _ classes: [NGramCounts], settings: Settings = .standard
    ) throws {
        guard let first = classes.first else {
            throw CambiumError(.unsolvable, "a gate needs the counts of at least one adapter")
        }
        for counts in classes {
            guard counts.order == first.order else {
                throw CambiumError(
                    .incompatible,
                    "one adapter has counts of \(first.order)-grams, another of "
                        + "\(counts.order)-grams; count again with one order")
            }
            guard counts.total < 1 << 33, counts.entries.count < 1 << 29 else {
                throw CambiumError(
                    .overflow, "more than 2^33 n-grams in one class, or 2^29 different ones")
            }
        }
        order = first.order
        classCount = classes.count
        self.settings = settings
        tries = classes.map(CountTrie.init)
    }

    /// A text that has not begun.
    package var start: State {
        State(places: tries.flatMap(\.start), scores: [Int](repeating: 0, count: classCount))
    }

    /// A text that has not begun, before which some classes are less likely than others.
    ///
    /// - Parameter bits: By class, how far its score is below 0; it is forgotten as what was read is.
    package func start(behind bits: [Int]) -> State {
        precondition(bits.count == classCount, "\(bits.count) of \(classCount) classes")
        var state = start
        for index in bits.indices { state.scores[index] -= bits[index] << 16 }
        return state
    }

    /// Takes the next byte of a text into account.
    package func advance(_ state: inout State, _ byte: UInt8) {
        for index in 0..<classCount {
            let probability = tries[index].advance(
                &state.places, first: index * order, byte, settings.pseudoCount)
            let likelihood = FixedPoint.log2(max(probability, 1)) - 30 * FixedPoint.one
            state.scores[index] =
                (state.scores[index] * settings.decay) >> 16
                + (likelihood * settings.temperature) >> 16
        }
    }

    /// The weights of the classes, in units of 2^-30; their sum is at least 2^30.
    package func weights(_ state: State) -> [UInt64] {
        let best = state.scores.max() ?? 0
        return state.scores.map { FixedPoint.exp2(minus: best - $0) }
    }

    /// The `count` likeliest classes, best first, equal ones in ascending order, and their shares of
    /// what they have together.
    package func pick(_ state: State, count: Int) -> (classes: [Int], weights: [Float]) {
        let weights = weights(state)
        let ranked = state.scores.indices.sorted {
            (state.scores[$0], $1) > (state.scores[$1], $0)
        }
        let chosen = Array(ranked.prefix(count))
        let sum = chosen.reduce(UInt64(0)) { $0 + weights[$1] }
        return (chosen, chosen.map { Float(weights[$0]) / Float(sum) })
    }
}
