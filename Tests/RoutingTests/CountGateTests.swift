import Elements
import Foundation
import Testing

@testable import Routing

@Suite("gate from n-gram counts")
struct CountGateTests {
    private func bytes(_ count: Int, seed: UInt64, letters: Int = 5) -> [UInt8] {
        var state = seed
        return (0..<count).map { _ in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return UInt8(97 + Int(state >> 33) % letters)
        }
    }

    @Test("counts are those of a plain dictionary", arguments: 1...8)
    func counts(order: Int) throws {
        for length in [0, order - 1, order, 200] {
            let text = bytes(length, seed: 3)
            var expected: [[UInt8]: UInt64] = [:]
            if length >= order {
                for start in 0...length - order {
                    expected[Array(text[start..<start + order]), default: 0] += 1
                }
            }
            let counts = NGramCounts(of: text, order: order)
            #expect(counts.entries.count == expected.count)
            for entry in counts.entries {
                let key = (0..<order).map {
                    UInt8(truncatingIfNeeded: entry.key >> UInt64(8 * (order - 1 - $0)))
                }
                #expect(expected[key] == entry.count)
            }
            #expect(try NGramCounts(order: order, entries: counts.entries) == counts)
        }
    }

    @Test("taken away again, what was added is gone, and nothing is below 0")
    func differences() throws {
        let (one, other) = (
            NGramCounts(of: bytes(300, seed: 3), order: 3),
            NGramCounts(of: bytes(200, seed: 4), order: 3)
        )
        #expect(try one.adding(other).subtracting(other) == one)
        #expect(one.subtracting(one).entries.isEmpty)
        let less = other.subtracting(one)
        #expect(less.total < other.total)
        #expect(try less == NGramCounts(order: 3, entries: less.entries))
    }

    @Test("a class that begins behind is forgiven as what was read is forgotten")
    func handicap() throws {
        let gate = try CountGate([
            NGramCounts(of: bytes(400, seed: 3), order: 3),
            NGramCounts(of: bytes(400, seed: 3), order: 3),
        ])
        #expect(gate.start(behind: [0, 0]) == gate.start)
        var state = gate.start(behind: [0, 9])
        #expect(gate.weights(state)[1] == gate.weights(state)[0] >> 9)
        for byte in bytes(2_000, seed: 3) { gate.advance(&state, byte) }
        #expect(gate.pick(state, count: 2).weights[1] > 0.49)
    }

    @Test("the sum of parts does not depend on order or grouping")
    func sums() throws {
        let parts = (0..<5).map { NGramCounts(of: bytes(50, seed: UInt64($0)), order: 3) }
        let nothing = NGramCounts(of: [], order: 3)
        let forward = try parts.reduce(nothing) { try $0.adding($1) }
        let backward = try parts.reversed().reduce(nothing) { try $1.adding($0) }
        let grouped = try parts[0].adding(parts[3]).adding(
            parts[1].adding(parts[4]).adding(parts[2]))
        #expect(forward == backward && forward == grouped)
        #expect(forward.total == 5 * 48)
    }

    @Test("bad counts are refused")
    func refused() throws {
        func entry(_ key: UInt64, _ count: UInt64 = 1) -> NGramCounts.Entry {
            NGramCounts.Entry(key: key, count: count)
        }
        for entries in [
            [entry(2), entry(1)], [entry(1), entry(1)], [entry(1, 0)], [entry(1 << 16)],
        ] {
            #expect(throws: CambiumError.self) { try NGramCounts(order: 2, entries: entries) }
        }
        #expect(throws: CambiumError.self) { try NGramCounts(order: 0, entries: []) }
        #expect(throws: CambiumError.self) { try NGramCounts(order: 9, entries: []) }
        let large = try NGramCounts(order: 2, entries: [entry(1, 1 << 32)])
        #expect(throws: CambiumError.self) { try large.adding(large) }
        let other = NGramCounts(of: [1, 2, 3], order: 3)
        #expect(throws: CambiumError.self) { try large.adding(other) }
        #expect(throws: CambiumError.self) { try CountGate([]) }
        #expect(throws: CambiumError.self) { try CountGate([large, other]) }
    }

    /// The documented formulas over plain substring counts.
    private func score(
        _ text: [UInt8], _ seen: [UInt8], _ order: Int, _ settings: CountGate.Settings
    ) -> Int {
        // Sequences shorter than the order are counted where a full one begins.
        let starts = seen.count >= order ? Array(0...seen.count - order) : []
        func count(_ sequence: ArraySlice<UInt8>) -> UInt64 {
            UInt64(starts.filter { seen[$0..<$0 + sequence.count] == sequence }.count)
        }
        var score = 0
        for position in text.indices {
            var p: UInt64 = FixedPoint.unit / 256
            for length in 0...min(position, order - 1) {
                let context = text[position - length..<position]
                let together = text[position - length...position]
                let followers = Set(
                    starts.filter { seen[$0..<$0 + length] == context }.map { seen[$0 + length] })
                let pseudo = settings.pseudoCount * UInt64(followers.count)
                guard pseudo > 0 else { continue }
                p = (count(together) << 30 + pseudo * p) / (count(context) + pseudo)
            }
            score =
                (score * settings.decay) >> 16
                + ((FixedPoint.log2(max(p, 1)) - 30 * FixedPoint.one) * settings.temperature) >> 16
        }
        return score
    }

