internal import Elements

/// Turns the contents of tokens back into text, one token at a time.
///
/// A stage gets tokens and gives tokens; what it must see first to be sure of, it holds back. So the
/// text of a stream and that of all its tokens at once are the same by construction.
struct TokenDecoder: Sendable {
    private var stages: [Stage]

    init(_ stages: [Stage]) { self.stages = stages }

    enum Stage: Sendable {
        case replace(Replacement)
        /// Runs of `<0x00>` to `<0xFF>` are bytes; when they are no UTF-8, each is U+FFFD.
        case byteFallback(pending: [UInt8])
        /// The characters of byte-level vocabularies are bytes of UTF-8.
        case byteLevel(pending: [UInt8])
        /// All tokens become one.
        case fuse
        /// Characters at a token's start and end; of fused tokens, of all the text.
        case strip(Strip)
        /// What a character that stands for a space becomes, in the first token and in the others.
        case metaspace(first: Replacement, others: Replacement, isStart: Bool)
        /// A space before words, but not before pieces that begin none; and, of each token, none before marks.
        case wordPiece(prefix: [UInt8], cleans: Bool, isStart: Bool)
        /// A space between tokens, when there is no decoder.
        case spaces(isStart: Bool)
    }

    struct Strip: Sendable {
        let character: [UInt8]
        let left, right: Int
        let isFused: Bool
        /// Of fused tokens, what may still be left out at the start.
        var open: Int
        var pending: [UInt8] = []
    }

    /// The text that a token makes certain, in UTF-8.
    mutating func push(_ token: ArraySlice<UInt8>) -> [UInt8] {
        var tokens = [Array(token)]
        for index in stages.indices { tokens = stages[index].push(tokens) }
        return tokens.flatMap { $0 }
    }

    /// The text that was held back.
    mutating func finish() -> [UInt8] {
        var tokens: [[UInt8]] = []
        for index in stages.indices {
            tokens = stages[index].push(tokens) + stages[index].finish()
        }
        return tokens.flatMap { $0 }
    }

    /// Checks that no token becomes much longer text by the file's own replacements.
    ///
    /// - Parameter longest: Bytes of the longest token.
    /// - Throws: `.tooHard`.
    func check(longest: Int) throws {
        var size = longest
        for stage in stages {
            guard case .replace(let replacement) = stage else { continue }
            let (grown, overflow) = size.multipliedReportingOverflow(by: replacement.growth)
            size = overflow ? .max : grown
        }
        guard size <= max(Self.longestText, Self.greatestGrowth * longest) else {
            throw CambiumError(
                .tooHard,
                "tokenizer.json: its decoder may make \(size) bytes of a token of \(longest)")
        }
    }

    /// Bytes that replacements may make of a token, whatever its length.
    private static let longestText = 1 << 16
    /// Bytes that they may make of each of a longer one.
    private static let greatestGrowth = 4

    /// Reads the value of `decoder`.
    static func read(_ value: JSONValue?) throws -> TokenDecoder {
        guard let value, value != .null else { return TokenDecoder([.spaces(isStart: true)]) }
        var stages: [Stage] = []
        try append(value, to: &stages)
        return TokenDecoder(stages)
    }

    private static func append(
        _ value: JSONValue, to stages: inout [Stage]
    ) throws {
        let isFused = stages.contains(where: \.fuses)
        let type = value["type"]?.string
        if isFused, type != "Strip", type != "Sequence" {
            throw CambiumError.unsupportedTokenizer(
                "a decoder of the type \(shown(type ?? "?")) behind Fuse or ByteLevel")
        }
        guard stages.count < TextBound.greatestSteps else {
            throw CambiumError(
                .tooHard, "tokenizer.json: a decoder of more than \(TextBound.greatestSteps) steps")
        }
        switch type {
        case "Sequence":
            for part in value["decoders"]?.array ?? [] { try append(part, to: &stages) }
        case "ByteLevel": stages.append(.byteLevel(pending: []))
        case "ByteFallback": stages.append(.byteFallback(pending: []))
        case "Fuse": stages.append(.fuse)
        case "Replace": stages.append(.replace(try Replacement(value)))
        case "Strip":
            guard let character = value["content"]?.string, character.unicodeScalars.count == 1,
                let left = value["start"]?.integer, let right = value["stop"]?.integer,
                left >= 0, right >= 0
            else {
                throw CambiumError.badTokenizer("a Strip decoder without content, start and stop")
            }
            stages.append(
                .strip(
                    Strip(
                        character: Array(character.utf8), left: left, right: right,
                        isFused: isFused, open: left)))
        case "WordPiece":
            stages.append(
                .wordPiece(
                    prefix: Array((value["prefix"]?.string ?? "##").utf8),
                    cleans: value["cleanup"]?.bool ?? true, isStart: true))
        case "Metaspace":
            guard let mark = value["replacement"]?.string, mark.unicodeScalars.count == 1 else {
                throw CambiumError.badTokenizer(
                    "a Metaspace decoder without a replacement of one character")
            }
            let isKept =
                value["prepend_scheme"]?.string == "never"
                || (value["prepend_scheme"] == nil && value["add_prefix_space"]?.bool == false)
            stages.append(
                .metaspace(
                    first: Replacement(mark, by: isKept ? " " : ""),
                    others: Replacement(mark, by: " "), isStart: true))
        case let type:
            throw CambiumError.unsupportedTokenizer("a decoder of the type \(shown(type ?? "?"))")
        }
    }
}

