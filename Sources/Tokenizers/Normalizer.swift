internal import Elements

/// What a text goes through before it is divided.
indirect enum Normalizer: Sendable {
    enum Form: Sendable { case nfc, nfd, nfkc, nfkd }

    case sequence([Normalizer])
    case form(Form)
    /// Before a text that is not empty.
    case prepend([UInt8])
    case replace(Replacement)
    /// What a pattern matches becomes other bytes.
    case pattern(SplitPattern, [UInt8])
    case characters(CharacterMap)
    case bert(BertNormalizer)
    case lowercase
    case stripAccents
    /// White space at the ends.
    case strip(left: Bool, right: Bool)

    /// Reads the value of `normalizer`.
    static func read(_ value: JSONValue?) throws -> Normalizer? {
        var steps = 0
        return try read(value, &steps)
    }

    private static func read(_ value: JSONValue?, _ steps: inout Int) throws -> Normalizer? {
        guard let value, value != .null else { return nil }
        try TextBound.count(&steps, "a normalizer")
        switch value["type"]?.string {
        case "Sequence":
            var parts: [Normalizer] = []
            for part in value["normalizers"]?.array ?? [] {
                guard let part = try read(part, &steps) else { continue }
                parts.append(part)
            }
            return .sequence(parts)
        case "NFC": return .form(.nfc)
        case "NFD": return .form(.nfd)
        case "NFKC": return .form(.nfkc)
        case "NFKD": return .form(.nfkd)
        case "Prepend":
            guard let prefix = value["prepend"]?.string else {
                throw CambiumError.badTokenizer("a Prepend normalizer without prepend")
            }
            return .prepend(Array(prefix.utf8))
        case "Replace":
            guard let pattern = value["pattern"]?["Regex"]?.string else {
                return .replace(try Replacement(value))
            }
            guard let content = value["content"]?.string else {
                throw CambiumError.badTokenizer("a Replace without content")
            }
            return .pattern(try SplitPattern(pattern), Array(content.utf8))
        case "Precompiled":
            // Without a table nothing changes.
            guard let map = value["precompiled_charsmap"]?.string, !map.isEmpty else {
                return .sequence([])
            }
            return .characters(try CharacterMap(map))
        case "BertNormalizer": return .bert(BertNormalizer(value))
        case "Lowercase": return .lowercase
        case "StripAccents": return .stripAccents
        case "Strip":
            return .strip(
                left: value["strip_left"]?.bool ?? true, right: value["strip_right"]?.bool ?? true)
        case let type:
            throw CambiumError.unsupportedTokenizer(
                "a normalizer of the type \(shown(type ?? "?"))")
        }
    }

    /// - Parameter bound: What the text may become, at any step.
    /// - Throws: `.tooHard` when a pattern runs away on the text, and when the text grows beyond the bound;
    ///   `.badTokenizer` for a damaged table.
    func apply(_ text: [UInt8], _ bound: TextBound) throws -> [UInt8] {
        let result = try step(text, bound)
        // What no file decides grows a few times at most, and is checked when it is there.
        try bound.check(result.count)
        return result
    }

    private func step(_ text: [UInt8], _ bound: TextBound) throws -> [UInt8] {
        switch self {
        case .sequence(let parts): return try parts.reduce(text) { try $1.apply($0, bound) }
        case .form(let form): return Self.normalize(text, form)
        case .prepend(let prefix):
            guard !text.isEmpty else { return text }
            try bound.check(prefix.count + text.count)
            return prefix + text
        case .replace(let replacement): return try replacement.apply(text[...], bound)
        case .pattern(let pattern, let content):
            var search = try PatternSearch(pattern)
            var size = text.count
            if content.count > 1 {
                try search.matches(in: text[...]) { size += content.count - $0.count }
                try bound.check(size)
            }
            var (result, at): ([UInt8], Int) = ([], 0)
            result.reserveCapacity(size)
            try search.matches(in: text[...]) { match in
                result += text[at..<match.lowerBound]
                result += content
                at = match.upperBound
            }
            return result + text[at...]
        case .characters(let map): return try map.apply(text, bound)
        case .bert(let normalizer): return normalizer.apply(text)
        case .lowercase:
            return BertNormalizer.lowered(String(decoding: text, as: UTF8.self).unicodeScalars)
        case .stripAccents:
            let kept = String(decoding: text, as: UTF8.self).unicodeScalars.filter { scalar in
                switch scalar.properties.generalCategory {
                case .nonspacingMark, .spacingMark, .enclosingMark: false
                default: true
                }
            }
            return Array(String(String.UnicodeScalarView(kept)).utf8)
        case .strip(let left, let right):
            var scalars = String(decoding: text, as: UTF8.self).unicodeScalars[...]
            if left { scalars = scalars.drop { $0.properties.isWhitespace } }
            while right, scalars.last?.properties.isWhitespace == true { scalars.removeLast() }
            return Array(String(scalars).utf8)
        }
    }

    private static func normalize(_ bytes: [UInt8], _ form: Form) -> [UInt8] {
        // Below U+0300 NFC changes nothing; of ASCII no form does.
        let bound: UInt8 = form == .nfc ? 0xCC : 0x80
        if bytes.allSatisfy({ $0 < bound }) { return bytes }
        return Array(NormalForm.of(String(decoding: bytes, as: UTF8.self), form).utf8)
    }
}