    @Test("scores follow the formulas", arguments: [1, 2, 3, 5])
    func scores(order: Int) throws {
        let seen = [bytes(150, seed: 1), bytes(90, seed: 2, letters: 3), []]
        let settings = CountGate.Settings(pseudoCount: 2, decay: 60_000, temperature: 50_000)
        let gate = try CountGate(
            seen.map { NGramCounts(of: $0, order: order) }, settings: settings)
        let text = bytes(40, seed: 9, letters: 4)
        var state = gate.start
        for (position, byte) in text.enumerated() {
            gate.advance(&state, byte)
            for (index, counted) in seen.enumerated() {
                #expect(
                    state.scores[index]
                        == score(Array(text[...position]), counted, order, settings))
            }
        }
        let pick = gate.pick(state, count: 2)
        #expect(pick.classes.count == 2 && pick.weights[0] >= pick.weights[1])
        #expect(abs(pick.weights.reduce(0, +) - 1) < 1e-6)
        let best = state.scores.indices.max { state.scores[$0] < state.scores[$1] }
        #expect(pick.classes.first == best)
    }

    @Test("equal scores are picked in ascending order, and a text unseen changes nothing")
    func ties() throws {
        let same = NGramCounts(of: bytes(60, seed: 4), order: 3)
        let gate = try CountGate([same, same, same])
        var state = gate.start
        #expect(gate.pick(state, count: 3).classes == [0, 1, 2])
        for byte in bytes(30, seed: 5) { gate.advance(&state, byte) }
        #expect(gate.pick(state, count: 3).classes == [0, 1, 2])
        #expect(gate.pick(state, count: 1).weights == [1])
    }

    private static let stream: String? = {
        let path = FileManager.default.currentDirectoryPath + "/../shared/data/stream"
        return FileManager.default.fileExists(atPath: path) ? path : nil
    }()

    @Test(
        "eight domains of real text are told apart",
        .enabled(if: stream != nil, "without trained checkpoints"))
    func domains() throws {
        let stream = try #require(Self.stream)
        let names = try FileManager.default.contentsOfDirectory(atPath: stream).sorted()
        #expect(names.count == 8)
        func text(_ name: String, _ part: String) throws -> [UInt8] {
            [UInt8](try Data(contentsOf: URL(filePath: "\(stream)/\(name)/\(part).txt")))
        }
        // A ninth of the training text: debug builds are slow.
        let gate = try CountGate(
            names.map { NGramCounts(of: Array(try text($0, "train").prefix(100_000)), order: 3) })
        let lengths = [16, 32, 64, 255]
        var right = [Int](repeating: 0, count: lengths.count)
        var chunks = 0
        for (label, name) in names.enumerated() {
            let test = try text(name, "test")
            for start in stride(from: 0, to: 10_000, by: 500) {
                var state = gate.start
                chunks += 1
                for (position, byte) in test[start..<start + 255].enumerated() {
                    gate.advance(&state, byte)
                    if let index = lengths.firstIndex(of: position + 1),
                        gate.pick(state, count: 1).classes == [label]
                    {
                        right[index] += 1
                    }
                }
            }
        }
        let shares = right.map { Double($0) / Double(chunks) }
        print("gate accuracy at \(lengths) bytes, 100 kB a domain:", shares)
        #expect(shares[0] > 0.89 && shares[3] > 0.98)
    }

    @Test("text of a language not counted is novel, text of a counted one is not")
    func novelty() throws {
        // Two languages: letters that follow each other by different rules.
        func text(_ step: Int, _ count: Int, seed: UInt64) -> [UInt8] {
            var letter = 0
            return bytes(count, seed: seed, letters: 3).map { noise in
                letter = (letter + step + Int(noise) - 97) % 26
                return UInt8(97 + letter)
            }
        }
        let gate = try CountGate(
            [1, 7].map { NGramCounts(of: text($0, 4000, seed: 1), order: 3) })
        let expected = gate.expectedBits()
        for (index, step) in [1, 7].enumerated() {
            let score = gate.novelty(of: text(step, 200, seed: 2), expected: expected)
            #expect(score.best == index && !score.isNovel)
            #expect(abs(score.excess) < FixedPoint.one / 4)
        }
        let other = gate.novelty(of: text(13, 200, seed: 3), expected: expected)
        #expect(other.isNovel && other.bits > other.expected)
        let empty = try CountGate([NGramCounts(of: [], order: 3)])
        #expect(empty.expectedBits() == [8 * FixedPoint.one])
        #expect(empty.novelty(of: [1, 2], expected: [8 * FixedPoint.one]).excess == 0)
    }

    @Test("what is left out is as if it had not been counted")
    func leavingOut() throws {
        // Unigrams: leaving one a out of "aab" leaves "ab".
        let trie = CountTrie(NGramCounts(of: Array("aab".utf8), order: 1))
        let without = CountTrie(NGramCounts(of: Array("ab".utf8), order: 1))
        var place = without.start
        #expect(
            trie.probabilityLeavingOut(97, 1) == without.advance(&place, first: 0, 97, 1))
        let single = CountTrie(NGramCounts(of: Array("aa".utf8), order: 1))
        #expect(
            single.probabilityLeavingOut(98, 1) == FixedPoint.unit / 256)
    }
}
