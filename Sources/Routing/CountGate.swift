/// Picks cohorts for a byte from n-gram counts of what each cohort was trained on: naive Bayes over
/// the bytes so far, with decay.
///
/// **Likelihood.** For a class with counts n, the probability of byte b after the bytes c (up to
/// `order` - 1 of them) backs off to shorter contexts with the pseudo-count a:
/// p(b | c) = (n(c b) + a p(b | c')) / (n(c) + a), where c' is c without its first byte, and below
/// all contexts is the uniform 1 / 256 (MacKay and Peto, A hierarchical Dirichlet language model,
/// 1995).
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
        /// a, at least 1.
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

        /// Pseudo-count 4, decay 0.98, temperature 0.7.
        package static let standard = Settings(
            pseudoCount: 4, decay: 64_225, temperature: 45_875)
    }

    /// What the gate has seen of one text.
    package struct State: Sendable, Equatable {
        /// The last eight bytes as a big-endian number.
        var context: UInt64 = 0
        var length = 0
        /// One score per class, in units of 2^-16.
        package internal(set) var scores: [Int]
    }

    package let order: Int
    package let classCount: Int
    package let settings: Settings
    private let tables: [CountTable]

    /// - Parameter classes: At least one, all of one order of at least 1, totals below 2^33.
    package init(
        _ classes: [NGramCounts], settings: Settings = .standard
    ) throws(EvidenceError) {
        guard let first = classes.first else {
            throw EvidenceError(.unsolvable, "a gate needs the counts of at least one cohort")
        }
        for counts in classes {
            guard counts.order == first.order else {
                throw EvidenceError(
                    .incompatible,
                    "one cohort has counts of \(first.order)-grams, another of "
                        + "\(counts.order)-grams; count again with one order")
            }
            guard counts.total < 1 << 33 else {
                throw EvidenceError(.overflow, "more than 2^33 n-grams in one class")
            }
        }
        order = first.order
        classCount = classes.count
        self.settings = settings
        tables = classes.map(CountTable.init)
    }

    /// A text that has not begun.
    package var start: State { State(scores: [Int](repeating: 0, count: classCount)) }

    /// Takes the next byte of a text into account.
    package func advance(_ state: inout State, _ byte: UInt8) {
        let length = min(state.length, order - 1)
        for index in 0..<classCount {
            let probability = tables[index].probability(
                of: byte, after: state.context, length: length, settings.pseudoCount)
            let likelihood = FixedPoint.log2(max(probability, 1)) - 30 * FixedPoint.one
            state.scores[index] =
                (state.scores[index] * settings.decay) >> 16
                + (likelihood * settings.temperature) >> 16
        }
        state.context = state.context << 8 | UInt64(byte)
        state.length += 1
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

/// The counts of one class, of every order up to the full one, to look up.
private struct CountTable: Sendable {
    private let order: Int
    /// By length: how often the sequence, and how often it with any byte behind it.
    private let levels: [Level]

    /// Counts of sequences of one length.
    private struct Level: Sendable {
        /// Open addressing; a count of 0 marks a free slot.
        private var slots: [(key: UInt64, count: UInt64)]
        private let shift: UInt64

        init(_ sums: [(key: UInt64, count: UInt64)]) {
            var bits: UInt64 = 4
            while 1 << bits < 2 * sums.count { bits += 1 }
            shift = 64 - bits
            slots = Array(repeating: (0, 0), count: 1 << bits)
            for sum in sums {
                var slot = index(sum.key)
                while slots[slot].count != 0 { slot = (slot + 1) & (slots.count - 1) }
                slots[slot] = sum
            }
        }

        private func index(_ key: UInt64) -> Int {
            Int((key &* 0x9e37_79b9_7f4a_7c15) >> shift)
        }

        func count(_ key: UInt64) -> UInt64 {
            var slot = index(key)
            while slots[slot].count != 0 {
                if slots[slot].key == key { return slots[slot].count }
                slot = (slot + 1) & (slots.count - 1)
            }
            return 0
        }
    }

    init(_ counts: NGramCounts) {
        order = counts.order
        var levels: [Level] = []
        for length in 0...counts.order {
            var sums: [(key: UInt64, count: UInt64)] = []
            // Sequences with the same beginning are neighbours.
            let drop = UInt64(8 * (counts.order - length))
            for entry in counts.entries {
                let key = drop == 64 ? 0 : entry.key >> drop
                if let last = sums.last, last.key == key {
                    sums[sums.count - 1].count += entry.count
                } else {
                    sums.append((key, entry.count))
                }
            }
            levels.append(Level(sums))
        }
        self.levels = levels
    }

    /// In units of 2^-30.
    func probability(
        of byte: UInt8, after context: UInt64, length: Int, _ pseudoCount: UInt64
    ) -> UInt64 {
        var probability: UInt64 = FixedPoint.unit / 256
        for size in 0...length {
            let mask: UInt64 = 1 << UInt64(8 * size) - 1
            let before = context & mask
            let seen = levels[size].count(before)
            let together = levels[size + 1].count(before << 8 | UInt64(byte))
            probability = (together << 30 + pseudoCount * probability) / (seen + pseudoCount)
        }
        return probability
    }
}
