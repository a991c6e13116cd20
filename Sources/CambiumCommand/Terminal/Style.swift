/// How text looks on one stream: in colour or not, with box-drawing characters or not.
struct Style: Sendable {
    /// Whether escape codes may be written.
    let isColored: Bool
    /// Whether lines may be drawn with Unicode's box characters.
    let isUnicode: Bool
    /// Columns of the terminal, on which small pictures may be drawn; nil for a pipe or a file.
    var columns: Int?

    /// Text as it goes into a pipe or a file.
    static let plain = Style(isColored: false, isUnicode: false)

    /// The style of a stream: https://no-color.org, https://bixense.com/clicolors.
    static func of(_ stream: Terminal.Stream, allowsColor: Bool) -> Style {
        let forced = Terminal.variable("CLICOLOR_FORCE").map { $0 != "0" } ?? false
        let isColored =
            if !allowsColor || Terminal.variable("NO_COLOR") != nil {
                false
            } else if forced {
                true
            } else {
                Terminal.isTerminal(stream) && Terminal.variable("TERM") != "dumb"
            }
        let locale =
            Terminal.variable("LC_ALL") ?? Terminal.variable("LC_CTYPE")
            ?? Terminal.variable("LANG") ?? ""
        let encoding = locale.lowercased()
        return Style(
            isColored: isColored,
            isUnicode: encoding.hasSuffix("utf-8") || encoding.hasSuffix("utf8"),
            columns: Terminal.isTerminal(stream) ? Terminal.width(stream) : nil)
    }

    /// Stands for the beginning of a colour code until the text is written.
    ///
    /// Chosen anew by each process from the last plane of private use, so that text of somebody else
    /// cannot hold it: ``VisibleText`` turns this into an escape, and spells out all other escapes.
    static let mark = Unicode.Scalar(UInt32.random(in: 0x100000...0x10FFFD)) ?? "\u{100000}"

    private func wrapped(_ text: String, _ code: String) -> String {
        isColored && !text.isEmpty ? "\(Self.mark)\(code)m\(text)\(Self.mark)0m" : text
    }

    /// The end of a code of ours, `m` included, that starts behind a mark; nil when there is none.
    static func endOfCode(
        in text: String.UnicodeScalarView, from start: String.Index
    ) -> String.Index? {
        let digits = text[start...].prefix { ("0"..."9").contains($0) }
        guard (1...2).contains(digits.count), digits.endIndex < text.endIndex,
            text[digits.endIndex] == "m"
        else { return nil }
        return text.index(after: digits.endIndex)
    }

    /// A heading.
    func bold(_ text: String) -> String { wrapped(text, "1") }
    /// What is there for reference only.
    func faint(_ text: String) -> String { wrapped(text, "2") }
    /// An id.
    func id(_ text: String) -> String { wrapped(text, "33") }
    /// A branch or a tag.
    func name(_ text: String) -> String { wrapped(text, "36") }
    /// What is well.
    func good(_ text: String) -> String { wrapped(text, "32") }
    /// What is not.
    func bad(_ text: String) -> String { wrapped(text, "31") }
    /// What to look at.
    func warning(_ text: String) -> String { wrapped(text, "35") }
}
