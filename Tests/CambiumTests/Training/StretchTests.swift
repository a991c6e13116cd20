import Evidence
import TestSupport
import Testing

@testable import Cambium

@Suite("Stretches of a text")
struct StretchTests {
    private static let names = ["cat", "dog", "mat", "sun", "hat"]

    /// About `count` bytes of a kind, in lines.
    private func text(_ kind: String, _ count: Int, seed: UInt64) -> [UInt8] {
        var generator = SeededGenerator(seed: seed)
        var text = ""
        while text.utf8.count < count {
            let word = Self.names.randomElement(using: &generator) ?? ""
            let number = Int.random(in: 0..<100, using: &generator)
            text +=
                kind == "english"
                ? "the \(word) sat on the mat, and the \(word) ran away.\n"
                : kind == "digits"
                    ? "\(number) + \(number) = \(2 * number);\n" : "QX\(word)ZJ! KV?\n"
        }
        return Array(text.utf8)
    }

    @Test(
        "cuts cover a text once, near ends of lines",
        arguments: [1, 8_191, 16_383, 16_384, 100_003])
    func cuts(count: Int) {
        let bytes = text("english", count, seed: 1).prefix(count)
        let cuts = EvidenceGate.cuts(of: Array(bytes))
        #expect(cuts.first?.lowerBound == 0 && cuts.last?.upperBound == bytes.count)
        #expect(zip(cuts, cuts.dropFirst()).allSatisfy { $0.upperBound == $1.lowerBound })
        #expect(cuts.allSatisfy { !$0.isEmpty })
        #expect(cuts.dropLast().allSatisfy { bytes[$0.upperBound - 1] == UInt8(ascii: "\n") })
        #expect((cuts.count > 1) == (count >= 16_384))
        // Without lines they are where they fall.
        let flat = EvidenceGate.cuts(of: [UInt8](repeating: 65, count: count))
        #expect(flat.last?.upperBound == count && flat.allSatisfy { !$0.isEmpty })
    }

    @Test("a text of several kinds falls into stretches, each with its own verdict")
    func stretches() throws {
        try withScratchDirectory { directory in
            let store = try TrainTests().store(in: directory)
            try store.addEvidence(
                [text("english", 20_000, seed: 1)], adapter: "base", Checkpoints.options("english"))
            try store.addEvidence(
                [text("digits", 20_000, seed: 2)], adapter: "digits", Checkpoints.options("digits"))
            let mixed =
                text("english", 30_000, seed: 3) + text("other", 30_000, seed: 4)
                + text("digits", 30_000, seed: 5) + text("english", 30_000, seed: 6)
            let found = try store.stretches(of: mixed, to: "main")
            #expect(
                found.first?.range.lowerBound == 0 && found.last?.range.upperBound == mixed.count)
            func bytes(_ wanted: (Familiarity) -> Bool) -> Int {
                found.filter { wanted($0.familiarity) }.reduce(0) { $0 + $1.range.count }
            }
            // A stretch across a border goes to one side, so each may be off by a few.
            for (count, expected) in [
                (bytes { $0.isNovel }, 30_000),
                (bytes { !$0.isNovel && $0.nearest == "digits" }, 30_000),
                (bytes { !$0.isNovel && $0.nearest == "base" }, 60_000),
            ] { #expect(abs(count - expected) <= 2 * 8_192 + 2_048, "\(count) of \(expected)") }
            #expect(found.count < 9)
            let whole = try store.stretches(of: Array(mixed.prefix(9_000)), to: "main")
            #expect(whole.count == 1 && whole[0].familiarity.nearest == "base")
        }
    }
}