/// Literal text that another takes the place of.
struct Replacement: Sendable {
    private let pattern: [UInt8]
    private let content: [UInt8]
    /// How much of the pattern still stands where it breaks off behind each of its bytes (Knuth, Morris and Pratt 1977).
    private let borders: [Int]

    init(_ pattern: String, by content: String) {
        self.pattern = Array(pattern.utf8)
        self.content = Array(content.utf8)
        borders = Self.borders(of: self.pattern)
    }

    private static func borders(of pattern: [UInt8]) -> [Int] {
        var borders = [Int](repeating: 0, count: pattern.count)
        var length = 0
        for at in pattern.indices.dropFirst() {
            while length > 0, pattern[at] != pattern[length] { length = borders[length - 1] }
            if pattern[at] == pattern[length] { length += 1 }
            borders[at] = length
        }
        return borders
    }

    /// Bytes that may come of one, rounded up.
    var growth: Int { max(1, (content.count + pattern.count - 1) / max(1, pattern.count)) }

    /// Reads {"pattern": {"String": …}, "content": …}.
    init(_ value: JSONValue) throws {
        guard let pattern = value["pattern"]?["String"]?.string, !pattern.isEmpty else {
            throw CambiumError.unsupportedTokenizer("a Replace whose pattern is not a literal text")
        }
        guard let content = value["content"]?.string else {
            throw CambiumError.badTokenizer("a Replace without content")
        }
        self.init(pattern, by: content)
    }

    /// - Complexity: O(n) in the text's length, whatever the pattern is.
    func apply(_ text: ArraySlice<UInt8>) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(text.count)
        var at = text.startIndex
        places(in: text) { place in
            result += text[at..<place]
            result += content
            at = place + pattern.count
        }
        return result + text[at...]
    }

    /// As ``apply(_:)``, of what fits a bound.
    ///
    /// - Throws: `.tooHard`; then nothing was made.
    func apply(_ text: ArraySlice<UInt8>, _ bound: TextBound) throws -> [UInt8] {
        let grown = content.count - pattern.count
        if grown > 0 {
            var size = text.count
            places(in: text) { _ in size &+= grown }
            try bound.check(size)
        }
        return apply(text)
    }

    /// Where the pattern comes in a text, from its start on.
    private func places(in text: ArraySlice<UInt8>, _ take: (Int) -> Void) {
        var length = 0
        for at in text.indices {
            while length > 0, text[at] != pattern[length] { length = borders[length - 1] }
            if text[at] == pattern[length] { length += 1 }
            guard length == pattern.count else { continue }
            take(at + 1 - length)
            length = 0
        }
    }
}
