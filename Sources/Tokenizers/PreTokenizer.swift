internal import Elements

/// Divides a text into the words that byte-pair encoding takes one by one.
indirect enum PreTokenizer: Sendable {
    /// What becomes of the matches of a pattern, by Hugging Face's names.
    enum Behavior: String, Sendable {
        case removed = "Removed"
        case isolated = "Isolated"
        case mergedWithPrevious = "MergedWithPrevious"
        case mergedWithNext = "MergedWithNext"
        case contiguous = "Contiguous"
    }

    enum PrependScheme: String, Sendable { case always, first, never }

    case sequence([PreTokenizer])
    case split(SplitPattern, Behavior, isInverted: Bool)
    /// A space before words that have none, then a pattern; that bytes become characters is left to
    /// the model, which knows the bytes.
    case byteLevel(addsSpace: Bool, SplitPattern?)
    case metaspace(Replacement, [UInt8], PrependScheme, SplitPattern?)

    /// GPT-2's pattern.
    private static let gpt2 =
        #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#

    /// Reads the value of `pre_tokenizer`.
    static func read(_ value: JSONValue?) throws -> PreTokenizer? {
        var steps = 0
        return try read(value, &steps)
    }

    private static func read(_ value: JSONValue?, _ steps: inout Int) throws -> PreTokenizer? {
        guard let value, value != .null else { return nil }
        try TextBound.count(&steps, "a pre-tokenizer")
        switch value["type"]?.string {
        case "Sequence":
            var parts: [PreTokenizer] = []
            for part in value["pretokenizers"]?.array ?? [] {
                guard let part = try read(part, &steps) else { continue }
                guard parts.last?.isByteLevel != true else {
                    throw CambiumError.unsupportedTokenizer("a pre-tokenizer behind ByteLevel")
                }
                parts.append(part)
            }
            return .sequence(parts)
        case "ByteLevel":
            let usesPattern = value["use_regex"]?.bool ?? true
            return .byteLevel(
                addsSpace: value["add_prefix_space"]?.bool ?? true,
                usesPattern ? try SplitPattern(gpt2) : nil)
        case "Split":
            let pattern: SplitPattern
            if let literal = value["pattern"]?["String"]?.string {
                pattern = try SplitPattern(literal: literal)
            } else if let text = value["pattern"]?["Regex"]?.string {
                pattern = try SplitPattern(text)
            } else {
                throw CambiumError.badTokenizer("a Split pre-tokenizer without a pattern")
            }
            let name = value["behavior"]?.string ?? "?"
            guard let behavior = Behavior(rawValue: name) else {
                throw CambiumError.badTokenizer(
                    "a Split pre-tokenizer with the behavior \(shown(name))")
            }
            return .split(pattern, behavior, isInverted: value["invert"]?.bool ?? false)
        case "Digits":
            let isIndividual = value["individual_digits"]?.bool ?? false
            return .split(
                try SplitPattern(#"\p{N}"#), isIndividual ? .isolated : .contiguous,
                isInverted: false)
        case "WhitespaceSplit": return .split(try .whiteSpace(), .removed, isInverted: false)
        case "Whitespace": return .split(try .words(), .removed, isInverted: true)
        case "Punctuation":
            let name = value["behavior"]?.string ?? "Isolated"
            guard let behavior = Behavior(rawValue: name) else {
                throw CambiumError.badTokenizer(
                    "a Punctuation pre-tokenizer with the behavior \(shown(name))")
            }
            return .split(try .punctuation(), behavior, isInverted: false)
        case "BertPreTokenizer":
            return .sequence([
                .split(try .whiteSpace(), .removed, isInverted: false),
                .split(try .punctuation(), .isolated, isInverted: false),
            ])
        case "Metaspace": return try metaspace(value)
        case let type:
            throw CambiumError.unsupportedTokenizer(
                "a pre-tokenizer of the type \(shown(type ?? "?"))")
        }
    }

    private static func metaspace(_ value: JSONValue) throws -> PreTokenizer {
        guard let replacement = value["replacement"]?.string,
            replacement.unicodeScalars.count == 1
        else {
            throw CambiumError.badTokenizer("a Metaspace whose replacement is not one character")
        }
        var scheme = PrependScheme.always
        if let name = value["prepend_scheme"]?.string {
            guard let stated = PrependScheme(rawValue: name) else {
                throw CambiumError.badTokenizer(
                    "a Metaspace with the prepend_scheme \(shown(name))")
            }
            scheme = stated
        } else if value["add_prefix_space"]?.bool == false {
            scheme = .never
        }
        let splits = value["split"]?.bool ?? true
        return .metaspace(
            Replacement(" ", by: replacement), Array(replacement.utf8), scheme,
            splits ? try SplitPattern(literal: replacement) : nil)
    }

    /// Whether words are the bytes of a text.
    var isByteLevel: Bool {
        switch self {
        case .sequence(let parts): parts.last?.isByteLevel ?? false
        case .byteLevel: true
        default: false
        }
    }

    /// Divides the words of a text further.
    ///
    /// - Parameter bound: What all words may have together, at any step.
    func apply(_ words: inout Words, _ bound: TextBound) throws {
        switch self {
        case .sequence(let parts): for part in parts { try part.apply(&words, bound) }
        case .split(let pattern, let behavior, let isInverted):
            try words.split(pattern, behavior, isInverted: isInverted)
        case .byteLevel(let addsSpace, let pattern):
            if addsSpace {
                try words.edit(bound) { word, _ in word.first == 0x20 ? nil : [0x20] + word }
            }
            if let pattern { try words.split(pattern, .isolated, isInverted: false) }
        case .metaspace(let replacement, let mark, let scheme, let pattern):
            try words.edit(bound) { word, isFirst in
                let text = try replacement.apply(word, bound)
                let wants = scheme == .always || (scheme == .first && isFirst)
                return wants && !text.starts(with: mark) ? mark + text : text
            }
            if let pattern { try words.split(pattern, .mergedWithNext, isInverted: false) }
        }
    }
}

/// A text in words.
struct Words: Sendable {
    private(set) var bytes: [UInt8]
    /// In ascending order; none of them is empty.
    private(set) var ranges: [Range<Int>]
    /// Whether the first word stands at the start of all the text.
    private let isStart: Bool

    init(_ bytes: [UInt8], isStart: Bool) {
        self.bytes = bytes
        self.isStart = isStart
        ranges = bytes.isEmpty ? [] : [0..<bytes.count]
    }

    /// Puts other bytes in the place of each word.
    ///
    /// - Parameter change: Gets a word and whether it stands at the start of all the text; nil
    ///   leaves it.
    /// - Throws: What `change` throws; `.tooHard` where the words outgrow the bound.
    mutating func edit(
        _ bound: TextBound, _ change: (ArraySlice<UInt8>, Bool) throws -> [UInt8]?
    ) throws {
        var (result, places): ([UInt8], [Range<Int>]) = ([], [])
        result.reserveCapacity(bytes.count + ranges.count)
        for range in ranges {
            let start = result.count
            if let other = try change(bytes[range], isStart && range.lowerBound == 0) {
                try bound.check(result.count + other.count)
                result += other
            } else {
                result += bytes[range]
            }
            if result.count > start { places.append(start..<result.count) }
        }
        (bytes, ranges) = (result, places)
    }

    /// Divides each word at the matches of a pattern.
    mutating func split(
        _ pattern: SplitPattern, _ behavior: PreTokenizer.Behavior, isInverted: Bool
    ) throws {
        var search = try PatternSearch(pattern)
        var result: [Range<Int>] = []
        result.reserveCapacity(max(ranges.count, bytes.count / 4))
        for word in ranges {
            var (parts, at): ([(range: Range<Int>, isMatch: Bool)], Int) = ([], word.lowerBound)
            try search.matches(in: bytes[word]) { match in
                if match.lowerBound > at { parts.append((at..<match.lowerBound, isInverted)) }
                parts.append((match, !isInverted))
                at = match.upperBound
            }
            if at < word.upperBound { parts.append((at..<word.upperBound, isInverted)) }
            join(parts, behavior, into: &result)
        }
        ranges = result
    }

    private func join(
        _ parts: [(range: Range<Int>, isMatch: Bool)], _ behavior: PreTokenizer.Behavior,
        into result: inout [Range<Int>]
    ) {
        switch behavior {
        case .isolated: for part in parts { result.append(part.range) }
        case .removed: for part in parts where !part.isMatch { result.append(part.range) }
        case .contiguous, .mergedWithPrevious:
            var (before, isFirst) = (false, true)
            for part in parts {
                let joins =
                    behavior == .contiguous
                    ? part.isMatch == before : part.isMatch && !before
                if joins, !isFirst, let last = result.popLast() {
                    result.append(last.lowerBound..<part.range.upperBound)
                } else {
                    result.append(part.range)
                }
                (before, isFirst) = (part.isMatch, false)
            }
        case .mergedWithNext:
            var (behind, joined): (Bool, [Range<Int>]) = (false, [])
            for part in parts.reversed() {
                if part.isMatch, !behind, let last = joined.popLast() {
                    joined.append(part.range.lowerBound..<last.upperBound)
                } else {
                    joined.append(part.range)
                }
                behind = part.isMatch
            }
            result += joined.reversed()
        }
    }
}
