internal import Cambium
internal import Pictures
internal import Reporting

extension Site {
    /// Conflicts left open that a page offers to settle, and all that it has, at most: each is a field of the form.
    private static let mostConflicts = 500
    private static let mostRows = 2_000
    private static let prefix = "take:"

    /// What a merge would do, with its conflicts to settle.
    ///
    /// What a form that was sent before says is filled in again: what was taken, the policy, the message.
    ///
    /// - Parameter problem: What was wrong with the last try.
    func merge(_ request: SiteRequest, problem: String?) throws -> Markup {
        let (into, from) = (request.field("into") ?? "", request.field("from") ?? "")
        let asks =
            form(
                "/merge",
                input("Merge", "from", value: from, list: "branches")
                    + input("into the branch", "into", value: into, list: "branches"),
                button: "Show what it does") + (try branchList())
        let said =
            problem.map { Markup.element("p", ["class": "missing", "role": "alert"], words: $0) }
            ?? Markup()
        guard !into.isEmpty, !from.isEmpty else { return frame("Merge", said + asks) }
        guard allowsEdit else {
            return frame(
                "Merge",
                asks
                    + .element(
                        "p", ["class": "missing"],
                        Markup(
                            "This site only reads. Started with --allow-edit it shows and settles conflicts; or "
                        )
                            + .element(
                                "code", words: "cambium merge \(from) --into \(into) --dry-run")))
        }
        // All conflicts, those that the form settles among them: what it says is shown beside each.
        let result = try store.merge([from], into: into, dryRun: true)
        return frame(
            "Merge \(named(from)) into \(named(into))",
            said + asks + outcome(result, request, from: from, into: into))
    }

    private func outcome(
        _ result: MergeResult, _ request: SiteRequest, from: String, into: String
    ) -> Markup {
        switch result.kind {
        case .upToDate:
            return .element("p", ["class": "missing"], words: "\(into) has all of \(from) already.")
        case .fastForward, .merged, .conflicts: break
        }
        let taken = { (conflict: MergeResult.Conflict) in request.field(Self.prefix + conflict.path)
        }
        // What is left open comes first: that is what is asked for.
        let settled = result.conflicts.filter { choices($0).contains(taken($0) ?? "") }
        let left = result.conflicts.filter { !choices($0).contains(taken($0) ?? "") }
        let open = left.prefix(min(Self.mostConflicts, max(0, Self.mostRows - settled.count)))
        let rows = (open + settled).map { conflict -> [Cell] in
            [
                .words(conflict.path), .words(conflict.kind),
                .words(conflict.sides.joined(separator: ", ")), distance(conflict.distance),
                Cell(select(conflict, taken(conflict))),
            ]
        }
        let policies = options(
            MergePolicy.allCases.filter { $0 != .solve }.map {
                ($0.rawValue, $0 == .none ? "none: all must be settled" : $0.rawValue)
            }, selected: request.field("policy"))
        let words =
            result.kind == .fastForward
            ? "\(into) only moves forward."
            : "\(Quantity.count(result.conflicts.count, "conflict")) to settle"
                + (settled.isEmpty ? "." : ", \(Quantity.count(left.count)) of them still open.")
        return .element("p", ["class": "quiet"], words: words)
            + form(
                "/merge", isEdit: true,
                .void("input", ["type": "hidden", "name": "from", "value": from])
                    + .void("input", ["type": "hidden", "name": "into", "value": into])
                    + (rows.isEmpty
                        ? Markup()
                        : table(
                            "Conflicts", ["what", "kind", "changed by", "apart", "take"],
                            rows, stacks: true)
                            + (left.count > open.count
                                ? .element(
                                    "p", ["class": "quiet"],
                                    words:
                                        "\(Quantity.count(left.count - open.count, "further conflict")): a policy settles them"
                                )
                                : Markup())
                            + .element(
                                "p", [:],
                                .element(
                                    "label", [:],
                                    Markup("What is left open, by the policy ")
                                        + .element("select", ["name": "policy"], policies))))
                    + input(
                        "Message", "message",
                        value: request.field("message") ?? "merge \(from) into \(into)"),
                button: "Commit the merge")
    }

    /// What a conflict may be settled with.
    private func choices(_ conflict: MergeResult.Conflict) -> [String] { conflict.sides + ["mean"] }

    private func select(_ conflict: MergeResult.Conflict, _ taken: String?) -> Markup {
        let sides = conflict.sides.map { ($0, "that of \($0)") }
        return .element(
            "select",
            ["name": Self.prefix + conflict.path, "aria-label": "Settle \(conflict.path)"],
            options([("", "leave open")] + sides + [("mean", "the mean")], selected: taken))
    }

    private func options(_ choices: [(String, String)], selected: String?) -> Markup {
        Markup(
            choices.map { value, words in
                value == selected
                    ? .element("option", ["value": value, "selected": ""], words: words)
                    : .element("option", ["value": value], words: words)
            })
    }

    private func distance(_ distance: MergeDistance?) -> Cell {
        guard let distance else { return .words("") }
        let share = Double(distance.differing) / Double(max(1, distance.elements))
        return distance.relativeL2.map {
            Cell(Markup("\(Quantity.significant(100 * $0)) %"), value: "\($0)")
        }
            ?? Cell(
                Markup(
                    "\(Quantity.count(distance.differing)) of \(Quantity.count(distance.elements))"),
                value: "\(share)")
    }

    /// Commits a merge; with conflicts left, shows them again.
    func commitMerge(_ request: SiteRequest) throws -> SiteAnswer {
        guard let from = request.field("from"), let into = request.field("into") else {
            throw CambiumError(.usage, "name what to merge, and into which branch")
        }
        do {
            let result = try store.merge(
                [from], into: into, policy: policy(request), takes: takes(request),
                message: request.field("message"))
            guard result.kind == .conflicts else {
                return .redirect(Address("/commit", ["rev": into]).text)
            }
            let words =
                "\(Quantity.count(result.conflicts.count, "conflict")) left: settle all of them, or name a policy"
            return .page(try merge(request, problem: words), status: 409)
        } catch let error as CambiumError {
            // The same form sent twice: what it asks for is done.
            if try store.merge([from], into: into, dryRun: true).kind == .upToDate {
                return .redirect(Address("/commit", ["rev": into]).text)
            }
            return .page(try merge(request, problem: error.message), status: 409)
        }
    }

    private func policy(_ request: SiteRequest) throws -> MergePolicy {
        guard let name = request.field("policy") else { return .none }
        guard let policy = MergePolicy(rawValue: name), policy != .solve else {
            throw CambiumError(.usage, "there is no policy '\(name)' here")
        }
        return policy
    }

    private func takes(_ request: SiteRequest) throws -> [MergeTake] {
        try request.fields.filter { $0.key.hasPrefix(Self.prefix) && !$0.value.isEmpty }
            .sorted { $0.key < $1.key }
            .map { try MergeTake("\($0.key.dropFirst(Self.prefix.count))=\($0.value)") }
    }
}
