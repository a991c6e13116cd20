internal import Elements

/// Tokens that are found in the text itself, before it is divided into words.
struct AddedTokens: Sendable {
    struct Token: Sendable {
        let content: [UInt8]
        let id: Int
        /// Not where a letter, digit or underscore touches it.
        let isSingleWord: Bool
        /// With the white space before it, or behind it.
        let takesLeft, takesRight: Bool
        /// Found in the text as the normalizer leaves it.
        let isNormalized: Bool
        /// Left out when a text is decoded without special tokens.
        let isSpecial: Bool
    }

    /// What a piece of text is: a token, or text between tokens.
    enum Piece { case token(Int), text([UInt8]) }

    let tokens: [Token]
    private let plain, normalized: TokenTrie

    init(_ tokens: [Token], _ normalizer: Normalizer?) throws {
        self.tokens = tokens
        var (plain, normalized) = (TokenTrie(), TokenTrie())
        var bound = TextBound(tokens.reduce(0) { $0 + $1.content.count })
        for (index, token) in tokens.enumerated() where !token.content.isEmpty {
            if token.isNormalized {
                let content = try normalizer?.apply(token.content, bound) ?? token.content
                try bound.take(content.count)
                normalized.insert(content, index)
            } else {
                plain.insert(token.content, index)
            }
        }
        (self.plain, self.normalized) = (plain, normalized)
    }

    /// Reads the value of `added_tokens`.
    static func read(_ value: JSONValue?) throws -> [Token] {
        guard let value, value != .null else { return [] }
        guard let list = value.array else {
            throw CambiumError.badTokenizer("added_tokens is not an array")
        }
        var tokens: [Token] = []
        for entry in list {
            guard let content = entry["content"]?.string, let id = entry["id"]?.integer else {
                throw CambiumError.badTokenizer("an added token without content or id")
            }
            tokens.append(
                Token(
                    content: Array(content.utf8), id: id,
                    isSingleWord: entry["single_word"]?.bool ?? false,
                    takesLeft: entry["lstrip"]?.bool ?? false,
                    takesRight: entry["rstrip"]?.bool ?? false,
                    isNormalized: entry["normalized"]?.bool ?? true,
                    isSpecial: entry["special"]?.bool ?? false))
        }
        return tokens
    }

    /// The tokens in a text, and the text between them, normalised.
    ///
    /// - Parameter bound: What all pieces may have together.
    func divide(
        _ text: [UInt8], _ normalizer: Normalizer?, _ bound: inout TextBound
    ) throws -> [Piece] {
        var pieces: [Piece] = []
        for piece in find(plain, text) {
            guard case .text(let rest) = piece else {
                pieces.append(piece)
                continue
            }
            let text = try normalizer?.apply(rest, bound) ?? rest
            try bound.take(text.count)
            pieces += find(normalized, text)
        }
        return pieces
    }

    private func find(_ trie: TokenTrie, _ text: [UInt8]) -> [Piece] {
        if trie.isEmpty { return text.isEmpty ? [] : [.text(text)] }
        var pieces: [Piece] = []
        var (at, start) = (0, 0)
        while at < text.count {
            guard let (index, length) = trie.longest(text, at) else {
                at += 1
                continue
            }
            let token = tokens[index]
            var (first, end) = (at, at + length)
            at = end
            if token.isSingleWord, touchesWord(text, first, end) { continue }
            if token.takesLeft {
                while first > start, let before = scalar(text, before: first),
                    Self.isSpace(before.value)
                {
                    first -= before.length
                }
                first = max(first, start)
            }
            if token.takesRight {
                while end < text.count {
                    let (scalar, length) = UTF8Text.scalar(text[...], end)
                    guard Self.isSpace(scalar) else { break }
                    end += length
                }
            }
            if first > start { pieces.append(.text(Array(text[start..<first]))) }
            pieces.append(.token(token.id))
            start = end
        }
        if start < text.count { pieces.append(.text(Array(text[start...]))) }
        return pieces
    }

    private func touchesWord(_ text: [UInt8], _ first: Int, _ end: Int) -> Bool {
        if let before = scalar(text, before: first), Self.isWord(before.value) { return true }
        return end < text.count && Self.isWord(UTF8Text.scalar(text[...], end).scalar)
    }

    /// White_Space.
    private static func isSpace(_ scalar: UInt32) -> Bool {
        Unicode.Scalar(scalar)?.properties.isWhitespace ?? false
    }

    /// What Oniguruma's `\w` is: letters, marks, digits, numbers that are letters, connectors.
    private static func isWord(_ scalar: UInt32) -> Bool {
        switch Unicode.Scalar(scalar)?.properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter,
            .nonspacingMark, .spacingMark, .enclosingMark, .decimalNumber, .letterNumber,
            .connectorPunctuation:
            return true
        default: break
        }
        // Other_Alphabetic beyond letters and marks; the joiners.
        return switch scalar {
        case 0x200C...0x200D, 0x24B6...0x24E9, 0x1F130...0x1F149, 0x1F150...0x1F169,
            0x1F170...0x1F189:
            true
        default: false
        }
    }

    /// The character that ends at a position.
    private func scalar(_ text: [UInt8], before end: Int) -> (value: UInt32, length: Int)? {
        guard end > 0 else { return nil }
        var at = end - 1
        while at > 0, text[at] & 0xC0 == 0x80 { at -= 1 }
        return (UTF8Text.scalar(text[...], at).scalar, end - at)
    }
}

/// Some byte strings, of which the longest at a place of a text is found.
private struct TokenTrie: Sendable {
    private struct Node {
        var children: [UInt8: Int32] = [:]
        var value: Int32 = -1
    }

    private var nodes = [Node()]
    /// Which bytes a string starts with.
    private var starts = [Bool](repeating: false, count: 256)

    var isEmpty: Bool { nodes.count == 1 }

    /// Of equal strings the last one counts.
    mutating func insert(_ string: [UInt8], _ value: Int) {
        guard let first = string.first else { return }
        starts[Int(first)] = true
        var node = 0
        for byte in string {
            if let next = nodes[node].children[byte] {
                node = Int(next)
            } else {
                nodes[node].children[byte] = Int32(nodes.count)
                node = nodes.count
                nodes.append(Node())
            }
        }
        nodes[node].value = Int32(value)
    }

    func longest(_ text: [UInt8], _ start: Int) -> (value: Int, length: Int)? {
        guard starts[Int(text[start])] else { return nil }
        var (node, found): (Int, (Int, Int)?) = (0, nil)
        for at in start..<text.count {
            guard let next = nodes[node].children[text[at]] else { break }
            node = Int(next)
            if nodes[node].value >= 0 { found = (Int(nodes[node].value), at + 1 - start) }
        }
        return found
    }
}
