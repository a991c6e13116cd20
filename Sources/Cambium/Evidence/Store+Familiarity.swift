internal import Evidence

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

/// A part of a text, and what is known of it.
public struct TextStretch: Sendable {
    /// Where it lies in the text.
    public let range: Range<Int>
    /// What the evidence says of it.
    public let familiarity: Familiarity
}

extension Store {
    /// Tells whether a text is like something that a revision's model was trained on.
    ///
    /// - Throws: `not-found` without evidence; `usage` for an empty text.
    /// - Complexity: Reads all evidence, and a megabyte of the text at most.
    public func familiarity(of text: [UInt8], to revision: String) throws -> Familiarity {
        let (known, adapters) = try snapshots.familiarity(of: text, at: revision)
        return Familiarity(known, adapters)
    }

    /// Cuts a text into stretches and tells of each whether it is like something that a revision's model was
    /// trained on.
    ///
    /// Neighbours of which the same is known are one stretch. A cut is at the end of a line where there is
    /// one near, and a text of less than twice 8,192 bytes is one stretch.
    ///
    /// - Throws: `not-found` without evidence; `usage` for an empty text.
    /// - Complexity: Reads all evidence, and the whole text once.
    public func stretches(of text: [UInt8], to revision: String) throws -> [TextStretch] {
        let (stretches, adapters) = try snapshots.stretches(of: text, at: revision)
        return stretches.map {
            TextStretch(range: $0.range, familiarity: Familiarity($0.known, adapters))
        }
    }
}

extension Familiarity {
    fileprivate init(_ known: EvidenceGate.Known, _ adapters: [String]) {
        self.init(
            nearest: known.nearest, bitsPerByte: known.bits, expected: known.expected,
            isNovel: known.isNovel, adapters: adapters)
    }
}
