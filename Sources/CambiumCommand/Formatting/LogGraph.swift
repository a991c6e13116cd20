internal import Pictures

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
    private var lanes: Lanes

    /// Starts a picture.
    ///
    /// - Parameters:
    ///   - commits: The ids of all commits that will be added.
    ///   - isUnicode: Whether to draw with box characters instead of ASCII.
    init(_ commits: some Sequence<String>, isUnicode: Bool) {
        self.isUnicode = isUnicode
        lanes = Lanes(commits)
    }

    /// Adds the next commit.
    mutating func add(_ id: String, parents: [String]) -> Rows {
        let column = lanes.place(id)
        let before = lanes.taken
        let commit = row(before.count) { lane in lane == column ? "*" : before[lane] ? bar : " " }
        let ends = lanes.connect(column, parents: parents).columns
        return Rows(commit: commit, after: connections(column, ends, before))
    }

    /// Draws lines from the commit in `column` to the columns `ends`, crossing what lies between.
    private func connections(_ column: Int, _ ends: Set<Int>, _ before: [Bool]) -> [String] {
        guard let first = ends.min(), let last = ends.max() else { return [] }
        let span = min(first, column)...max(last, column)
        let after = lanes.taken
        let line = row(after.count) { lane in
            let cell = Cell(
                up: lane == column || (lane < before.count && before[lane]),
                down: after[lane],
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

    /// One line: a glyph per column with a gap after each, no space at the end.
    private func row(
        _ columns: Int, _ glyph: (Int) -> Character, gap: (Int) -> Character = { _ in " " }
    ) -> String {
        var line = ""
        for column in 0..<columns {
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
