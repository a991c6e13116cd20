internal import Elements
internal import Models
internal import Routing
package import Snapshots

extension EvidenceGate {
    /// Bytes of a stretch, more or less: enough to tell what it is like, little enough for a text that
    /// changes its subject.
    private static let stretchLength = 8_192

    /// What is known of a text or of a part of it: the class that explains it best, and how well.
    package typealias Known = (nearest: String, bits: Double, expected: Double, isNovel: Bool)

    /// - Parameter expected: What the classes expect of their own texts.
    fileprivate func known(_ text: [UInt8], _ expected: [Int]) -> Known {
        let novelty = solved.novelty(of: text, expected: expected)
        return (
            adapters[novelty.best], Double(novelty.bits) / Double(FixedPoint.one),
            Double(novelty.expected) / Double(FixedPoint.one), novelty.isNovel
        )
    }

    /// Stretches of a text and what is known of each; neighbours of which the same is known are one.
    fileprivate func stretches(of text: [UInt8]) -> [(range: Range<Int>, known: Known)] {
        let expected = solved.expectedBits()
        var runs: [(range: Range<Int>, known: Known)] = []
        for range in Self.cuts(of: text) {
            let found = known(Array(text[range]), expected)
            if let last = runs.last, last.known.isNovel == found.isNovel,
                found.isNovel || last.known.nearest == found.nearest
            {
                runs[runs.count - 1].range = last.range.lowerBound..<range.upperBound
            } else {
                runs.append((range, found))
            }
        }
        // Of what was joined, the figures are those of the whole; the verdict is that of its parts.
        return runs.map { run in
            var whole = known(Array(text[run.range]), expected)
            if !run.known.isNovel { whole.nearest = run.known.nearest }
            whole.isNovel = run.known.isNovel
            return (run.range, whole)
        }
    }

    /// Ranges of about ``stretchLength`` bytes that cover a text, each to the end of a line where one is near.
    package static func cuts(of text: [UInt8]) -> [Range<Int>] {
        let count = max(1, text.count / stretchLength)
        var ends: [Int] = []
        for index in 1..<max(count, 1) {
            let wanted = text.count * index / count
            let near = text[wanted..<min(wanted + stretchLength / 4, text.count)]
            let end = near.firstIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? wanted
            if end > ends.last ?? 0, end < text.count { ends.append(end) }
        }
        let starts = [0] + ends
        return zip(starts, ends + [text.count]).map { $0..<$1 }
    }
}

extension SnapshotStore {
    /// What a revision's evidence says of a text, of a megabyte of it at most, and the model's adapters.
    ///
    /// - Throws: `not-found` without evidence; `usage` for an empty text.
    package func familiarity(
        of text: [UInt8], at revision: String
    ) throws -> (known: EvidenceGate.Known, adapters: [String]) {
        let (gate, adapters) = try gate(for: text, at: revision)
        return (gate.known(Array(text.prefix(1 << 20)), gate.solved.expectedBits()), adapters)
    }

    /// As ``familiarity(of:at:)``, of each stretch of a text.
    package func stretches(
        of text: [UInt8], at revision: String
    ) throws -> (stretches: [(range: Range<Int>, known: EvidenceGate.Known)], adapters: [String]) {
        let (gate, adapters) = try gate(for: text, at: revision)
        return (gate.stretches(of: text), adapters)
    }

    private func gate(
        for text: [UInt8], at revision: String
    ) throws -> (gate: EvidenceGate, adapters: [String]) {
        guard !text.isEmpty else { throw CambiumError(.usage, "the text is empty") }
        let snapshot = try map(at: revision)
        return (try snapshot.knownGate(), try StoredAdapters(snapshot).names)
    }
}
