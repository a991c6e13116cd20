internal import Elements

/// Bytes that a tokenizer's own steps may make of a text: a file comes with a model from anywhere, and twelve steps that put
/// ten letters in the place of one would make more than any memory holds.
struct TextBound: Sendable {
    /// Bytes of a text in memory for each that was given, which none of the published tokenizers comes near.
    private static let growth = 16
    /// What a text may have beside that.
    private static let start = 1 << 20
    /// Steps of one kind in a file.
    static let greatestSteps = 256

    /// What all texts together may still have.
    private var left: Int
    private let size: Int

    /// - Parameter size: Bytes of the text, before the first step.
    init(_ size: Int) {
        self.size = size
        let (grown, overflow) = size.multipliedReportingOverflow(by: Self.growth)
        left = overflow ? .max : Self.start + min(grown, .max - Self.start)
    }

    /// Checks what a step is going to make.
    ///
    /// - Throws: `.tooHard`.
    func check(_ bytes: Int) throws {
        guard bytes <= left else {
            throw CambiumError(
                .tooHard,
                "tokenizer.json: its normalizer and pre-tokenizer make more of a text of \(size) bytes than "
                    + "\(Self.growth) times as much")
        }
    }

    /// Takes what a step made, for what comes behind it.
    mutating func take(_ bytes: Int) throws {
        try check(bytes)
        left -= bytes
    }

    /// Counts a step while a file is read.
    ///
    /// - Throws: `.tooHard`.
    static func count(_ steps: inout Int, _ kind: String) throws {
        steps += 1
        guard steps <= greatestSteps else {
            throw CambiumError(
                .tooHard, "tokenizer.json: \(kind) of more than \(greatestSteps) steps")
        }
    }
}
