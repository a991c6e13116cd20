internal import Cambium
internal import Pictures
internal import Reporting

/// Where a link of the site leads: its own paths alone, with whatever is in fields encoded.
struct Address {
    let text: String

    init(_ path: StaticString, _ fields: KeyValuePairs<StaticString, String> = [:]) {
        let pairs = fields.map { "\($0.key)=\(Self.encoded($0.value))" }
        text = path.description + (pairs.isEmpty ? "" : "?" + pairs.joined(separator: "&"))
    }

    /// Everything but letters, digits and four signs as `%XX`.
    private static func encoded(_ words: String) -> String {
        words.utf8.map { byte in
            let isPlain =
                (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte)
                || (0x61...0x7A).contains(byte) || [0x2D, 0x2E, 0x5F, 0x7E].contains(byte)
            let digits = String(byte, radix: 16, uppercase: true)
            return isPlain
                ? String(UnicodeScalar(byte)) : "%" + (byte < 16 ? "0" : "") + digits
        }.joined()
    }
}

extension Site {
    /// An entry of a table.
    struct Cell {
        let content: Markup
        /// What its column is sorted by; nil where that is what a reader sees.
        let value: String?

        init(_ content: Markup, value: String? = nil) {
            (self.content, self.value) = (content, value)
        }

        static func words(_ words: String) -> Cell { Cell(Markup(words)) }
        static func count(_ count: Int) -> Cell {
            Cell(Markup(Quantity.count(count)), value: "\(count)")
        }
        static func bytes(_ bytes: Int) -> Cell {
            Cell(Markup(Quantity.bytes(bytes)), value: "\(bytes)")
        }
    }

    /// A page with the site's head.
    ///
    /// - Parameter refresh: Seconds after which the browser asks again.
    func frame(_ heading: String, _ content: Markup, refresh: Int? = nil) -> Markup {
        let head =
            Markup.void("meta", ["charset": "utf-8"])
            + .void("meta", ["name": "viewport", "content": "width=device-width, initial-scale=1"])
            + .void("meta", ["name": "color-scheme", "content": "light dark"])
            + (refresh.map { .void("meta", ["http-equiv": "refresh", "content": "\($0)"]) }
                ?? Markup())
            + .void("link", ["rel": "icon", "href": "data:,"])
            + .element("title", words: "\(heading) – \(title)")
            + .element("style", [:], Markup(literal: Palette.css) + Markup(literal: PageStyle.css))
        let places: [(String, Address)] = [
            ("Overview", Address("/")), ("History", Address("/log")), ("Compare", Address("/diff")),
            ("Merge", Address("/merge")), ("Try", Address("/try")), ("Runs", Address("/runs")),
            ("Report", Address("/report")),
        ]
        let body =
            Markup.element("a", ["class": "skip", "href": "#content"], words: "Go to the content")
            + .element(
                "header", [:],
                .element("p", ["class": "quiet"], words: title)
                    + .element(
                        "nav", ["aria-label": "Site"],
                        .element(
                            "ul", [:],
                            Markup(places.map { .element("li", [:], link($0.0, $0.1)) }))))
            + .element(
                "main", ["id": "content"], .element("h1", words: heading) + content)
            + .element("script", [:], Markup(literal: PageScript.text))
        return Markup(literal: "<!doctype html>\n")
            + .element(
                "html", ["lang": "en"], .element("head", [:], head) + .element("body", [:], body))
            + Markup(literal: "\n")
    }

    func link(_ words: String, _ address: Address) -> Markup {
        .element("a", ["href": address.text], words: words)
    }

    /// A link to a commit, by what it is called.
    func commitLink(_ revision: String, _ words: String? = nil) -> Markup {
        link(words ?? revision.short, Address("/commit", ["rev": revision]))
    }

    /// A revision as a heading has it: ids are long.
    func named(_ revision: String) -> String {
        revision.count == 64 && revision.allSatisfy(\.isHexDigit) ? revision.short : revision
    }

    func section(_ heading: String, _ content: Markup) -> Markup {
        .element("section", ["aria-label": heading], .element("h2", words: heading) + content)
    }

    /// A table of markup.
    func table(_ label: String, _ columns: [String], _ rows: [[Markup]]) -> Markup {
        table(label, columns, rows.map { $0.map { Cell($0) } })
    }

    /// A table whose numbers are sorted as numbers.
    ///
    /// - Parameter stacks: Whether a row's entries stand below each other where the window is narrow.
    func table(
        _ label: String, _ columns: [String], _ rows: [[Cell]], stacks: Bool = false
    ) -> Markup {
        guard !rows.isEmpty else { return .element("p", ["class": "quiet"], words: "None.") }
        return .element(
            "div", ["class": "scroll", "tabindex": "0", "role": "region", "aria-label": label],
            .element(
                "table", ["class": stacks ? "stacks" : ""],
                .element(
                    "thead", [:],
                    .element(
                        "tr", [:],
                        Markup(columns.map { .element("th", ["scope": "col"], words: $0) })))
                    + .element(
                        "tbody", [:],
                        Markup(
                            rows.map { row in
                                .element("tr", [:], Markup(zip(columns, row).map(entry)))
                            }))))
    }

    private func entry(_ column: String, _ cell: Cell) -> Markup {
        cell.value.map {
            .element(
                "td", ["class": "number", "data-column": column, "data-value": $0], cell.content)
        } ?? .element("td", ["data-column": column], cell.content)
    }

    /// A form that asks.
    func form(_ path: StaticString, isEdit: Bool = false, _ content: Markup, button: String)
        -> Markup
    {
        .element(
            "form", ["action": path.description, "method": isEdit ? "post" : "get"],
            (isEdit
                ? .void("input", ["type": "hidden", "name": "token", "value": token]) : Markup())
                + content
                + .element("p", [:], .element("button", ["type": "submit"], words: button)))
    }

    /// A labelled field of a form.
    func input(
        _ label: String, _ name: StaticString, value: String, list: StaticString? = nil
    ) -> Markup {
        .element(
            "p", [:],
            .element(
                "label", [:],
                Markup(label + " ")
                    + .void(
                        "input",
                        [
                            "name": name.description, "value": value,
                            "list": list?.description ?? "", "autocomplete": "off",
                        ])))
    }

    /// The names of branches, offered by fields with this list.
    func branchList() throws -> Markup {
        .element(
            "datalist", ["id": "branches"],
            Markup(try store.branches().prefix(200).map { .void("option", ["value": $0.name]) }))
    }

    /// Links to what comes before and behind a part of a long list.
    func pages(_ start: Int, _ count: Int, hasMore: Bool, _ address: (Int) -> Address) -> Markup {
        guard start > 0 || hasMore else { return Markup() }
        return .element(
            "p", [:],
            (start > 0 ? link("Before", address(max(0, start - count))) + Markup(" ") : Markup())
                + (hasMore ? link("Further", address(start + count)) : Markup()))
    }
}
