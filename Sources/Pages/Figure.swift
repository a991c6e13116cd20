package import Pictures

/// One figure of a report: how it is drawn, and its numbers as a table and as JSON.
package struct Figure: Sendable {
    /// Why there is nothing to draw, and the command that records it.
    package struct Missing: Sendable {
        package let words: String
        package let command: String?
    }

    package let name: FigureName
    /// What the reader sees.
    package let caption: String
    package let table: Table
    /// Nil where there is something to draw.
    package private(set) var missing: Missing?
    /// What it was made of, to be encoded.
    package var data: AnyFigure { AnyFigure(payload: payload) }
    private let payload: any Encodable & Sendable
    private let draw: @Sendable (Double) -> [Drawing]

    /// - Parameter draw: The drawing of a width, in one part or in several below each other.
    init(
        _ name: FigureName, caption: String, table: Table, missing: Missing? = nil,
        payload: some Encodable & Sendable, draw: @escaping @Sendable (Double) -> [Drawing]
    ) {
        self.name = name
        self.caption = caption
        self.table = table
        self.missing = missing
        self.payload = payload
        self.draw = draw
    }

    /// The same, where there is nothing to draw for a reason that the figure does not know.
    func lacking(_ words: String) -> Figure {
        var figure = self
        figure.missing = Missing(words: words, command: nil)
        return figure
    }

    /// Widths of pictures: of a page on a desk, and in a hand.
    package static let wide = 920.0
    package static let narrow = 344.0

    /// The drawing in parts; empty where something is missing.
    package func drawings(width: Double) -> [Drawing] { missing == nil ? draw(width) : [] }

    /// The drawing as one file of SVG; with what is missing in words.
    package func svg(width: Double = wide) -> Markup {
        let parts = drawings(width: width)
        if let missing {
            var drawing = Drawing(width: width, height: 40, label: name.title)
            drawing.text(missing.words, x: 0, y: 14)
            drawing.text(missing.command ?? "", x: 0, y: 34, style: "mono faint")
            return drawing.file
        }
        return Drawing.stack(parts, gap: 0, label: parts.first?.label ?? name.title).file
    }
}

/// A figure's value, whatever figure it is.
package struct AnyFigure: Encodable, Sendable {
    let payload: any Encodable & Sendable

    package func encode(to encoder: any Encoder) throws { try payload.encode(to: encoder) }
}

extension String {
    /// The first digits of an id.
    var short: String { String(prefix(12)) }
}

/// Words for a list of names: `a, b and 3 more`.
func listed(_ names: [String], limit: Int = 4) -> String {
    let shown = names.prefix(limit).joined(separator: ", ")
    return names.count > limit ? "\(shown) and \(names.count - limit) more" : shown
}
