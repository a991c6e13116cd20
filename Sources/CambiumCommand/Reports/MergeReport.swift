internal import Cambium
internal import Reporting

/// What a merge or a revert did, or would do.
struct MergeReport: Report {
    /// Conflicts that are listed.
    static let listed = 20
    /// Settled ones that are listed.
    static let settled = 5

    /// What was asked for.
    enum Verb {
        case merge
        case revert
        case resolve
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
        if result.kind == .upToDate { return [headline(style)] }
        if isDryRun, let tree = result.tree {
            table.add(["model", "would have the id \(tree.short)"])
        }
        if !result.bases.isEmpty {
            table.add(["base", result.bases.map(\.short).joined(separator: ", ")])
        }
        for line in settledLines { table.add(line) }
        return [headline(style)] + table.lines(indent: 2) + conflictLines(style)
            + (result.notes ?? []).map { "note: \($0)" }
    }

    var made: String? {
        result.commit.map { "the merge was made: \($0) on \(result.branch)" }
    }

    func quietLines() -> [String] {
        isConflict ? result.conflicts.map(\.path) : [result.commit ?? result.tree ?? ""]
    }

    private func headline(_ style: Style) -> String {
        let branch = style.name(result.branch)
        let end = result.commit.map { ": " + style.id($0.short) } ?? ""
        let place = verb == .merge ? "into \(branch)" : "on \(branch)"
        switch (result.kind, verb) {
        case (.upToDate, .merge): return "\(branch) has \(what) already; nothing to do"
        case (.upToDate, .revert): return "\(branch) has nothing of \(what) left to undo"
        case (.upToDate, .resolve): return "\(branch) has \(what) alone already; nothing to do"
        case (.fastForward, _):
            return "\(isDryRun ? "would move" : "moved") \(branch) forward to \(what)\(end)"
        case (.conflicts, _):
            let count = style.bad(Quantity.count(result.conflicts.count, "conflict"))
            let doing =
                switch verb {
                case .merge: "merging"
                case .revert: "reverting"
                case .resolve: "resolving"
                }
            return "\(doing) \(what) \(place): \(count)"
        case (_, .merge):
            return "\(isDryRun ? "would merge" : "merged") \(what) \(place)\(end)"
        case (_, .revert): return "reverted \(what) \(place)\(end)"
        case (_, .resolve): return "resolved the alternatives \(place) to \(what)\(end)"
        }
    }

    /// What was settled: how many in which way, and the first of each.
    private var settledLines: [[String]] {
        var ways: [(how: String, conflicts: [MergeResult.Conflict])] = []
        var places: [String: Int] = [:]
        for conflict in result.settled {
            let taken = conflict.taken.map { "\($0)'s version" }
            let how =
                conflict.policy.map { policy in
                    "by policy \(policy)" + (taken.map { ", \($0) taken" } ?? "")
                } ?? taken.map { "with \($0) by --take" } ?? ""
            if let place = places[how] {
                ways[place].conflicts.append(conflict)
            } else {
                places[how] = ways.count
                ways.append((how, [conflict]))
            }
        }
        return ways.map { how, conflicts in
            let hidden = conflicts.count - Self.settled
            let names = conflicts.prefix(Self.settled).map(\.path).joined(separator: ", ")
            return [
                "settled",
                "\(Quantity.count(conflicts.count, "conflict")) \(how): \(names)"
                    + (hidden > 0 ? " and \(Quantity.count(hidden)) more" : ""),
            ]
        }
    }

    private func conflictLines(_ style: Style) -> [String] {
        var groups: [(name: String, items: [(String, MergeResult.Conflict)])] = []
        var places: [String: Int] = [:]
        for conflict in result.conflicts {
            let (name, item) = Self.split(conflict.entity)
            if let place = places[name] {
                groups[place].items.append((item, conflict))
            } else {
                places[name] = groups.count
                groups.append((name, [(item, conflict)]))
            }
        }
        var lines: [String] = []
        var shown = 0
        for (name, items) in groups where shown < Self.listed {
            let few = items.prefix(Self.listed - shown)
            shown += few.count
            lines.append(
                "  \(name)" + (items[0].0.isEmpty ? "" : ": \(Quantity.count(items.count))"))
            var table = TextTable([.left, .left, .left])
            for (item, conflict) in few {
                table.add([
                    item, Self.sides(conflict),
                    conflict.fields.map(Self.named) ?? conflict.distance.map(Self.apart) ?? "",
                ])
            }
            lines += table.lines(indent: 4)
        }
        let hidden = result.conflicts.count - shown
        return lines
            + (hidden > 0 ? ["  and \(Quantity.count(hidden)) more; --json lists all"] : [])
    }

    /// Who changed it: `law, tax`; `law removed it, tax`.
    private static func sides(_ conflict: MergeResult.Conflict) -> String {
        let isObject = conflict.kind != "architecture"
        return conflict.versions.map {
            $0.object == nil && isObject ? "\($0.side) removed it" : $0.side
        }.joined(separator: ", ")
    }

    /// Some fields by their names, and how many more.
    private static func named(_ fields: [String]) -> String {
        let some = fields.prefix(listed / 4)
        let hidden = fields.count - some.count
        return some.joined(separator: ", ")
            + (hidden > 0 ? " and \(Quantity.count(hidden)) more" : "")
    }

    /// How far apart two versions are, in words.
    private static func apart(_ distance: MergeDistance) -> String {
        guard let relative = distance.relativeL2, let most = distance.maxAbs else {
            let unit = distance.parts.isEmpty ? "byte" : "element"
            return "\(Quantity.count(distance.differing)) of "
                + "\(Quantity.count(distance.elements, unit)) differ"
        }
        let numbers =
            "relative L2 \(Quantity.significant(relative)), max abs \(Quantity.significant(most))"
        let isInteger = distance.parts.allSatisfy { $0.hasPrefix("I") || $0.hasPrefix("U") }
        return isInteger
            ? "integers, \(Quantity.count(distance.differing)) of "
                + "\(Quantity.count(distance.elements)) differ, \(numbers)"
            : numbers
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
        for kind in ["trunk", "file", "pool"] where entity.hasPrefix(kind + " ") {
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
