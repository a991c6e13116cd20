internal import Architectures
package import Elements
internal import Models
internal import Objects
package import Snapshots
internal import Tensors

extension SnapshotStore {
    /// Merges revisions into a branch, with conflicts settled by decisions and by a policy.
    ///
    /// - Parameters:
    ///   - revisions: What to merge: branches, tags or commits.
    ///   - branch: Nil for the one that HEAD is on.
    ///   - takes: Decisions about single conflicts, which come before the policy.
    ///   - weights: Of sides, by any of their names; the others have the `tokens` of their metadata, when all have
    ///     them, else 1 each.
    ///   - message: Nil to name the sides.
    ///   - signature: Who merges, and when.
    ///   - form: Settles the layout.
    ///   - settings: Of the policy `solve`.
    ///   - check: Refuses a model by throwing, given it, the branch's model and the branch; nil to take any, also one
    ///     whose adapters do not fit.
    /// - Throws: `usage` for decisions that settle nothing or contradict each other, and for a policy that needs
    ///   what no side has; `incompatible` for adapters that do not fit. Then nothing is written.
    package func merge(
        _ revisions: [String], into branch: String?, policy: PolicyKind, numbers: PolicyNumbers,
        takes: [MergeDecision], weights: [String: Double], message: String?,
        signature: (time: Int64, author: String), form: any MergeForm, dryRun: Bool,
        solving settings: SolveSettings = SolveSettings(), progress: ProgressReporter = { _ in },
        check: ((_ merged: Tree, _ before: Tree, _ branch: String) throws -> Void)?
    ) throws -> MergeReport {
        try ThreadTeam.check(settings.threads)
        guard !revisions.isEmpty else { throw CambiumError(.usage, "name what to merge") }
        if let message { try Commit.check(message: message) }
        let references = try references()
        let target = try references.branch(branch)
        guard let head = references.branches[target] else {
            throw CambiumError(.notFound, "there is no branch '\(target)' to merge into")
        }
        // A side may have several names: a branch and a tag of one commit.
        var names = [head: [target]]
        var others: [ObjectID] = []
        for revision in revisions {
            let id = try resolve(revision)
            others.append(id)
            names[id, default: []].append(revision)
        }
        let sides = [head] + (try mergeSides(head, others))
        let sideWeights = try self.weights(weights, names, sides)
        let sideNames = sides.map { names[$0]?.first ?? $0.short }
        let maker = PolicyMaker(
            store: self, numbers: numbers, sides: sides, weights: sideWeights.values)
        let solve = policy == .solve ? SolvePolicy(sides: sides.count) : nil
        let chosen = try maker.makeSumming(policy, solve)
        let decisions =
            try takes.isEmpty
            ? nil
            : MergeDecisions(
                takes, sides, sides.map { names[$0] ?? [] }, id: resolve, policy: maker.make)
        let policies = (decisions?.policies ?? []).union([policy])
        var note = CommitNote(
            time: signature.time, author: signature.author,
            message: message ?? "merge \(revisions.joined(separator: ", ")) into \(target)")
        note.metadata["merge.sides"] = sideNames.joined(separator: ",")
        if policies.contains(where: \.isWeighted) {
            note.metadata["merge.weights"] = sideWeights.text
        }
        for policy in policies.sorted(by: { isBefore($0.rawValue, $1.rawValue) }) {
            note.metadata.merge(policy.recorded(numbers)) { $1 }
        }
        if let decisions { note.metadata["merge.take"] = try decisions.recorded() }
        let before = try tree(commit(head).tree)
        var routerNotes: [String] = []
        let team = ThreadTeam(count: settings.threads)
        var tried: (bases: [Tree], trees: [Tree], routers: RouterMerge)?
        let solvingRouters = { (bases: [Tree], trees: [Tree], form: any MergeForm) in
            // A merge that is tried first has found out already.
            let known = tried.flatMap { $0.bases == bases && $0.trees == trees ? $0.routers : nil }
            let routers =
                try known ?? RouterMerge(bases, trees, names: sideNames, form, self, team)
            routerNotes = routers.notes
            return routers
        }
        let keepsSides =
            try policy == .alternatives
            && needsAlternatives(others, target, takes, note, form) {
                let routers = try solvingRouters($0, $1, form)
                tried = ($0, $1, routers)
                return (routers.trees, routers.form)
            }
        // Their descriptions are in no store yet.
        var made: [String: AdapterDescription] = [:]
        let keeping = { (bases: [Tree], trees: [Tree]) throws -> ([Tree], any MergeForm) in
            let kept = try AlternativeSides(bases, trees, names: sideNames, form, self)
            made = kept.layers.mapValues { AdapterDescription(replacing: $0, base: "") }
            return (kept.trees, kept.form)
        }
        let solving = try solve.flatMap {
            try SolveForm(form, self, sides: sides, names: names, $0, decisions, settings)
        }
        let outcome = try withoutActuallyEscaping(progress) { progress in
            let form: any MergeForm = solving?.reporting(progress) ?? form
            return try merge(
                others, into: target, policy: chosen, decisions: decisions, note: note,
                form: form, dryRun: dryRun,
                check: { merged, isForward in
                    guard let check else { return }
                    // What a fast-forward leads to was committed as it is.
                    if !isForward { try checkAdapters(merged, made) }
                    try check(merged, before, target)
                },
                sides: {
                    if keepsSides {
                        let kept = try keeping($0, $1)
                        return (kept.0, WholeCodesForm(inner: kept.1, store: self))
                    }
                    let routers = try solvingRouters($0, $1, form)
                    return (routers.trees, WholeCodesForm(inner: routers.form, store: self))
                })
        }
        if policy == .regmean { try checkGramSums(outcome, sideNames) }
        return try MergeReport(
            outcome, target, sideNames, notes: (solving?.remarks ?? []) + routerNotes, self)
    }

