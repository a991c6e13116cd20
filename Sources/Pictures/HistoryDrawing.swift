/// A history as lines that part and meet, with a row of words for each commit.
package struct HistoryDrawing: Sendable {
    /// One commit.
    package struct Row: Sendable {
        package let id: String
        package let parents: [String]
        /// Branches and tags.
        package let names: [String]
        package let subject: String
        /// Further words, in columns from the right.
        package let columns: [String]
        /// What a reader sees who points at it.
        package let title: String

        package init(
            id: String, parents: [String], names: [String], subject: String, columns: [String],
            title: String
        ) {
            self.id = id
            self.parents = parents
            self.names = names
            self.subject = subject
            self.columns = columns
            self.title = title
        }
    }

    private static let pitch = 26.0
    /// Pixels that all lines have, at most, and of a narrow picture's width.
    private static let mostWidth = 300.0
    private static let mostShare = 0.35

    private let rows: [Row]
    private let headings: [String]
    /// Of each commit, its line's column.
    private let places: [Int]
    /// Strokes of lines, by the row that they begin in.
    private let strokes: [[Stroke]]
    private let laneCount: Int
    private var linesWidth = mostWidth

    /// A line from one row and column to another: straight down, or to the next row.
    private struct Stroke: Sendable {
        let from: Int
        let to: Int
        let first: Int
        let last: Int
    }

    /// - Parameters:
    ///   - rows: Each before its parents.
    ///   - headings: Of the columns.
    package init(_ rows: [Row], headings: [String]) {
        var lanes = Lanes(rows.map(\.id))
        var places: [Int] = []
        var strokes = [[Stroke]](repeating: [], count: rows.count + 1)
        // Of each column, the row from which its line goes straight down.
        var begun: [Int?] = []
        func end(_ column: Int, at row: Int) {
            guard column < begun.count, let first = begun[column] else { return }
            if first < row {
                strokes[first].append(Stroke(from: column, to: column, first: first, last: row))
            }
            begun[column] = nil
        }
        func begin(_ column: Int, at row: Int) {
            while begun.count <= column { begun.append(nil) }
            if begun[column] == nil { begun[column] = row }
        }
        for (index, row) in rows.enumerated() {
            let column = lanes.place(row.id)
            places.append(column)
            end(column, at: index)
            let ends = lanes.connect(column, parents: row.parents)
            for lane in ends.columns.sorted() {
                let isJoining = lane == ends.joining
                if isJoining { end(lane, at: index) }
                strokes[index].append(
                    Stroke(
                        from: isJoining ? lane : column, to: isJoining ? column : lane,
                        first: index, last: index + 1))
                if !isJoining { begin(lane, at: index + 1) }
            }
            let taken = lanes.taken
            if column < taken.count, taken[column] { begin(column, at: index) }
        }
        self.rows = rows
        self.headings = headings
        self.places = places
        self.strokes = strokes
        laneCount = max(1, begun.count, (places.max() ?? 0) + 1)
    }

    private func x(_ column: Int) -> Double {
        let gap = min(18, linesWidth / Double(laneCount))
        return 9 + Double(column) * gap
    }

    /// Where words begin.
    private var wordsStart: Double { x(laneCount - 1) + 18 }

    /// The rows in pictures of some rows each, so that a page need not draw all of them at once.
    ///
    /// - Parameters:
    ///   - rows: In each picture.
    ///   - isNarrow: Whether words are left to subjects and names.
    package func drawings(
        width: Double, rows count: Int, isNarrow: Bool, label: String
    ) -> [Drawing] {
        var sized = self
        sized.linesWidth = min(Self.mostWidth, width * Self.mostShare)
        return sized.parts(width: width, rows: count, isNarrow: isNarrow, label: label)
    }

    private func parts(
        width: Double, rows count: Int, isNarrow: Bool, label: String
    ) -> [Drawing] {
        let shown = isNarrow ? [] : headings
        let ends = columnEnds(width, shown.count)
        var open: [Stroke] = []
        return stride(from: 0, to: max(1, rows.count), by: count).map { start in
            let range = start..<min(start + count, rows.count)
            let top = start == 0 && !shown.isEmpty ? 22.0 : 0
            var drawing = Drawing(
                width: width, height: top + Double(range.count) * Self.pitch, label: label)
            if start == 0 {
                for (heading, end) in zip(shown, ends.dropFirst()) {
                    drawing.text(heading, x: end, y: 12, style: "faint small", anchor: .end)
                }
            }
            func y(_ row: Int) -> Double { top + (Double(row - start) + 0.5) * Self.pitch }
            open += range.flatMap { strokes[$0] }
            draw(open, in: range, y, &drawing)
            open.removeAll { $0.last < range.upperBound }
            for index in range {
                draw(index, y(index), ends, width, isNarrow: isNarrow, &drawing)
            }
            return drawing
        }
    }

    /// Where each of the further columns ends: they are as wide as their widest words.
    private func columnEnds(_ width: Double, _ count: Int) -> [Double] {
        var end = width - 2
        var ends: [Double] = []
        for column in (0..<count).reversed() {
            ends.insert(end, at: 0)
            let words = rows.prefix(2_000).map { $0.columns[column] } + [headings[column]]
            end -= min(240, words.map { TextWidth.of($0, size: 11) }.max() ?? 0) + 18
        }
        return [end] + ends
    }

    /// Draws lines as far as they are in some rows, those of one colour together.
    private func draw(
        _ strokes: [Stroke], in range: Range<Int>, _ y: (Int) -> Double, _ drawing: inout Drawing
    ) {
        let (top, bottom) = (
            y(range.lowerBound) - Self.pitch / 2, y(range.upperBound) - Self.pitch / 2
        )
        var paths = [String](repeating: "", count: Palette.count)
        for stroke in strokes {
            let (left, right) = (x(stroke.from), x(stroke.to))
            let colour = max(stroke.from, stroke.to) % Palette.count
            if stroke.from == stroke.to {
                let (from, to) = (max(y(stroke.first), top), min(y(stroke.last), bottom))
                if from < to { paths[colour] += "M\(left.pixels) \(from.pixels)V\(to.pixels)" }
            } else {
                let (from, to) = (y(stroke.first), y(stroke.last))
                let middle = (from + to) / 2
                paths[colour] +=
                    "M\(left.pixels) \(from.pixels)C\(left.pixels) \(middle.pixels) "
                    + "\(right.pixels) \(middle.pixels) \(right.pixels) \(to.pixels)"
            }
        }
        for (colour, path) in paths.enumerated() where !path.isEmpty {
            drawing.add(.shape("path", ["d": path, "class": "edge " + Palette.stroke(colour)]))
        }
    }

    private func draw(
        _ index: Int, _ y: Double, _ ends: [Double], _ width: Double, isNarrow: Bool,
        _ drawing: inout Drawing
    ) {
        let row = rows[index]
        drawing.add(
            .element(
                "circle",
                [
                    "cx": x(places[index]).pixels, "cy": y.pixels,
                    "r": row.parents.count > 1 ? "5.5" : "4.5",
                    "class": "dot " + Palette.fill(places[index]),
                ], .element("title", words: row.title)))
        var left = wordsStart
        let right = isNarrow ? width : ends[0]
        if !isNarrow {
            drawing.text(String(row.id.prefix(8)), x: left, y: y + 4, style: "mono faint")
            left += 66
        }
        for name in row.names {
            let words = TextWidth.fitted(name, to: min(180, max(0, right - left - 60)), size: 11)
            let room = TextWidth.of(words, size: 11.5) + 12
            guard left + room + 40 < right else { break }
            drawing.add(
                .shape(
                    "rect",
                    [
                        "x": left.pixels, "y": (y - 9).pixels, "width": room.pixels,
                        "height": "18", "rx": "5", "class": "plate",
                    ]))
            drawing.text(
                words, x: left + room / 2, y: y + 4, style: "name", anchor: .middle, full: name)
            left += room + 6
        }
        drawing.text(
            TextWidth.fitted(row.subject, to: right - left), x: left, y: y + 4, full: row.title)
        guard !isNarrow else { return }
        for (words, end) in zip(row.columns, ends.dropFirst()) {
            drawing.text(
                TextWidth.fitted(words, to: 240, size: 11), x: end, y: y + 4, style: "faint small",
                anchor: .end)
        }
    }
}
