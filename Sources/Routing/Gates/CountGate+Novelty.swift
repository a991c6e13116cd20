/// How unlike everything counted so far a text is.
extension CountGate {
    /// A text under the class that explains it best.
    package struct Novelty: Sendable, Equatable {
        /// The class that gives the text the fewest bits.
        package let best: Int
        /// Bits per byte of the text under that class, in units of 2^-16.
        package let bits: Int
        /// Bits per byte that the class gives its own text, in units of 2^-16.
        package let expected: Int

        /// Bits per byte beyond what the class expects, in units of 2^-16; the larger, the less the
        /// text is like any class.
        package var excess: Int { bits - expected }

        /// Excess from which on a text counts as novel: 0.75 bits per byte.
        package static let threshold = 3 * FixedPoint.one / 4

        package var isNovel: Bool { excess >= Self.threshold }
    }

    /// Scores a text of at least one byte.
    ///
    /// - Parameter expected: What ``expectedBits()`` gives, to score many texts.
    package func novelty(of text: [UInt8], expected: [Int]) -> Novelty {
        precondition(!text.isEmpty && expected.count == classCount, "\(text.count) bytes")
        let (best, sum) = explained(text)
        return Novelty(best: best, bits: sum / text.count, expected: expected[best])
    }

    /// The class that gives a text the fewest bits, of equal ones the first.
    package func best(of text: [UInt8]) -> Int { explained(text).best }

    /// That class, and the bits, in units of 2^-16.
    private func explained(_ text: [UInt8]) -> (best: Int, bits: Int) {
        var sums = [Int](repeating: 0, count: classCount)
        var places = tries.flatMap(\.start)
        for byte in text {
            for index in 0..<classCount {
                sums[index] += Self.bits(
                    tries[index].advance(
                        &places, first: index * order, byte, settings.pseudoCount))
            }
        }
        let best = sums.indices.min { (sums[$0], $0) < (sums[$1], $1) } ?? 0
        return (best, sums[best])
    }

    /// Bits per byte of each class's own text, each byte judged without its own occurrence, in units
    /// of 2^-16.
    ///
    /// Leaving one out needs the counts alone (Ney, Essen and Kneser, On the estimation of small
    /// probabilities by leaving-one-out, 1995), so it is as exact as they are. A class without
    /// counts expects 8 bits.
    package func expectedBits() -> [Int] { tries.map(expectedBits) }

    private func expectedBits(_ trie: CountTrie) -> Int {
        var (sum, total) = (0, 0)
        trie.forEach { key, count in
            let bits = Self.bits(trie.probabilityLeavingOut(key, settings.pseudoCount))
            // Below 2^33 sequences of less than 2^21 each.
            sum += count * bits
            total += count
        }
        return total == 0 ? 8 * FixedPoint.one : sum / total
    }

    private static func bits(_ probability: UInt64) -> Int {
        30 * FixedPoint.one - FixedPoint.log2(max(probability, 1))
    }
}