    /// Whether weights of the sides are in conflict, or a side has weights that alternatives of another are not
    /// over.
    private func needsAlternatives(
        _ others: [ObjectID], _ target: String, _ takes: [MergeDecision], _ note: CommitNote,
        _ form: any MergeForm,
        _ rewritten: @escaping ([Tree], [Tree]) throws -> ([Tree], any MergeForm)
    ) throws -> Bool {
        guard takes.isEmpty else {
            throw CambiumError(
                .usage,
                "alternatives keep all sides whole, so nothing is left to decide: leave out --take, or the policy"
            )
        }
        var isOver = true
        let outcome = try merge(
            others, into: target, policy: nil, note: note, form: form, dryRun: true,
            check: { merged, isForward in
                guard !isForward else { return }
                let digests = try BaseDigests(merged)
                for (name, _, _) in try alternatives(of: merged) {
                    guard let entry = merged.trunk.tensors[AdapterTensorName.description(of: name)]
                    else { continue }
                    isOver =
                        try isOver
                        && digests.fit(AdapterDescription(data(of: entry.id).1, of: name))
                }
            }, sides: rewritten)
        return !isOver || outcome.conflicts.contains { $0.entity.isOfWeights }
    }

    /// Undoes one commit on a branch; what came later stays.
    ///
    /// - Parameters:
    ///   - revision: It must be in the branch's history.
    ///   - branch: Nil for the one that HEAD is on.
    ///   - parent: For a merge commit, which parent to go back to, from 1.
    ///   - policy: `ours` or `theirs`, if any.
    ///   - message: Nil to name the commit.
    ///   - signature: Who reverts, and when.
    ///   - form: Settles the layout.
    ///   - check: Refuses a model by throwing, given it, the branch's model and the branch; nil to take any, also one
    ///     whose adapters do not fit.
    package func revert(
        _ revision: String, branch: String?, parent: Int, policy: PolicyKind, message: String?,
        signature: (time: Int64, author: String), form: any MergeForm,
        check: ((_ reverted: Tree, _ before: Tree, _ branch: String) throws -> Void)?
    ) throws -> MergeReport {
        if let message { try Commit.check(message: message) }
        let references = try references()
        let target = try references.branch(branch)
        guard let head = references.branches[target] else {
            throw CambiumError(.notFound, "there is no branch '\(target)'")
        }
        let before = try tree(commit(head).tree)
        let id = try resolve(revision)
        let chosen: (any ConflictPolicy)? =
            switch policy {
            case .none: nil
            case .ours: OursPolicy()
            case .theirs: TheirsPolicy()
            case .mean, .ties, .task, .fisher, .regmean, .alternatives, .solve:
                throw CambiumError(.usage, "a revert has no \(policy.rawValue); use ours or theirs")
            }
        let subject = try commit(id).message.prefix { $0 != "\n" }
        let note = CommitNote(
            time: signature.time, author: signature.author,
            message: message ?? "revert \"\(subject)\"")
        let outcome = try revert(
            id, parent: parent, on: target, policy: chosen, note: note,
            form: WholeCodesForm(inner: form, store: self),
            check: {
                guard let check else { return }
                try checkAdapters($0, isReverted: true)
                try check($0, before, target)
            })
        return try MergeReport(outcome, target, [target, "before \(id.short)"], self)
    }

