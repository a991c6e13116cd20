internal import Cambium
internal import Pictures
internal import Reporting

extension Site {
    /// Conflicts that a page offers to settle, at most.
    private static let mostConflicts = 500
    private static let prefix = "take:"

    /// What a merge would do, with its conflicts to settle.
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
        let result = try store.merge(
            [from], into: into, policy: policy(request), takes: takes(request), dryRun: true)
        return frame(
            "Merge \(from) into \(into)",
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
        let open = result.conflicts.prefix(Self.mostConflicts)
        let rows = open.map { conflict in
            let options = Markup(
                ([("", "leave open")] + conflict.sides.map { ($0, "that of \($0)") }
                    + [("mean", "the mean")])
                    .map { value, words in
                        Markup.element("option", ["value": value], words: words)
                    })
            return [
                Markup(conflict.path), Markup(conflict.kind),
                Markup(conflict.sides.joined(separator: ", ")),
                Markup(distance(conflict.distance)),
                .element(
                    "select",
                    ["name": Self.prefix + conflict.path, "aria-label": "Settle \(conflict.path)"],
                    options),
            ]
        }
        let policies = Markup(
            MergePolicy.allCases.filter { $0 != .solve }.map {
                .element(
                    "option", ["value": $0.rawValue],
                    words: $0 == .none ? "none: all must be settled" : $0.rawValue)
            })
        let words =
            result.kind == .fastForward
            ? "\(into) only moves forward."
            : "\(Quantity.count(result.conflicts.count, "conflict")) to settle."
        return .element("p", ["class": "quiet"], words: words)
            + form(
                "/merge", isEdit: true,
                .void("input", ["type": "hidden", "name": "from", "value": from])
                    + .void("input", ["type": "hidden", "name": "into", "value": into])
                    + (rows.isEmpty
                        ? Markup()
                        : table(
                            "Conflicts", ["what", "kind", "changed by", "apart", "take"],
                            Array(rows))
                            + (result.conflicts.count > open.count
                                ? .element(
                                    "p", ["class": "quiet"],
                                    words:
                                        "\(Quantity.count(result.conflicts.count - open.count, "further conflict")): a policy settles them"
                                )
                                : Markup())
                            + .element(
                                "p", [:],
                                .element(
                                    "label", [:],
                                    Markup("What is left open, by the policy ")
                                        + .element("select", ["name": "policy"], policies))))
                    + input("Message", "message", value: "merge \(from) into \(into)"),
                button: "Commit the merge")
    }

    private func distance(_ distance: MergeDistance?) -> String {
        guard let distance else { return "" }
        return distance.relativeL2.map { "\(Quantity.significant(100 * $0)) %" }
            ?? "\(Quantity.count(distance.differing)) of \(Quantity.count(distance.elements))"
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
            return .page(try merge(asked(from, into), problem: words), status: 409)
        } catch let error as CambiumError {
            return .page(try merge(asked(from, into), problem: error.message), status: 409)
        }
    }

    private func asked(_ from: String, _ into: String) -> SiteRequest {
        SiteRequest(isPost: false, path: "/merge", fields: ["from": from, "into": into])
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
