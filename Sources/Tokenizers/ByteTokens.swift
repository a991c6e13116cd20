/// The tokens `<0x00>` to `<0xFF>`, which stand for bytes of characters that are no tokens.
struct ByteTokens: Sendable {
    /// Nil where one is missing; none when they are not used.
    private let ids: [UInt32?]

    /// - Parameter areUsed: Whether the file asks for `byte_fallback`.
    init(_ vocabulary: Vocabulary, areUsed: Bool) {
        ids =
            areUsed
            ? (0..<256).map { byte in
                let digits = String(byte, radix: 16, uppercase: true)
                let name = "<0x" + (byte < 16 ? "0" : "") + digits + ">"
                return vocabulary.id(of: Array(name.utf8)[...])
            } : []
    }

    /// One for each byte; nil when one of them is no token.
    func tokens(of bytes: some Collection<UInt8>) -> [UInt32]? {
        if ids.isEmpty { return nil }
        var tokens: [UInt32] = []
        for byte in bytes {
            guard let token = ids[Int(byte)] else { return nil }
            tokens.append(token)
        }
        return tokens
    }
}
