internal import Cambium
internal import Pages
internal import Reporting

/// A figure's numbers.
struct FigureReport: Report {
    let figure: Figure

    enum CodingKeys: String, CodingKey { case figure, data }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(figure.name.rawValue, forKey: .figure)
        try container.encode(figure.data, forKey: .data)
    }

    func lines(_ style: Style) -> [String] {
        if let missing = figure.missing {
            return [missing.words] + (missing.command.map { ["recorded by: \($0)"] } ?? [])
        }
        let rows = figure.table.rows
        let isNumber = figure.table.columns.indices.map { column in
            rows.contains { column < $0.count && $0[column].isNumber }
        }
        var table = TextTable(isNumber.map { $0 ? .right : .left })
        table.add(figure.table.columns)
        for row in rows { table.add(row.map { Self.shown($0.shown) }) }
        return table.lines()
    }

    func quietLines() -> [String] {
        figure.table.rows.map { $0.map(\.plain).joined(separator: "\t") }
    }

    /// Letters of a name or a subject, at most: `--csv` and `--json` have all.
    private static let mostLetters = 60

    /// Ids are cut short, as everywhere, and so is what is long.
    private static func shown(_ words: String) -> String {
        if words.count == 64 && words.allSatisfy(\.isHexDigit) { return words.short }
        let line = words.firstLine
        return line.count > mostLetters ? line.prefix(mostLetters - 1) + "…" : line
    }
}

/// All figures, as JSON alone.
struct FiguresReport: Report {
    let figures: [Figure]

    enum CodingKeys: String, CodingKey { case figures }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(figures.map { FigureReport(figure: $0) }, forKey: .figures)
    }

    func lines(_ style: Style) -> [String] { [] }
}

/// A picture that was written.
struct PictureReport: Report {
    let file: String
    let what: String

    enum CodingKeys: String, CodingKey { case file }

    func lines(_ style: Style) -> [String] { ["\(what) is in \(file)"] }

    func quietLines() -> [String] { [file] }

    var made: String? { "\(file) was written" }
}
