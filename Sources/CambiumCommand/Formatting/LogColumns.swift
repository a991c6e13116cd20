internal import Cambium
internal import Reporting

/// Figures at the right of a history's lines: how the loss went, and the metrics that most commits have.
///
/// Only on a terminal with room for them; elsewhere lines are as they are.
struct LogColumns {
    private static let curveWidth = 8
    /// Columns that words have in any case.
    private static let leastWords = 44
    /// Letters of a metric's name that are shown, on a terminal of less than 100 columns and on others.
    private static let letters = (few: 11, many: 18)

    private let metrics: [String]
    /// What they are called above the numbers: the beginning and the end of a name that is long.
    private let names: [String]
    private let widths: [Int]
    private let values: [String: [String: Double]]
    private let curves: [String: [Double]]
    private let columns: Int

    /// Chooses what is shown.
    init(_ commits: [CommitInfo], _ curves: [String: [Double]], _ style: Style) {
        columns = style.columns ?? 0
        self.curves = style.isUnicode ? curves : [:]
        values = Dictionary(
            commits.map { commit in
                (commit.id, commit.notes.reduce(commit.metrics) { $0.merging($1.metrics) { $1 } })
            }, uniquingKeysWith: { first, _ in first })
        let counts = Dictionary(
            values.values.flatMap(\.keys).filter { !Self.amounts.contains($0) }.map { ($0, 1) },
            uniquingKeysWith: +)
        var rest = columns - Self.leastWords - (self.curves.isEmpty ? 0 : Self.curveWidth + 2)
        var chosen: [String] = []
        for (name, _) in counts.sorted(by: { ($1.value, $0.key) < ($0.value, $1.key) }).prefix(3) {
            rest -= max(8, Self.shortened(name, columns).cells) + 2
            guard rest >= 0 else { break }
            chosen.append(name)
        }
        metrics = chosen.sorted()
        names = metrics.map { [columns] in Self.shortened($0, columns) }
        widths = names.map { max(8, $0.cells) }
    }

    /// Metrics that tell how much was done, not how well.
    private static let amounts: Set<String> = ["train.steps", "train.tokens", "train.seconds"]

    private var width: Int {
        (curves.isEmpty ? 0 : Self.curveWidth + 2) + widths.reduce(0) { $0 + $1 + 2 }
    }

    private var isShown: Bool { width > 0 && columns - width >= Self.leastWords }

    /// The names of the columns.
    func heading(_ style: Style) -> [String] {
        guard isShown else { return [] }
        let names = zip(names, widths).map { "  " + Self.padded($0, $1) }.joined()
        let curve =
            curves.isEmpty ? "" : "  loss" + String(repeating: " ", count: Self.curveWidth - 4)
        return [String(repeating: " ", count: columns - width) + style.faint(curve + names)]
    }

    /// A commit's line.
    ///
    /// - Parameter start: What comes before the subject.
    func line(
        _ start: String, _ subject: String, age: String, of commit: String, _ style: Style
    ) -> String {
        let whole = start + (subject.isEmpty ? "" : " " + subject) + style.faint(age)
        guard isShown else { return whole }
        let room = columns - width
        var words = whole
        if TextTable.width(words) > room {
            let left = room - TextTable.width(start) - 1
            guard left >= 8 else { return whole }
            // As wide as it is shown: what steers a terminal is spelled out.
            let shown = VisibleText.of(subject)
            words = start + " " + shown.fitted(cells: left)
        }
        let gap = String(repeating: " ", count: room - TextTable.width(words))
        let own = values[commit] ?? [:]
        let numbers = zip(metrics, widths).map { name, width in
            "  " + Self.padded(own[name].map(Quantity.recorded) ?? "", width)
        }.joined()
        var curve = ""
        if !curves.isEmpty {
            let drawn = TextPicture.course(
                curves[commit] ?? [], width: Self.curveWidth, isUnicode: style.isUnicode)
            let rest = String(repeating: " ", count: Self.curveWidth - drawn.count)
            curve = "  " + style.name(drawn) + rest
        }
        var line = words + gap + curve + numbers
        while line.last == " " { line.removeLast() }
        return line
    }

    private static func padded(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(0, width - text.cells)) + text
    }

    /// A name as it is printed: its measure is at its end.
    private static func shortened(_ name: String, _ columns: Int) -> String {
        let shown = VisibleText.of(name)
        let room = columns < 100 ? letters.few : letters.many
        guard shown.cells > room else { return shown }
        let end = shown.suffix(4)
        return shown.fitted(cells: room - end.cells) + end
    }
}
