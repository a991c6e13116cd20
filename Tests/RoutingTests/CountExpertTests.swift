import Testing

@testable import Routing

@Suite("experts that are counts")
struct CountExpertTests {
    private static let alphabets = [1, 2, 5, 200]

    private func text(_ count: Int, seed: UInt64, letters: Int) -> [UInt8] {
        var state = seed
        return (0..<count).map { _ in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return UInt8(20 + Int(state >> 33) % letters)
        }
    }

    /// How often each context was seen with each byte, from the full sequences alone.
    private func reference(_ text: [UInt8], order: Int) -> [[UInt8]: [UInt8: Int]] {
        var counts: [[UInt8]: [UInt8: Int]] = [:]
        guard text.count >= order else { return counts }
        for start in 0...text.count - order {
            for size in 0..<order {
                counts[Array(text[start..<start + size]), default: [:]][
                    text[start + size], default: 0] += 1
            }
        }
        return counts
    }

    /// The contexts of a text's next byte that can be looked up, the empty one first.
    private func contexts(_ before: ArraySlice<UInt8>, order: Int) -> [[UInt8]] {
        (0..<order).filter { $0 <= before.count }.map { Array(before.suffix($0)) }
    }

    @Test(
        "a trie followed byte by byte gives a gate what plain dictionaries give", arguments: 1...8)
    func trie(order: Int) throws {
        for letters in Self.alphabets {
            let counted = text(300, seed: 5, letters: letters)
            let trie = CountTrie(NGramCounts(of: counted, order: order))
            let counts = reference(counted, order: order)
            let read = counted[40..<90] + text(40, seed: 6, letters: letters + 1)
            var place = trie.start
            for (index, byte) in read.enumerated() {
                var expected = FixedPoint.unit / 256
                for context in contexts(read.prefix(index), order: order) {
                    guard let seen = counts[context] else { continue }
                    let sum = UInt64(seen.values.reduce(0, +)) + 3 * UInt64(seen.count)
                    expected =
                        (UInt64(seen[byte] ?? 0) << 30 + 3 * UInt64(seen.count) * expected) / sum
                }
                #expect(trie.advance(&place, first: 0, byte, 3) == expected)
            }
        }
    }

    @Test(
        "predictions of all bytes are the formula's and share out all of the probability",
        arguments: [1, 3, 6, 8])
    func predictions(order: Int) throws {
        for (letters, share) in zip(Self.alphabets, [Float(0.3), 1, 0.001, 0.5]) {
            let counted = text(400, seed: 8, letters: letters)
            let settings = CountExpert.Settings(pseudoCount: 4, modelShare: share)
            let expert = CountExpert(NGramCounts(of: counted, order: order), settings: settings)
            let counts = reference(counted, order: order)
            let read = counted[100..<130] + text(30, seed: 9, letters: letters + 2)
            var place = expert.start
            for (index, byte) in read.enumerated() {
                let (all, model) = expert.predictions(at: place)
                #expect(all.count == 256)
                let sum = all.reduce(0) { $0 + Double($1) } + Double(model)
                #expect(abs(sum - 1) < 1e-5, "A and B share out all of the probability")
                var (a, b) = (1.0 / 256, 0.0)
                for size in 0..<order {
                    (a, b) = (a * Double(1 - share), b * Double(1 - share) + Double(share))
                    guard size <= index,
                        let seen = counts[Array(read.prefix(index).suffix(size))]
                    else { continue }
                    let pseudo = 4 * Double(seen.count)
                    let total = Double(seen.values.reduce(0, +)) + pseudo
                    (a, b) = ((Double(seen[byte] ?? 0) + pseudo * a) / total, pseudo * b / total)
                }
                #expect(abs(Double(all[Int(byte)]) - a) < 1e-6 && abs(Double(model) - b) < 1e-6)
                expert.advance(&place, byte)
            }
        }
    }

    @Test("counts that were added predict with the bits of all texts counted at once, in any order")
    func merged() throws {
        let texts = (0..<4).map { text(120, seed: UInt64($0), letters: 6) }
        let counts = texts.map { NGramCounts(of: $0, order: 5) }
        let zero = NGramCounts(of: [], order: 5)
        let one = CountExpert(try counts.reduce(zero) { try $0.adding($1) })
        let two = CountExpert(
            try counts[2].adding(counts[0]).adding(counts[3].adding(counts[1])))
        var (left, right) = (one.start, two.start)
        for byte in text(200, seed: 77, letters: 6) {
            let (a, b) = (one.predictions(at: left), two.predictions(at: right))
            #expect(a.counts == b.counts && a.model == b.model)
            one.advance(&left, byte)
            two.advance(&right, byte)
        }
    }

    @Test("no counts leave everything to the model and the uniform rest")
    func empty() throws {
        let settings = CountExpert.Settings(pseudoCount: 1, modelShare: 0.5)
        let expert = CountExpert(NGramCounts(of: [1, 2], order: 4), settings: settings)
        var place = expert.start
        for byte in [UInt8(1), 2, 3] {
            let (counts, model) = expert.predictions(at: place)
            #expect(counts == [Float](repeating: 1 / 256 / 16, count: 256) && model == 15 / 16)
            expert.advance(&place, byte)
        }
    }
}
