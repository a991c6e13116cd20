/// Gives each line of a history a column: a line keeps its column until it ends.
///
/// Commits come before their parents. The same history has the same columns, however often it is drawn.
package struct Lanes: Sendable {
    /// Where lines go from a commit.
    package struct Ends: Sendable {
        /// Columns beside the commit's own: of its parents, and of a line that joins it.
        package var columns: Set<Int> = []
        /// Of them, one whose line ends here and goes on in the commit's column.
        package var joining: Int?
    }

    /// Commits that still will come.
    ///
    /// A parent that will not come ends its line.
    private var listed: Set<String>
    private var lanes: [String?] = []
    /// The column of each commit that a line leads to.
    private var columns: [String: Int] = [:]
    /// Columns below this one are taken.
    private var firstFree = 0

    /// Starts a picture of the commits with these ids.
    package init(_ commits: some Sequence<String>) { listed = Set(commits) }

    /// Whether a line is in each column.
    package var taken: [Bool] { lanes.map { $0 != nil } }

    /// Gives the next commit its column.
    package mutating func place(_ id: String) -> Int {
        while let last = lanes.last, last == nil { lanes.removeLast() }
        firstFree = min(firstFree, lanes.count)
        listed.remove(id)
        let column = columns[id] ?? freeColumn(from: 0)
        occupy(column, id)
        return column
    }

    /// Points lines at the parents of the commit that was placed in a column.
    package mutating func connect(_ column: Int, parents: [String]) -> Ends {
        free(column)
        var ends = Ends()
        for (number, parent) in parents.enumerated() where listed.contains(parent) {
            if let lane = columns[parent] {
                guard lane != column else { continue }
                // The line moves to the left of the two columns.
                if number == 0, lane > column {
                    free(lane)
                    occupy(column, parent)
                    ends.joining = lane
                }
                ends.columns.insert(lane)
            } else if lanes[column] == nil {
                occupy(column, parent)
            } else {
                let lane = freeColumn(from: column + 1, avoiding: ends.columns)
                occupy(lane, parent)
                ends.columns.insert(lane)
            }
        }
        return ends
    }

    /// The first free column; a new one when there is none.
    private mutating func freeColumn(from start: Int, avoiding taken: Set<Int> = []) -> Int {
        var column = max(start, firstFree)
        while column < lanes.count, lanes[column] != nil || taken.contains(column) { column += 1 }
        if start <= firstFree, taken.isEmpty { firstFree = column }
        return column
    }

    private mutating func free(_ column: Int) {
        if let id = lanes[column] { columns[id] = nil }
        lanes[column] = nil
        firstFree = min(firstFree, column)
    }

    private mutating func occupy(_ column: Int, _ id: String) {
        while lanes.count <= column { lanes.append(nil) }
        lanes[column] = id
        columns[id] = column
    }
}
