internal import Evidence
internal import Models
internal import Routing

/// A part of a text, and what is known of it.
public struct TextStretch: Sendable {
    /// Where it lies in the text.
    public let range: Range<Int>
    /// What the evidence says of it.
    public let familiarity: Familiarity
}

extension Store {
    /// Bytes of a stretch, more or less: enough to tell what it is like, little enough for a text that
    /// changes its subject.
    private static let stretchLength = 8_192

    /// Cuts a text into stretches and tells of each whether it is like something that a revision's model was
    /// trained on.
    ///
    /// Neighbours of which the same is known are one stretch. A cut is at the end of a line where there is
    /// one near, and a text of less than twice 8,192 bytes is one stretch.
    ///
    /// - Throws: `not-found` without evidence; `usage` for an empty text.
    /// - Complexity: Reads all evidence, and the whole text once.
    public func stretches(
        of text: [UInt8], to revision: String
    ) throws -> [TextStretch] {
        guard !text.isEmpty else { throw CambiumError(.usage, "the text is empty") }
        let snapshot = try map(revision)
        let gate = try snapshot.knownGate()
        let adapters = try StoredAdapters(snapshot).names
        let expected = gate.solved.expectedBits()
        func familiarity(_ range: Range<Int>) -> Familiarity {
            let novelty = gate.solved.novelty(of: Array(text[range]), expected: expected)
            return Familiarity(
                nearest: gate.adapters[novelty.best],
                bitsPerByte: Double(novelty.bits) / Double(FixedPoint.one),
                expected: Double(novelty.expected) / Double(FixedPoint.one),
                isNovel: novelty.isNovel, adapters: adapters)
        }
        var runs: [(range: Range<Int>, isNovel: Bool, nearest: String)] = []
        for range in Self.cuts(of: text) {
            let found = familiarity(range)
            if let last = runs.last, last.isNovel == found.isNovel,
                found.isNovel || last.nearest == found.nearest
            {
                runs[runs.count - 1].range = last.range.lowerBound..<range.upperBound
            } else {
                runs.append((range, found.isNovel, found.nearest))
            }
        }
        // Of what was joined, the figures are those of the whole; the verdict is that of its parts.
        return runs.map { run in
            let whole = familiarity(run.range)
            return TextStretch(
                range: run.range,
                familiarity: Familiarity(
                    nearest: run.isNovel ? whole.nearest : run.nearest,
                    bitsPerByte: whole.bitsPerByte, expected: whole.expected,
                    isNovel: run.isNovel, adapters: adapters))
        }
    }

    /// Ranges of about ``stretchLength`` bytes that cover a text.
    static func cuts(of text: [UInt8]) -> [Range<Int>] {
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
