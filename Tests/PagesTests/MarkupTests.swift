import Testing

@testable import Pictures

@Suite("Markup")
struct MarkupTests {
    /// Names that somebody else may have given.
    static let hostile = [
        "<script>alert(1)</script>", "\" onload=\"alert(1)", "' onload='alert(1)", "a&b &lt; c",
        "]]><!--", "\u{1B}[31mred\u{1B}[0m", "\u{202E}txt.exe", "nul\u{0}byte", "\u{85}next",
        "\u{FFFE}",
        "</svg></style></title>", "{{7*7}}", "line\nbreak",
    ]

    @Test("no words of others become markup, an attribute's end or a control", arguments: hostile)
    func escaping(_ words: String) {
        let text = Markup.element("p", ["title": words], words: words).text
        #expect(text.hasPrefix("<p title=\"") && text.hasSuffix("</p>"))
        let inside = text.dropFirst(2).dropLast(4)
        #expect(!inside.contains("<") && inside.count { $0 == ">" } == 1)
        #expect(inside.count { $0 == "\"" } == 2 && !inside.contains("'"))
        #expect(
            text.unicodeScalars.allSatisfy {
                $0.value >= 0x20 && !(0x7F...0x9F).contains($0.value) && $0 != "\u{202E}"
                    || $0 == "\n"
            })
    }

    @Test("what is plain stays as it is")
    func plain() {
        #expect(Markup("round 1: Kiswahili – 日本").text == "round 1: Kiswahili – 日本")
        #expect(Markup("a<b & \"c\"").text == "a&lt;b &amp; &quot;c&quot;")
        #expect(Markup("\u{1B}").text == "\\u{1b}")
    }

    @Test("coordinates have two decimals at most, and no zeros behind")
    func pixels() {
        #expect(
            [0, 1.5, -0.004, 12.345, -3.05, 100].map(\.pixels) == [
                "0", "1.5", "0", "12.35", "-3.05", "100",
            ])
    }

    @Test("what is no number has a place as well")
    func extremes() {
        #expect(Double.nan.pixels == "0" && Double.infinity.pixels == "10000000")
        #expect((-Double.greatestFiniteMagnitude).pixels == "-10000000")
    }

    @Test("words that have no room end with an ellipsis", arguments: [40.0, 90, 200])
    func fitting(_ room: Double) {
        let words = "merge swahili, metamath and everything else into main"
        let fitted = TextWidth.fitted(words, to: room)
        #expect(fitted.hasSuffix("…") && TextWidth.of(fitted) <= room + 12)
        #expect(TextWidth.fitted("short", to: 100) == "short")
    }
}

@Suite("Scales")
struct ScaleTests {
    @Test("ticks are round numbers around the values")
    func ticks() {
        let scale = Scale([1.31, 2.07], pixels: (100, 0), ticks: 4)
        #expect(scale.ticks.map(scale.name) == ["1.2", "1.4", "1.6", "1.8", "2.0", "2.2"])
        #expect(abs(scale(1.2) - 100) < 1e-9 && abs(scale(2.2)) < 1e-9)
        let bytes = Scale([0, 85_000_000], pixels: (0, 100), ticks: 4, unit: .bytes)
        #expect(bytes.ticks.map(bytes.name) == ["0 bytes", "32.0 MiB", "64.0 MiB", "96.0 MiB"])
    }

    @Test("one value, none, and values that are no numbers have an axis, too")
    func degenerate() {
        for values in [
            [], [3.0], [0.0], [.nan, .infinity], [1e300, -1e300], [.leastNonzeroMagnitude, 0],
        ] {
            let scale = Scale(values, pixels: (0, 100), ticks: 5)
            #expect(scale(1).isFinite, "\(values)")
            #expect(scale.ticks.count < 20)
        }
    }
}

@Suite("Lanes")
struct LanesTests {
    @Test("a thousand open branches have a thousand columns, and the same again")
    func many() {
        let commits = (0..<1_000).map { ("tip \($0)", ["root"]) } + [("root", [])]
        func columns() -> [Int] {
            var lanes = Lanes(commits.map(\.0))
            return commits.map { id, parents in
                let column = lanes.place(id)
                _ = lanes.connect(column, parents: parents)
                return column
            }
        }
        #expect(columns() == columns())
        // Each ends in the column of the first, where the root is.
        #expect(columns().last == 0)
    }

    @Test("a history of lines has as many pictures as it has hundreds of commits")
    func parts() {
        let rows = (0..<250).map {
            HistoryDrawing.Row(
                id: "\($0)", parents: ["\($0 + 1)"], names: [], subject: "round \($0)", columns: [],
                title: "")
        }
        let parts = HistoryDrawing(rows, headings: []).drawings(
            width: 920, rows: 100, isNarrow: false, label: "history")
        #expect(parts.count == 3 && parts.map(\.height) == [2_600, 2_600, 1_300])
    }
}
