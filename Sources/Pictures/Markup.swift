internal import Reporting

/// Text of HTML or SVG: what pages and pictures are made of, and nothing else.
///
/// Words of others (names, messages, paths) can only come in by ``init(_:)`` or as values of attributes, which escape
/// them; what stays as it is has to stand in the program's own source.
package struct Markup: Sendable {
    /// The text, to be written to a file or sent.
    package private(set) var text: String

    /// Nothing.
    package init() { text = "" }

    /// Words as a reader sees them: no character of them is markup, moves a cursor or turns the line around.
    package init(_ words: String) { text = Self.escaped(words) }

    /// What stands in the source, as it is.
    package init(literal: StaticString) { text = literal.description }

    /// Some pieces, one after another.
    package init(_ parts: some Sequence<Markup>) {
        text = ""
        for part in parts { text += part.text }
    }

    /// An element with an end.
    package static func element(
        _ name: StaticString, _ attributes: KeyValuePairs<StaticString, String> = [:],
        _ content: Markup = Markup()
    ) -> Markup {
        var result = Markup()
        result.open(name, attributes)
        result.text += ">"
        result.text += content.text
        result.text += "</"
        result.text += name.description
        result.text += ">"
        return result
    }

    /// An element with words in it.
    package static func element(
        _ name: StaticString, _ attributes: KeyValuePairs<StaticString, String> = [:],
        words: String
    ) -> Markup { element(name, attributes, Markup(words)) }

    /// An element without content: a shape of SVG.
    package static func shape(
        _ name: StaticString, _ attributes: KeyValuePairs<StaticString, String>
    ) -> Markup {
        var result = Markup()
        result.open(name, attributes)
        result.text += "/>"
        return result
    }

    /// An element of HTML that has no end, such as `meta`.
    package static func void(
        _ name: StaticString, _ attributes: KeyValuePairs<StaticString, String> = [:]
    ) -> Markup {
        var result = Markup()
        result.open(name, attributes)
        result.text += ">"
        return result
    }

    /// Whether there is nothing.
    package var isEmpty: Bool { text.isEmpty }

    package static func + (left: Markup, right: Markup) -> Markup {
        var result = left
        result.text += right.text
        return result
    }

    package static func += (left: inout Markup, right: Markup) { left.text += right.text }

    private mutating func open(
        _ name: StaticString, _ attributes: KeyValuePairs<StaticString, String>
    ) {
        text += "<"
        text += name.description
        for (key, value) in attributes {
            text += " "
            text += key.description
            text += "=\""
            text += Self.escaped(value)
            text += "\""
        }
    }

    private static func escaped(_ words: String) -> String {
        let isPlain = words.utf8.allSatisfy { byte in
            (0x20..<0x7F).contains(byte) && byte != 0x26 && byte != 0x3C && byte != 0x3E
                && byte != 0x22 && byte != 0x27
        }
        if isPlain { return words }
        var result = ""
        for scalar in words.unicodeScalars {
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            case "'": result += "&#39;"
            default:
                // XML has no such characters at all, and browsers take them for what they are not.
                if scalar.isSteering || scalar.value & 0xFFFE == 0xFFFE {
                    result += "\\u{" + String(scalar.value, radix: 16) + "}"
                } else {
                    result.unicodeScalars.append(scalar)
                }
            }
        }
        return result
    }
}

extension Double {
    /// A coordinate, to the hundredth of a pixel.
    var pixels: String {
        // What is far outside, or no number, is at the edge of what can be drawn.
        let bounded = isNaN ? 0 : Swift.min(1e7, Swift.max(-1e7, self))
        let hundredths = Int((bounded * 100).rounded())
        let (whole, rest) = (abs(hundredths) / 100, abs(hundredths) % 100)
        let sign = hundredths < 0 ? "-" : ""
        if rest == 0 { return sign + String(whole) }
        let digits = rest % 10 == 0 ? String(rest / 10) : rest < 10 ? "0\(rest)" : String(rest)
        return "\(sign)\(whole).\(digits)"
    }
}
