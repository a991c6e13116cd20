/// What a command found or did: lines for a person, an object for a program.
///
/// A report is made from the façade's results alone, so that its text can be tested without a
/// terminal.
protocol Report: Encodable {
    /// The report for a person.
    func lines(_ style: Style) -> [String]
    /// The report under `--quiet`: what a script would cut out.
    func quietLines() -> [String]
    /// What the command did that stays done when nobody can read the report; nil when it only looked.
    var made: String? { get }
}

extension Report {
    func quietLines() -> [String] { lines(.plain) }
    var made: String? { nil }
}

extension String {
    /// The first digits of an id; enough to name a commit in a very large store.
    var short: String { String(prefix(12)) }

    /// The text up to its first line break.
    var firstLine: String { String(prefix { !$0.isNewline }) }
}
