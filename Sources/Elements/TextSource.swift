/// A text that is read part by part, so that a long one takes no memory.
public struct TextSource: Sendable {
    /// Its length in bytes.
    public let count: Int
    private let part: @Sendable (Range<Int>) throws -> [UInt8]

    /// A text of which any part can be read.
    ///
    /// - Parameters:
    ///   - count: Its length in bytes.
    ///   - read: The bytes of a range inside the text; fewer are an error of who asks.
    public init(
        count: Int, read: @escaping @Sendable (Range<Int>) throws -> [UInt8]
    ) {
        self.count = count
        part = read
    }

    /// A text that is in memory.
    public init(_ bytes: [UInt8]) {
        self.init(count: bytes.count) { Array(bytes[$0]) }
    }

    /// The first bytes of the text alone.
    public func prefix(_ limit: Int?) -> TextSource {
        TextSource(count: max(0, min(count, limit ?? count)), read: part)
    }

    /// The bytes of a range.
    ///
    /// - Throws: What reading throws; `bad-input` when the text has become shorter.
    public func bytes(_ range: Range<Int>) throws -> [UInt8] {
        let bytes = try part(range)
        guard bytes.count == range.count else {
            throw CambiumError(.badInput, "the text became shorter while it was read")
        }
        return bytes
    }

    /// Reads all of the text, at most so many bytes at a time.
    package func parts(of length: Int, _ body: ([UInt8]) throws -> Void) throws {
        for start in stride(from: 0, to: count, by: length) {
            try body(bytes(start..<min(start + length, count)))
        }
    }
}
