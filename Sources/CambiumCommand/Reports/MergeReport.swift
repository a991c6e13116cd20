internal import Cambium

/// What a merge or a revert did, or would do.
struct MergeReport: Report {
    /// Conflicts of a group that are listed by number.
    static let listed = 20

    /// What was asked for.
    enum Verb {
        case merge
        case revert
    }

    let result: MergeResult
    let verb: Verb
    /// What was merged or undone, in the user's words.
    let what: String
    let isDryRun: Bool

    enum CodingKeys: String, CodingKey { case dryRun }

    func encode(to encoder: any Encoder) throws {
        try result.encode(to: encoder)
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(isDryRun, forKey: .dryRun)
    }

    /// Whether conflicts were left.
    var isConflict: Bool { !result.conflicts.isEmpty }

    func lines(_ style: Style) -> [String] {
        var table = TextTable([.left, .left])
        if result.kind == "up-to-date" { return [headline(style)] }
        if let tree = result.tree { table.add(["tree", tree.short]) }
        if !result.bases.isEmpty {
            table.add(["base", result.bases.map(\.short).joined(separator: ", ")])
        }
        if result.resolved > 0 {
            table.add([
                "settled",
                "\(Quantity.count(result.resolved, "conflict")) by policy \(result.policy)",
            ])
        }
        return [headline(style)] + table.lines(indent: 2) + conflictLines(style)
    }

    func quietLines() -> [String] {
        isConflict ? result.conflicts.map(\.entity) : [result.commit ?? result.tree ?? ""]
    }

    private func headline(_ style: Style) -> String {
        let branch = style.name(result.branch)
        let end = result.commit.map { ": " + style.id($0.short) } ?? ""
        let place = verb == .merge ? "into \(branch)" : "on \(branch)"
        switch (result.kind, verb) {
        case ("up-to-date", .merge): return "\(branch) has \(what) already; nothing to do"
        case ("up-to-date", .revert): return "\(branch) has nothing of \(what) left to undo"
        case ("fast-forward", _):
            return "\(isDryRun ? "would move" : "moved") \(branch) forward to \(what)\(end)"
        case ("conflicts", _):
            let count = style.bad(Quantity.count(result.conflicts.count, "conflict"))
            return "\(verb == .merge ? "merging" : "reverting") \(what) \(place): \(count)"
        case (_, .merge):
            return "\(isDryRun ? "would merge" : "merged") \(what) \(place)\(end)"
        case (_, .revert): return "reverted \(what) \(place)\(end)"
        }
    }

    private func conflictLines(_ style: Style) -> [String] {
        var groups: [(name: String, items: [String])] = []
        var places: [String: Int] = [:]
        for conflict in result.conflicts {
            let (name, item) = Self.split(conflict.entity)
            if let place = places[name] {
                groups[place].items.append(item)
            } else {
                places[name] = groups.count
                groups.append((name, [item]))
            }
        }
        return groups.flatMap { name, items in
            guard items != [""] else { return ["  \(name)"] }
            let hidden = items.count - Self.listed
            let more =
                hidden > 0 ? ["and \(Quantity.count(hidden)) more; --json lists all"] : []
            let shown = items.prefix(Self.listed)
            let isNumbered = shown.allSatisfy { Int($0) != nil }
            let lines = isNumbered ? [shown.joined(separator: " ")] + more : shown + more
            return ["  \(name): \(Quantity.count(items.count))"] + lines.map { "    " + $0 }
        }
    }

    /// The group that a conflict belongs to, and its name there: `expert 1/base/17` is `17` of
    /// `expert 1/base`, `router row 1/base/keys[3]` is `3`, `trunk lm_head.weight` its name.
    static func split(_ entity: String) -> (name: String, item: String) {
        if entity.hasSuffix("]"), let bracket = entity.lastIndex(of: "[") {
            let item = entity[entity.index(after: bracket)...].dropLast()
            return (String(entity[..<bracket]), String(item))
        }
        if entity.hasPrefix("expert "), let slash = entity.lastIndex(of: "/") {
            return (String(entity[..<slash]), String(entity[entity.index(after: slash)...]))
        }
        for kind in ["trunk", "file", "cohort"] where entity.hasPrefix(kind + " ") {
            return (kind, String(entity.dropFirst(kind.count + 1)))
        }
        return (entity, "")
    }
}

extension Console {
    /// Shows a merge; conflicts end the command with status 3.
    func show(_ report: MergeReport, hint: String) throws {
        show(report, paged: false)
        guard report.isConflict else { return }
        let count = Quantity.count(report.result.conflicts.count, "conflict")
        throw Failure(.conflict, "\(count); nothing was written", hint: hint)
    }
}
