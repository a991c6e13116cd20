/// The counts of one class, of every order up to the full one, to look up.
struct CountTable: Sendable {
    let order: Int
    /// By length: how often the sequence, and how often it with any byte behind it.
    private let levels: [Level]

    /// A sequence, how often it occurs, and how many different bytes were seen behind it.
    private typealias Sum = (key: UInt64, count: UInt64, followers: UInt64)

    /// Counts of sequences of one length.
    private struct Level: Sendable {
        /// Open addressing; a count of 0 marks a free slot.
        private var slots: [Sum]
        private let shift: UInt64

        init(_ sums: [Sum]) {
            var bits: UInt64 = 4
            while 1 << bits < 2 * sums.count { bits += 1 }
            shift = 64 - bits
            slots = Array(repeating: (0, 0, 0), count: 1 << bits)
            for sum in sums {
                var slot = index(sum.key)
                while slots[slot].count != 0 { slot = (slot + 1) & (slots.count - 1) }
                slots[slot] = sum
            }
        }

        private func index(_ key: UInt64) -> Int {
            Int((key &* 0x9e37_79b9_7f4a_7c15) >> shift)
        }

        func forEach(_ body: (UInt64, Int) -> Void) {
            for slot in slots where slot.count > 0 { body(slot.key, Int(slot.count)) }
        }

        /// The sum of `key`, or one with a count of 0.
        func find(_ key: UInt64) -> Sum {
            var slot = index(key)
            while slots[slot].count != 0 {
                if slots[slot].key == key { return slots[slot] }
                slot = (slot + 1) & (slots.count - 1)
            }
            return (key, 0, 0)
        }
    }

    init(_ counts: NGramCounts) {
        order = counts.order
        var sums: [Sum] = counts.entries.map { ($0.key, $0.count, 0) }
        var levels = [Level(sums)]
        for _ in 0..<counts.order {
            var shorter: [Sum] = []
            // Sequences with the same beginning are neighbours.
            for sum in sums {
                if let last = shorter.last, last.key == sum.key >> 8 {
                    shorter[shorter.count - 1].count += sum.count
                    shorter[shorter.count - 1].followers += 1
                } else {
                    shorter.append((sum.key >> 8, sum.count, 1))
                }
            }
            sums = shorter
            levels.append(Level(sums))
        }
        self.levels = levels.reversed()
    }

    /// Each sequence of the full order and how often it occurs.
    func forEach(_ body: (UInt64, Int) -> Void) { levels[order].forEach(body) }

    /// In units of 2^-30.
    func probability(
        of byte: UInt8, after context: UInt64, length: Int, _ pseudoCount: UInt64
    ) -> UInt64 {
        var probability: UInt64 = FixedPoint.unit / 256
        for size in 0...length {
            let mask: UInt64 = 1 << UInt64(8 * size) - 1
            let before = context & mask
            let seen = levels[size].find(before)
            guard seen.count > 0 else { continue }
            let together = levels[size + 1].find(before << 8 | UInt64(byte)).count
            let pseudo = pseudoCount * seen.followers
            probability = (together << 30 + pseudo * probability) / (seen.count + pseudo)
        }
        return probability
    }

    /// The probability of a sequence's last byte when one of its own occurrences is left out of the
    /// counts, so that a text does not vouch for itself, in units of 2^-30.
    func probabilityLeavingOut(_ key: UInt64, _ pseudoCount: UInt64) -> UInt64 {
        var probability: UInt64 = FixedPoint.unit / 256
        for size in 0..<order {
            let shift = UInt64(8 * size)
            let sequence = size == 7 ? key : key & (1 << (shift + 8) - 1)
            let seen = levels[size].find(sequence >> 8)
            let together = levels[size + 1].find(sequence).count
            // A text's first bytes are in no shorter sequence's count.
            guard seen.count > 1, together > 0 else { continue }
            let pseudo = pseudoCount * (seen.followers - (together == 1 ? 1 : 0))
            guard seen.count - 1 + pseudo > 0 else { continue }
            probability =
                ((together - 1) << 30 + pseudo * probability) / (seen.count - 1 + pseudo)
        }
        return probability
    }
}
