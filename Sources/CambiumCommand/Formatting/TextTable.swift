internal import Reporting

/// A table of text in aligned columns, without borders.
struct TextTable {
    /// Which way a column's cells lean.
    enum Alignment {
        case left
        case right
    }

    private let alignments: [Alignment]
    private var rows: [[String]] = []

    /// Makes an empty table.
    init(_ alignments: [Alignment]) { self.alignments = alignments }

    /// Adds a row; missing cells are empty.
    mutating func add(_ cells: [String]) { rows.append(cells) }

    /// The rows, columns two spaces apart; no space at a line's end.
    ///
    /// - Parameter indent: Spaces before every line.
    func lines(indent: Int = 0) -> [String] {
        let widths = alignments.indices.map { column in
            rows.map { column < $0.count ? Self.width($0[column]) : 0 }.max() ?? 0
        }
        return rows.map { row in
            var line = String(repeating: " ", count: indent)
            for (column, alignment) in alignments.enumerated() {
                let cell = column < row.count ? row[column] : ""
                let padding = String(repeating: " ", count: widths[column] - Self.width(cell))
                line += alignment == .left ? cell + padding : padding + cell
                if column + 1 < alignments.count { line += "  " }
            }
            while line.last == " " { line.removeLast() }
            return line
        }
    }

    /// Cells of a terminal that a text takes; colour codes take none.
    static func width(_ cell: String) -> Int {
        var visible = String.UnicodeScalarView()
        let scalars = cell.unicodeScalars
        var index = scalars.startIndex
        while index < scalars.endIndex {
            let next = scalars.index(after: index)
            if scalars[index] == Style.mark, let end = Style.endOfCode(in: scalars, from: next) {
                index = end
            } else {
                visible.append(scalars[index])
                index = next
            }
        }
        return VisibleText.of(String(visible)).cells
    }
}
