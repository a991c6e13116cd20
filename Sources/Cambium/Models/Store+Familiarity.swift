internal import Evidence
internal import Models
internal import Routing

/// How well the counts of what a model has learned explain a text.
public struct Familiarity: Sendable, Encodable {
    /// The class of evidence that explains it best.
    public let nearest: String
    /// Bits per byte of the text under that class's counts.
    public let bitsPerByte: Double
    /// What the class gives its own text.
    public let expected: Double
    /// Whether the text is unlike everything counted so far: 0.75 bits per byte above what is expected.
    public let isNovel: Bool
    /// The model's adapters.
    public let adapters: [String]
}

extension Store {
    /// Tells whether a text is like something that a revision's model was trained on.
    ///
    /// - Throws: `not-found` without evidence; `usage` for an empty text.
    /// - Complexity: Reads all evidence, and a megabyte of the text at most.
    public func familiarity(
        of text: [UInt8], to revision: String
    ) throws -> Familiarity {
        guard !text.isEmpty else { throw CambiumError(.usage, "the text is empty") }
        let snapshot = try map(revision)
        let gate = try snapshot.knownGate()
        let novelty = gate.solved.novelty(
            of: Array(text.prefix(1 << 20)), expected: gate.solved.expectedBits())
        return Familiarity(
            nearest: gate.adapters[novelty.best],
            bitsPerByte: Double(novelty.bits) / Double(FixedPoint.one),
            expected: Double(novelty.expected) / Double(FixedPoint.one),
            isNovel: novelty.isNovel, adapters: try StoredAdapters(snapshot).names)
    }
}
