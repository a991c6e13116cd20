internal import Cambium
internal import Reporting

/// All branches, or all tags.
struct ReferencesReport: Report {
    /// "branch", "tag" or "remote branch".
    let kind: String
    let entries: [ReferenceInfo]
    /// The branch that HEAD is on, which may have no commits.
    let current: String?
    /// Now, when the time of each is to be shown.
    var now: Int64?

    enum CodingKeys: String, CodingKey {
        case entries
        case current = "head"
    }

    func lines(_ style: Style) -> [String] {
        if entries.isEmpty {
            let reason = current.map { ": \($0) has no commit" } ?? ""
            return [style.faint("no \(kind == "tag" ? "tags" : kind + "es") yet\(reason)")]
        }
        let width = entries.map(\.name.count).max() ?? 0
        return entries.map { entry in
            let mark = kind == "tag" ? "" : entry.isHead ? "* " : "  "
            let padding = String(repeating: " ", count: width - entry.name.count)
            let name = entry.isHead ? style.good(entry.name) : entry.name
            return "\(mark)\(name)\(padding)  \(style.id(entry.id.short))  "
                + (now.map { details(of: entry, $0, style) } ?? "") + entry.subject
        }
    }

    private func details(of entry: ReferenceInfo, _ now: Int64, _ style: Style) -> String {
        let counts = [(entry.ahead ?? 0, "ahead"), (entry.behind ?? 0, "behind")]
            .filter { $0.0 > 0 }.map { "\($0.1) \($0.0)" }
        let distance = counts.isEmpty ? "" : "[\(counts.joined(separator: ", "))] "
        return style.faint("\(Timestamp.relative(entry.time, now: now)) by \(entry.author)  ")
            + distance
    }

    func quietLines() -> [String] { entries.map(\.name) }
}

/// What happened to one branch or tag.
struct ReferenceReport: Report {
    /// What happened.
    enum Action: String, Encodable {
        case made
        case removed
        case renamed
    }

    /// "branch" or "tag".
    let kind: String
    let name: String
    /// Where it is, or was.
    let id: String?
    let action: Action
    /// The name before, of what was renamed.
    var old: String?

    func lines(_ style: Style) -> [String] {
        let place = id.map { style.id($0.short) } ?? "nowhere"
        switch action {
        case .made:
            let next = kind == "branch" ? "; `cambium switch \(name)` goes there" : ""
            return ["made \(kind) \(style.name(name)) at \(place)" + style.faint(next)]
        case .removed:
            let undo = id.map { "; `cambium \(kind) \(name) \($0.short)` brings it back" } ?? ""
            return [
                "removed \(kind) \(style.name(name)), which was at \(place)" + style.faint(undo)
            ]
        case .renamed:
            return ["renamed \(kind) \(old ?? "") to \(style.name(name)), which is at \(place)"]
        }
    }

    func quietLines() -> [String] { id.map { [$0] } ?? [] }
}