extension TokenDecoder.Stage {
    /// What `cleanup` of a WordPiece decoder does, in its order.
    private static let cleaning = [
        (" .", "."), (" ?", "?"), (" !", "!"), (" ,", ","), (" ' ", "'"), (" n't", "n't"),
        (" 'm", "'m"),
        (" do not", " don't"), (" 's", "'s"), (" 've", "'ve"), (" 're", "'re"),
    ].map { Replacement($0, by: $1) }

    /// Whether what comes behind it sees one text instead of tokens.
    fileprivate var fuses: Bool {
        switch self {
        case .fuse, .byteLevel: true
        default: false
        }
    }

    fileprivate mutating func push(_ tokens: [[UInt8]]) -> [[UInt8]] {
        switch self {
        case .fuse: return tokens
        case .replace(let replacement): return tokens.map { replacement.apply($0[...]) }
        case .spaces(var isStart):
            var result: [[UInt8]] = []
            for token in tokens {
                result.append(isStart ? token : [0x20] + token)
                isStart = false
            }
            self = .spaces(isStart: isStart)
            return result
        case .wordPiece(let prefix, let cleans, var isStart):
            var result: [[UInt8]] = []
            for token in tokens {
                var text = token
                if !isStart {
                    text =
                        token.starts(with: prefix)
                        ? Array(token.dropFirst(prefix.count)) : [0x20] + token
                }
                if cleans { text = Self.cleaning.reduce(text) { $1.apply($0[...]) } }
                result.append(text)
                isStart = false
            }
            self = .wordPiece(prefix: prefix, cleans: cleans, isStart: isStart)
            return result
        case .metaspace(let first, let others, var isStart):
            var result: [[UInt8]] = []
            for token in tokens {
                result.append((isStart ? first : others).apply(token[...]))
                isStart = false
            }
            self = .metaspace(first: first, others: others, isStart: isStart)
            return result
        case .byteLevel(var pending):
            for token in tokens { pending += ByteAlphabet.bytes(of: token[...]) ?? token }
            let held = UTF8Text.incomplete(pending)
            let whole = repaired(pending.dropLast(held))
            self = .byteLevel(pending: Array(pending.suffix(held)))
            return [whole]
        case .byteFallback(var pending):
            var result: [[UInt8]] = []
            for token in tokens {
                if let byte = byteOf(token) {
                    pending.append(byte)
                } else {
                    result += run(pending)
                    pending = []
                    result.append(token)
                }
            }
            self = .byteFallback(pending: pending)
            return result
        case .strip(var strip):
            let result = tokens.map { strip.isFused ? strip.pass($0) : strip.strip($0) }
            self = .strip(strip)
            return result
        }
    }

    fileprivate mutating func finish() -> [[UInt8]] {
        switch self {
        case .byteLevel(let pending):
            self = .byteLevel(pending: [])
            return [repaired(pending[...])]
        case .byteFallback(let pending):
            self = .byteFallback(pending: [])
            return run(pending)
        // What a Strip holds back is the end that it strips.
        default: return []
        }
    }

    /// Bytes as UTF-8, what is none as U+FFFD.
    private func repaired(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
        Array(String(decoding: bytes, as: UTF8.self).utf8)
    }

    private func run(_ bytes: [UInt8]) -> [[UInt8]] {
        if bytes.isEmpty { return [] }
        if String(validating: bytes, as: UTF8.self) != nil { return [bytes] }
        return bytes.map { _ in Array(UTF8.encodedReplacementCharacter) }
    }

    /// The byte that `<0xNN>` stands for.
    private func byteOf(_ token: [UInt8]) -> UInt8? {
        guard token.count == 6, token.starts(with: "<0x".utf8), token[5] == UInt8(ascii: ">"),
            token[3] != UInt8(ascii: "+")
        else { return nil }
        return UInt8(text(token[3..<5]), radix: 16)
    }
}

extension TokenDecoder.Strip {
    /// One token by itself.
    fileprivate func strip(_ token: [UInt8]) -> [UInt8] {
        var rest = token[...]
        // Either number may be any that the file gives.
        var (first, last) = (left, right)
        while first > 0, rest.starts(with: character) {
            rest = rest.dropFirst(character.count)
            first -= 1
        }
        while last > 0, rest.suffix(character.count).elementsEqual(character) {
            rest = rest.dropLast(character.count)
            last -= 1
        }
        return Array(rest)
    }

    /// The next part of the text that all tokens make; its end waits while it may be stripped.
    fileprivate mutating func pass(_ token: [UInt8]) -> [UInt8] {
        var rest = token[...]
        while open > 0, !rest.isEmpty {
            guard rest.starts(with: character) else {
                open = 0
                break
            }
            rest = rest.dropFirst(character.count)
            open -= 1
        }
        if right == 0 { return Array(rest) }
        let all = pending + rest
        var kept = all[...]
        var count = 0
        while count < right, kept.suffix(character.count).elementsEqual(character), !kept.isEmpty {
            kept = kept.dropLast(character.count)
            count += 1
        }
        pending = Array(all[kept.endIndex...])
        return Array(kept)
    }
}
