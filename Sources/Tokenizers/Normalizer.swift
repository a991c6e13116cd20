internal import Elements

/// What a text goes through before it is divided.
indirect enum Normalizer: Sendable {
    enum Form: Sendable { case nfc, nfd, nfkc, nfkd }

    case sequence([Normalizer])
    case form(Form)
    /// Before a text that is not empty.
    case prepend([UInt8])
    case replace(Replacement)

    /// Reads the value of `normalizer`.
    static func read(_ value: JSONValue?) throws -> Normalizer? {
        guard let value, value != .null else { return nil }
        switch value["type"]?.string {
        case "Sequence":
            var parts: [Normalizer] = []
            for part in value["normalizers"]?.array ?? [] {
                guard let part = try read(part) else { continue }
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
        case "Replace": return .replace(try Replacement(value))
        case let type:
            throw CambiumError.unsupportedTokenizer("a normalizer of the type \(type ?? "?")")
        }
    }

    func apply(_ text: [UInt8]) -> [UInt8] {
        switch self {
        case .sequence(let parts): return parts.reduce(text) { $1.apply($0) }
        case .form(let form): return Self.normalize(text, form)
        case .prepend(let prefix): return text.isEmpty ? text : prefix + text
        case .replace(let replacement): return replacement.apply(text[...])
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

    init(_ pattern: String, by content: String) {
        self.pattern = Array(pattern.utf8)
        self.content = Array(content.utf8)
    }

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

    func apply(_ text: ArraySlice<UInt8>) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(text.count)
        var at = text.startIndex
        while at < text.endIndex {
            if text[at] == pattern[0], text[at...].starts(with: pattern) {
                result += content
                at += pattern.count
            } else {
                result.append(text[at])
                at += 1
            }
        }
        return result
    }
}
