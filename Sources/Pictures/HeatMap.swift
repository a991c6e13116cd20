/// A table of squares whose colour tells a number.
package struct HeatMap: Sendable {
    /// One square.
    package struct Cell: Sendable {
        /// The class that fills.
        let style: String
        /// How much of the colour, 0 to 1; nil for what is not there.
        let strength: Double?
        /// Written in it.
        let words: String
        let title: String?

        package init(
            _ strength: Double?, style: String = "heat", words: String = "", title: String? = nil
        ) {
            self.style = style
            self.strength = strength.map { $0.isFinite ? min(1, max(0, $0)) : 0 }
            self.words = words
            self.title = title
        }
    }

    /// One row.
    package struct Row: Sendable {
        let name: String
        let cells: [Cell]

        package init(_ name: String, _ cells: [Cell]) {
            self.name = name
            self.cells = cells
        }
    }

    /// Names of the columns; where they are too long they stand slanted.
    package let columns: [String]
    package let rows: [Row]
    /// What the columns are, below them; and what the rows are, above their names.
    package let columnLabel: String
    package let rowLabel: String

    package init(columns: [String], rows: [Row], columnLabel: String = "", rowLabel: String = "") {
        self.columns = columns
        self.rows = rows
        self.columnLabel = columnLabel
        self.rowLabel = rowLabel
    }

    /// Pixels that slanted names have, at most, and from one to the next, at least.
    private static let mostName = 150.0
    private static let namePitch = 14.0
    /// What a slanted name takes of its length, across and up.
    private static let slant = 0.71

    /// - Parameter cell: The greatest width and the height of a square.
    package func drawing(
        width: Double, cell: (width: Double, height: Double), label: String
    ) -> Drawing {
        let count = max(1, columns.count, rows.map(\.cells.count).max() ?? 0)
        let longest = (rows.map(\.name) + [rowLabel]).map { TextWidth.of($0) }.max() ?? 0
        let left = min(longest, width * 0.36) + 10
        let widest = columns.map { TextWidth.of($0, size: 11) }.max() ?? 0
        var pitch = min(cell.width, (width - left - 4) / Double(count))
        let isSlanted = widest > pitch - 4
        let room = min(widest + 2, Self.mostName, width * 0.25)
        if isSlanted {
            // The last name leans out over the last column.
            let rest = width - left - room * Self.slant - 10
            pitch = min(cell.width, max(1, rest / (Double(count) - 0.5)))
        }
        let step = max(1, Int((Self.namePitch / pitch).rounded(.up)))
        let gap = pitch > 8 ? 2.0 : pitch > 3 ? 0.5 : 0
        let top = columns.allSatisfy(\.isEmpty) ? 4 : isSlanted ? room * Self.slant + 18 : 22
        let bottom = top + Double(rows.count) * cell.height
        var drawing = Drawing(
            width: width, height: bottom + (columnLabel.isEmpty ? 2 : 24), label: label)
        for (index, name) in columns.enumerated()
        where !name.isEmpty && (!isSlanted || (columns.count - 1 - index).isMultiple(of: step)) {
            let x = left + (Double(index) + 0.5) * pitch
            let words = TextWidth.fitted(name, to: isSlanted ? room : pitch, size: 11)
            let content = Markup(words) + .element("title", words: name)
            var attributes: [String] = []
            if isSlanted {
                attributes = ["rotate(-45 \((x + 3).pixels) \((top - 6).pixels))", "start"]
            } else {
                attributes = ["", "middle"]
            }
            drawing.add(
                .element(
                    "text",
                    [
                        "x": (isSlanted ? x + 3 : x).pixels, "y": (top - 6).pixels,
                        "class": "small", "transform": attributes[0],
                        "text-anchor": attributes[1],
                    ], content))
        }
        if !rowLabel.isEmpty {
            drawing.text(rowLabel, x: 0, y: top - 6, style: "faint small")
        }
        for (number, row) in rows.enumerated() {
            let y = top + Double(number) * cell.height
            drawing.text(
                TextWidth.fitted(row.name, to: left - 8), x: left - 8,
                y: y + cell.height / 2 + 4, anchor: .end, full: row.name)
            for (index, cell) in row.cells.enumerated() {
                draw(cell, &drawing, left + Double(index) * pitch, y, pitch - gap, gap)
            }
        }
        if !columnLabel.isEmpty {
            // In the middle of the columns, as far as it has room there.
            let half = TextWidth.of(columnLabel, size: 11) / 2
            let middle = min(left + Double(count) * pitch / 2, width - half)
            drawing.text(
                columnLabel, x: max(half, middle), y: bottom + 17, style: "faint small",
                anchor: .middle)
        }
        return drawing

        func draw(
            _ square: Cell, _ drawing: inout Drawing, _ x: Double, _ y: Double, _ width: Double,
            _ gap: Double
        ) {
            let height = cell.height - max(gap, 1)
            drawing.box(x, y, width, height, style: "hole")
            if let strength = square.strength {
                drawing.box(
                    x, y, width, height, style: square.style, strength: strength,
                    title: square.title)
            }
            if !square.words.isEmpty, TextWidth.of(square.words, size: 11) <= width {
                drawing.text(
                    square.words, x: x + width / 2, y: y + height / 2 + 4,
                    style: square.strength ?? 0 > 0.55 ? "on small" : "small", anchor: .middle,
                    full: square.title)
            }
        }
    }

    /// What strengths mean: a bar from one end to the other.
    package static func scale(
        width: Double, style: String = "heat", from low: String, to high: String, note: String
    ) -> Drawing {
        var drawing = Drawing(width: width, height: 18, label: "")
        drawing.text(low, x: 0, y: 13, style: "faint small")
        let left = TextWidth.of(low, size: 11) + 6
        for step in 0..<12 {
            drawing.box(left + Double(step) * 9, 3, 9, 11, style: "hole")
            drawing.box(
                left + Double(step) * 9, 3, 9, 11, style: style, strength: Double(step) / 11)
        }
        let end = left + 12 * 9 + 6
        drawing.text(high, x: end, y: 13, style: "faint small")
        let rest = end + TextWidth.of(high, size: 11) + 14
        drawing.text(
            TextWidth.fitted(note, to: width - rest, size: 11), x: rest, y: 13,
            style: "faint small")
        return drawing
    }
}
