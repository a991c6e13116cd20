internal import Elements

/// What BERT does to a text before it is divided: controls go, white space becomes spaces, spaces come around Chinese
/// characters, accents go, letters become small.
///
/// It follows the normalizer of that name of Hugging Face's tokenizers.
struct BertNormalizer: Sendable {
    private let cleans: Bool
    private let parts: Bool
    private let lowers: Bool
    private let stripsAccents: Bool

    init(_ value: JSONValue) {
        cleans = value["clean_text"]?.bool ?? true
        parts = value["handle_chinese_chars"]?.bool ?? true
        lowers = value["lowercase"]?.bool ?? true
        stripsAccents = value["strip_accents"]?.bool ?? lowers
    }

    func apply(_ bytes: [UInt8]) -> [UInt8] {
        var text = String.UnicodeScalarView()
        for scalar in String(decoding: bytes, as: UTF8.self).unicodeScalars {
            guard !cleans || !Self.isControl(scalar) else { continue }
            let isSpace = cleans && scalar.properties.isWhitespace
            let isChinese = parts && Self.isChinese(scalar)
            if isChinese { text.append(" ") }
            text.append(isSpace ? " " : scalar)
            if isChinese { text.append(" ") }
        }
        if stripsAccents {
            text = String.UnicodeScalarView(
                NormalForm.of(String(text), .nfd).unicodeScalars
                    .filter { $0.properties.generalCategory != .nonspacingMark })
        }
        return lowers ? Self.lowered(text) : Array(String(text).utf8)
    }

    /// Each character's small letters by itself.
    static func lowered(_ text: some Sequence<Unicode.Scalar>) -> [UInt8] {
        var result: [UInt8] = []
        for scalar in text { result += scalar.properties.lowercaseMapping.utf8 }
        return result
    }

    /// Zero, U+FFFD, and the categories that are no text, beside line ends and tabs.
    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar {
        case "\t", "\n", "\r": return false
        case "\0", "\u{FFFD}": return true
        default: break
        }
        switch scalar.properties.generalCategory {
        case .control, .format, .privateUse, .surrogate: return true
        default: return false
        }
    }

    /// The blocks of unified and compatibility ideographs that BERT names.
    private static func isChinese(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x4E00...0x9FFF, 0x3400...0x4DBF, 0x20000...0x2A6DF, 0x2A700...0x2B73F,
            0x2B740...0x2B81F, 0x2B920...0x2CEAF, 0xF900...0xFAFF, 0x2F800...0x2FA1F:
            true
        default: false
        }
    }
}
