/// Makes the bytes of a text's tokens as they come.
package protocol TokenSpeller {
    /// Adds what a token makes certain; nothing while a character is incomplete.
    mutating func append(_ token: Int, to text: inout [UInt8])

    /// Adds what was held back, at the end of the text.
    mutating func finish(_ text: inout [UInt8])
}

/// Tokens that are bytes.
package struct ByteSpeller: TokenSpeller {
    package init() {}

    package func append(_ token: Int, to text: inout [UInt8]) {
        text.append(UInt8(truncatingIfNeeded: token))
    }

    package func finish(_ text: inout [UInt8]) {}
}
