internal import Pictures
internal import Reporting

/// The numbers of a figure, row by row.
package struct Table: Sendable {
    /// One entry.
    package enum Cell: Sendable {
        case words(String)
        case number(Double)
        case count(Int)
        case bytes(Int)
        case none

        /// As a program reads it.
        package var plain: String {
            switch self {
            case .words(let text): text
            case .number(let value): "\(value)"
            case .count(let value), .bytes(let value): "\(value)"
            case .none: ""
            }
        }

        /// As a person reads it.
        package var shown: String {
            switch self {
            case .words(let text): text
            case .number(let value): Quantity.recorded(value)
            case .count(let value): Quantity.count(value)
            case .bytes(let value): Quantity.bytes(value)
            case .none: "–"
            }
        }

        /// As a page's script reads a number.
        fileprivate var sorted: String {
            guard case .number(let value) = self, !value.isFinite else { return plain }
            return value.isNaN ? "NaN" : value > 0 ? "Infinity" : "-Infinity"
        }

        package var isNumber: Bool { if case .words = self { false } else { true } }
    }

    package let columns: [String]
    package let rows: [[Cell]]

    package init(_ columns: [String], _ rows: [[Cell]]) {
        self.columns = columns
        self.rows = rows
    }

    /// The rows with commas between (RFC 4180).
    package var commaSeparated: String {
        ([columns] + rows.map { $0.map(\.plain) }).map {
            $0.map(Self.field).joined(separator: ",") + "\r\n"
        }.joined()
    }

    /// A text between commas; one that a spreadsheet would take for a formula is marked as text.
    private static func field(_ text: String) -> String {
        let isFormula = text.first.map { "=+-@\t\r".contains($0) } ?? false
        let safe = isFormula && Double(text) == nil ? "'" + text : text
        return safe.contains { [",", "\"", "\n", "\r", "\r\n"].contains($0) }
            ? "\"" + safe.replacing("\"", with: "\"\"") + "\"" : safe
    }

    /// Rows that a page has, at most.
    private static let mostRows = 300

    /// As HTML.
    ///
    /// - Parameter command: What prints all rows, where a page does not have them.
    func markup(caption: String, command: String) -> Markup {
        let head = Markup(columns.map { .element("th", ["scope": "col"], words: $0) })
        let body = rows.prefix(Self.mostRows).map { row in
            Markup.element(
                "tr", [:],
                Markup(
                    row.map { cell in
                        cell.isNumber
                            ? .element(
                                "td", ["class": "number", "data-value": cell.sorted],
                                words: cell.shown)
                            : .element("td", [:], words: cell.shown)
                    }))
        }
        let hidden = rows.count - body.count
        let rest =
            hidden > 0
            ? Markup.element(
                "p", ["class": "quiet"],
                Markup("\(Quantity.count(hidden, "further row")): ")
                    + .element("code", words: command)) : Markup()
        return .element(
            "div", ["class": "scroll", "tabindex": "0", "role": "region", "aria-label": caption],
            .element(
                "table", [:],
                .element("caption", ["class": "hidden"], words: caption)
                    + .element("thead", [:], .element("tr", [:], head))
                    + .element("tbody", [:], Markup(body)))) + rest
    }
}
