internal import Cambium
internal import Reporting

/// A history for a person.
struct LogReport {
    /// How much of each commit is shown.
    enum Form {
        /// Three lines or more.
        case full
        /// One line.
        case line
        /// One line beside the graph.
        case graph
    }

    private let commits: [CommitInfo]
    private let branch: String?
    private let form: Form
    private let now: Int64
    /// How the loss went in rounds, by commit.
    private let curves: [String: [Double]]

    /// Takes commits, each before its parents, and the branch that HEAD is on.
    init(
        _ commits: [CommitInfo], branch: String?, form: Form, now: Int64,
        curves: [String: [Double]] = [:]
    ) {
        self.curves = curves
        self.commits = commits
        self.branch = branch
        self.form = form
        self.now = now
    }

    /// The lines of all commits.
    func lines(_ style: Style) -> [String] {
        switch form {
        case .full: return commits.flatMap { full($0, style) }
        case .line: return commits.map { subject($0, style) }
        case .graph:
            var graph = LogGraph(commits.map(\.id), isUnicode: style.isUnicode)
            let columns = LogColumns(commits, curves, style)
            return columns.heading(style)
                + commits.flatMap { commit in
                    let rows = graph.add(commit.id, parents: commit.parents)
                    let age = "  " + Timestamp.relative(commit.time, now: now)
                    let head = "\(rows.commit) "
                    let names = commit.decoration(style, branch: branch)
                    let id = style.id(commit.id.short)
                    let start = head + (names.isEmpty ? id : id + " " + names)
                    return [
                        columns.line(
                            start, commit.message.firstLine, age: age, of: commit.id, style)
                    ] + rows.after
                }
        }
    }

    private func subject(_ commit: CommitInfo, _ style: Style) -> String {
        let names = commit.decoration(style, branch: branch)
        return [style.id(commit.id.short), names, commit.message.firstLine]
            .filter { !$0.isEmpty }.joined(separator: " ")
    }

    private func full(_ commit: CommitInfo, _ style: Style) -> [String] {
        let indent = String(repeating: " ", count: 13)
        let rest = commit.message.split(separator: "\n", omittingEmptySubsequences: false)
            .dropFirst()
        var lines = [subject(commit, style)] + rest.map { indent + $0 }
        lines.append(
            indent + style.faint(Timestamp.full(commit.time, now: now) + " by \(commit.author)"))
        let metrics = commit.metrics.sorted { $0.key < $1.key }.map {
            "\($0.key) \(Quantity.recorded($0.value))"
        }
        if !metrics.isEmpty { lines.append(indent + metrics.joined(separator: ", ")) }
        for note in commit.notes where note.isTold {
            let when = Timestamp.relative(note.time, now: now)
            for (index, text) in note.body.enumerated() {
                let source = index == 0 ? style.faint("  noted \(when) by \(note.author)") : ""
                lines.append(indent + text + source)
            }
        }
        return lines
    }
}

extension CommitInfo {
    /// Where branches and tags are, as in git: `(HEAD -> main, swahili, tag: v1)`.
    func decoration(_ style: Style, branch: String?) -> String {
        let names = references.sorted { first, second in first == branch && second != branch }
        guard !names.isEmpty else { return "" }
        let marked = names.map { $0 == branch ? "HEAD -> \($0)" : $0 }
        return style.name("(" + marked.joined(separator: ", ") + ")")
    }
}

/// One commit as JSON.
struct CommitEntry: Report {
    let commit: CommitInfo

    func encode(to encoder: any Encoder) throws { try commit.encode(to: encoder) }

    func lines(_ style: Style) -> [String] { [commit.id] }
}