    /// Refuses a merged or reverted model whose adapters do not fit: the description of one side, experts of
    /// another.
    ///
    /// - Parameter made: Descriptions of adapters that come of the merge itself.
    private func checkAdapters(
        _ tree: Tree, _ made: [String: AdapterDescription] = [:], isReverted: Bool = false
    ) throws {
        var descriptions = made
        for (tensor, entry) in tree.trunk.tensors {
            guard let name = AdapterTensorName.adapter(describedBy: tensor), made[name] == nil
            else { continue }
            let bytes = try data(of: entry.id).1
            // What cannot be read tells so where it is run.
            descriptions[name] = try? AdapterDescription(bytes, of: name)
        }
        let digests = try BaseDigests(tree)
        for (name, description) in descriptions.sorted(by: { isBefore($0.key, $1.key) })
        where description.usesExperts || description.kind == .alternative {
            guard !digests.fit(description) else { continue }
            let changed = isReverted ? "that the commit made" : "that another side changed"
            guard description.kind != .alternative else {
                throw CambiumError(
                    .incompatible,
                    "'\(name)' is an alternative to a base \(changed); "
                        + (isReverted ? "" : "merge by --policy alternatives, or ")
                        + "settle the alternatives first (cambium resolve)")
            }
            throw CambiumError(
                .incompatible,
                "adapter '\(name)' runs with experts of the base \(changed); "
                    + (isReverted
                        ? "revert its rounds first, or forget it (cambium forget \(name))"
                        : "train the adapter again on that side, or merge what was before"))
        }
        guard let misfit = StoredAdapters.misfit(descriptions, tree) else { return }
        throw CambiumError(
            .incompatible,
            "the model could not run: \(misfit). "
                + (isReverted
                    ? "Revert all rounds of the adapter, the last first"
                    : "The sides have different forms of one adapter; train one of them under another name "
                        + "(--adapter), or revert all rounds of it, the last first")
        )
    }

    /// Tells what a merge by `regmean` lacks, instead of listing each row.
    private func checkGramSums(_ outcome: MergeOutcome, _ names: [String]) throws {
        for conflict in outcome.conflicts {
            guard let layer = RegMeanPolicy.layer(of: conflict.entity) else { continue }
            let kind =
                layer.isLinear
                ? "--kind routes" : "--kind gram --layer \(layer.number) --adapter NAME"
            let sides = conflict.sides.map { $0 < names.count ? names[$0] : "side \($0)" }
            throw CambiumError(
                .usage,
                "\(conflict.entity) was changed by \(sides.joined(separator: " and ")), and not all of "
                    + "them have \(layer.isLinear ? "routes" : "Gram sums") of layer \(layer.number) of their "
                    + "own, over one trunk; add some: cambium evidence add \(kind) --branch NAME --text "
                    + "FILE, or take --policy mean")
        }
    }
}
