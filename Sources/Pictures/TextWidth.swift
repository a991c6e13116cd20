internal import Reporting

/// How wide text is, about: pictures are laid out without a font at hand.
///
/// Widths are those of DejaVu Sans, which is wider than most.
package enum TextWidth {
    /// Pixels of some words.
    package static func of(_ words: String, size: Double = 12) -> Double {
        words.unicodeScalars.reduce(0) { $0 + width($1) } * size
    }

    /// The words, or as much of their beginning as has room, with an ellipsis.
    package static func fitted(_ words: String, to room: Double, size: Double = 12) -> String {
        // What others wrote is spelled out, which takes more room.
        let plain = words.unicodeScalars.map { $0.value < 0x20 ? " " : $0 }
        var rest = room / size
        var result = String.UnicodeScalarView()
        for scalar in plain {
            rest -= width(scalar)
            if rest < 0 { break }
            result.append(scalar)
        }
        if result.count == plain.count { return String(result) }
        var space = 0.9
        while space > 0, let last = result.popLast() { space -= width(last) }
        while result.last == " " { result.removeLast() }
        return String(result) + "…"
    }

    private static func width(_ scalar: Unicode.Scalar) -> Double {
        switch scalar {
        case "i", "j", "l", "|", "'", ".", ",", " ", "I": 0.34
        case "f", "t", "(", ")", "[", "]", "/", "-", ":", ";", "!": 0.41
        case "r", "s", "z", "c", "\"": 0.55
        case "m", "w", "M", "W", "@", "%": 0.98
        case "0"..."9": 0.64
        case "A"..."Z", "…", "→": 0.76
        case "\u{20}"..."\u{7E}": 0.635
        default: scalar.isWide ? 1.05 : scalar.isSpelled ? 4.8 : 0.7
        }
    }
}

extension Unicode.Scalar {
    /// Whether ``Markup`` spells it out.
    fileprivate var isSpelled: Bool {
        switch value {
        case 0x7F...0x9F, 0x200B...0x200F, 0x2028...0x202E, 0x2060...0x206F, 0xFEFF: true
        default: false
        }
    }
}
