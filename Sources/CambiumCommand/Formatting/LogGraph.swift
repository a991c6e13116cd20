/// Draws a history as lanes: one row per commit, and a row of connections where lines part or meet.
///
/// A lane keeps its column until it ends, so every connection starts at the commit above it and
/// fits in one row, however many parents it has. Commits must come before their parents.
struct LogGraph {
    /// What one commit adds to the picture.
    struct Rows: Equatable {
        /// The row with the commit's `*`.
        let commit: String
        /// Rows between this commit and the next; one, or none.
        let after: [String]
    }

    private let isUnicode: Bool
    /// Commits that still will come.
    ///
    /// A parent that will not come ends its lane.
    private var listed: Set<String>
    /// The commit that each column leads to; nil for a free one.
    private var lanes: [String?] = []

    /// Starts a picture.
    ///
    /// - Parameters:
    ///   - commits: The ids of all commits that will be added.
    ///   - isUnicode: Whether to draw with box characters instead of ASCII.
    init(_ commits: some Sequence<String>, isUnicode: Bool) {
        self.isUnicode = isUnicode
        listed = Set(commits)
    }

    /// Adds the next commit.
    mutating func add(_ id: String, parents: [String]) -> Rows {
        let column = lanes.firstIndex(of: id) ?? freeColumn(from: 0)
        occupy(column, id)
        let commit = row { $0 == column ? "*" : lanes[$0] == nil ? " " : bar }
        listed.remove(id)
        return Rows(commit: commit, after: connect(column, parents))
    }

    /// Points lanes at the parents of the commit in `column`.
    ///
    /// - Returns: The row of connections, if there are any.
    private mutating func connect(_ column: Int, _ parents: [String]) -> [String] {
        let before = lanes
        lanes[column] = nil
        var ends: Set<Int> = []
        for (number, parent) in parents.enumerated() where listed.contains(parent) {
            if let lane = lanes.firstIndex(of: parent) {
                guard lane != column else { continue }
                // The line moves to the left of the two columns.
                if number == 0, lane > column {
                    lanes[lane] = nil
                    lanes[column] = parent
                }
                ends.insert(lane)
            } else if lanes[column] == nil {
                lanes[column] = parent
            } else {
                let lane = freeColumn(from: column + 1, avoiding: ends)
                occupy(lane, parent)
                ends.insert(lane)
            }
        }
        let rows = connections(column, ends, before)
        while let last = lanes.last, last == nil { lanes.removeLast() }
        return rows
    }

    /// Draws lines from the commit in `column` to the columns `ends`, crossing what lies between.
    private func connections(_ column: Int, _ ends: Set<Int>, _ before: [String?]) -> [String] {
        guard let first = ends.min(), let last = ends.max() else { return [] }
        let span = min(first, column)...max(last, column)
        let line = row { lane in
            let cell = Cell(
                up: lane == column || (lane < before.count && before[lane] != nil),
                down: lanes[lane] != nil,
                left: span.contains(lane) && lane > span.lowerBound,
                right: span.contains(lane) && lane < span.upperBound)
            let isPassed = lane != column && !ends.contains(lane)
            return isPassed && cell.up ? bar : cell.glyph(isUnicode)
        } gap: { lane in
            span.contains(lane) && lane < span.upperBound ? dash : " "
        }
        return [line]
    }

    private var bar: Character { isUnicode ? "│" : "|" }
    private var dash: Character { isUnicode ? "─" : "-" }

    /// The first free column; a new one when there is none.
    private func freeColumn(from start: Int, avoiding taken: Set<Int> = []) -> Int {
        var column = start
        while column < lanes.count, lanes[column] != nil || taken.contains(column) { column += 1 }
        return column
    }

    private mutating func occupy(_ column: Int, _ id: String) {
        while lanes.count <= column { lanes.append(nil) }
        lanes[column] = id
    }

    /// One line: a glyph per column with a gap after each, no space at the end.
    private func row(
        _ glyph: (Int) -> Character, gap: (Int) -> Character = { _ in " " }
    ) -> String {
        var line = ""
        for column in lanes.indices {
            line.append(glyph(column))
            line.append(gap(column))
        }
        while line.last == " " { line.removeLast() }
        return line
    }
}

/// Where lines leave one place of a row of connections.
private struct Cell {
    let up: Bool
    let down: Bool
    let left: Bool
    let right: Bool

    func glyph(_ isUnicode: Bool) -> Character {
        switch (up, down, left, right) {
        case (true, true, true, true): isUnicode ? "┼" : "+"
        case (true, true, true, false): isUnicode ? "┤" : "|"
        case (true, true, false, true): isUnicode ? "├" : "|"
        case (true, false, true, true): isUnicode ? "┴" : "'"
        case (false, true, true, true): isUnicode ? "┬" : "."
        case (true, false, true, false): isUnicode ? "╯" : "/"
        case (true, false, false, true): isUnicode ? "╰" : "\\"
        case (false, true, true, false): isUnicode ? "╮" : "\\"
        case (false, true, false, true): isUnicode ? "╭" : "/"
        case (_, _, true, true): isUnicode ? "─" : "-"
        case (true, _, _, _), (_, true, _, _): isUnicode ? "│" : "|"
        default: " "
        }
    }
}
