/// An answer in channels, as GPT-OSS writes them: `<|channel|>analysis<|message|>…<|end|>`, and so on, broken off anywhere.
struct ChannelledAnswer {
    /// The final channel's text; without one, what else is said to the reader, as before a call of a tool.
    let content: String
    /// The text of all other channels, calls of tools included.
    let reasoning: String

    /// The tokens that a text in channels has around its parts.
    private static let marks = [
        "<|start|>", "<|channel|>", "<|constrain|>", "<|message|>", "<|end|>", "<|call|>",
        "<|return|>",
    ]

    private enum Place { case said, header, body }

    init(_ text: String) {
        var final: [String] = []
        var said: [String] = []
        var other: [String] = []
        // What stands before the first mark is no part of a channel, unless it names who is called.
        var place = text.hasPrefix(" to=") ? Place.header : .said
        var (header, body) = ("", "")
        func end() {
            defer { body = "" }
            guard !body.isEmpty else { return }
            let words = header.split(separator: " ")
            let isCall = words.contains { $0.hasPrefix("to=") }
            switch (place, words.first { !$0.hasPrefix("to=") }) {
            case (.said, _): said.append(body)
            case (_, "final"): final.append(body)
            case (_, "commentary") where !isCall: said.append(body)
            default: other.append(body)
            }
        }
        for (part, mark) in Self.parts(of: text) {
            if place == .header { header += part } else { body += part }
            switch mark {
            case "<|message|>":
                end()
                place = .body
            case "<|constrain|>" where place == .header: header += " "
            case "<|channel|>" where place == .header:
                // Who is called may stand before the channel.
                header = header.split(separator: " ").filter { $0.hasPrefix("to=") }.joined() + " "
            case .some:
                end()
                (place, header) = (.header, "")
            case nil: if place != .header { end() }
            }
        }
        content = (final.isEmpty ? said : final).joined(separator: "\n")
        reasoning = (final.isEmpty ? other : said + other).joined(separator: "\n")
    }

    /// The text between marks, each with the mark behind it; nil at the end.
    ///
    /// By bytes: an accent behind a mark would be one character with its end.
    private static func parts(of text: String) -> [(String, String?)] {
        let bytes = Array(text.utf8)
        let marks = marks.map { (name: $0, bytes: Array($0.utf8)) }
        var parts: [(String, String?)] = []
        var (start, at) = (0, 0)
        func part(_ end: Int) -> String { String(decoding: bytes[start..<end], as: UTF8.self) }
        while at < bytes.count {
            guard bytes[at] == UInt8(ascii: "<"),
                let mark = marks.first(where: { bytes[at...].starts(with: $0.bytes) })
            else {
                at += 1
                continue
            }
            parts.append((part(at), mark.name))
            at += mark.bytes.count
            start = at
        }
        return parts + [(part(at), nil)]
    }
}
