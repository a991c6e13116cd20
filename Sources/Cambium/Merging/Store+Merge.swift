internal import Architectures
internal import Elements
internal import Models
internal import Objects
internal import Snapshots

extension Store {
    /// Merges revisions into a branch, three-way against the merge base, per expert, router row and
    /// trunk tensor, for all sides at once.
    ///
    /// The merged tree depends on the content of the sides alone: any order of `revisions` gives the
    /// same tree, unless `ours` or `theirs` settles a conflict.
    ///
    /// - Parameters:
    ///   - revisions: What to merge: branches, tags or commits.
    ///   - branch: Nil for the one that HEAD is on.
    ///   - policy: How conflicts are settled; recorded in the commit.
    ///   - takes: Decisions about single conflicts, which come before the policy; in any order.
    ///   - weights: For `mean`, `fisher` and `regmean`, by revision as written in `revisions`, or by the branch's name;
    ///     otherwise the `tokens` of each side's metadata count, when all have them, else 1 each.
    ///   - settings: Of the policies that have some.
    ///   - message: The merge commit's message; nil names the sides.
    ///   - dryRun: Decide and report, but write nothing.
    ///   - allowsUnfit: Whether a model may come of it that does not run as the branch's history does, such as
    ///     one of another architecture; a fast-forward may lead to one too.
    ///   - signature: Who merges, and when.
    /// - Returns: With `conflicts` of kind when sides disagree and nothing settles it.
    /// - Throws: `usage` for decisions that settle nothing or contradict each other; `unfit` for a model that
    ///   would not run as the branch's history does, unless it is allowed. Then nothing is written.
    public func merge(
        _ revisions: [String], into branch: String? = nil, policy: MergePolicy = .none,
        takes: [MergeTake] = [], weights: [String: Double] = [:],
        settings: PolicySettings = PolicySettings(),
        message: String? = nil, dryRun: Bool = false, allowsUnfit: Bool = false,
        _ signature: Signature = .current
    ) throws -> MergeResult {
        guard !revisions.isEmpty else { throw CambiumError(.usage, "name what to merge") }
        if let message { try Commit.check(message: message) }
        let references = try snapshots.references()
        let target = try references.branch(branch)
        guard let head = references.branches[target] else {
            throw CambiumError(.notFound, "there is no branch '\(target)' to merge into")
        }
        // A side may have several names: a branch and a tag of one commit.
        var names = [head: [target]]
        var others: [ObjectID] = []
        for revision in revisions {
            let id = try id(revision)
            others.append(id)
            names[id, default: []].append(revision)
        }
        let requested = others
        let sides = [head] + (try snapshots.mergeSides(head, requested))
        let sideWeights = try self.weights(weights, names, sides)
        let sideNames = sides.map { names[$0]?.first ?? $0.short }
        let chosen = try mergePolicy(policy, settings, sides, sideWeights.values)
        let decisions =
            try takes.isEmpty
            ? nil
            : MergeDecisions(
                takes, sides, sides.map { names[$0] ?? [] },
                id: { name in try id(name) },
                policy: { kind in
                    guard
                        let made = try conflictPolicy(kind, settings, sides, sideWeights.values)
                    else { throw CambiumError(.usage, "'\(kind.rawValue)' settles nothing") }
                    return made
                })
        let policies = (decisions?.policies ?? []).union([policy])
        var note = CommitNote(
            time: signature.time, author: signature.author,
            message: message ?? "merge \(revisions.joined(separator: ", ")) into \(target)")
        note.metadata["merge.sides"] = sideNames.joined(separator: ",")
        if policies.contains(where: \.isWeighted) {
            note.metadata["merge.weights"] = sideWeights.text
        }
        for policy in policies.sorted(by: { isBefore($0.rawValue, $1.rawValue) }) {
            note.metadata.merge(settings.recorded(policy)) { $1 }
        }
        if let decisions { note.metadata["merge.take"] = try decisions.recorded() }
        let recorded = note
        let before = try tree(head.hex)
        let outcome = try snapshots.merge(
            requested, into: target, policy: chosen, decisions: decisions, note: recorded,
            form: CheckpointForm(snapshots), dryRun: dryRun
        ) { merged, isForward in
            // What a fast-forward leads to was committed as it is.
            if !isForward { try checkCohorts(merged) }
            if !allowsUnfit { try checkFit(merged, after: before, target) }
        }
        if policy == .regmean { try checkMoments(outcome, sideNames) }
        return try MergeResult(outcome, target, policy, sideNames, self)
    }

    private func checkFit(
        _ tree: Tree, after before: Tree, _ branch: String
    ) throws {
        try Self.refuse(misfit(tree, after: before), "the merged model on branch '\(branch)'")
    }

    /// Refuses a merged or reverted model whose cohorts do not fit: the description of one side, experts of
    /// another.
    func checkCohorts(_ tree: Tree) throws {
        var descriptions: [String: CohortDescription] = [:]
        for (tensor, entry) in tree.trunk.tensors {
            guard let name = CohortTensorName.cohort(describedBy: tensor) else { continue }
            let bytes = try snapshots.data(of: entry.id).1
            // What cannot be read tells so where it is run.
            descriptions[name] = try? CohortDescription(bytes, of: name)
        }
        let digests = [
            try StoredCohorts.baseDigest(tree),
            try StoredCohorts.baseDigest(tree, .routers, .experts),
        ]
        for (name, description) in descriptions.sorted(by: { isBefore($0.key, $1.key) })
        where description.usesExperts && !description.base.isEmpty {
            guard !digests.contains(description.base) else { continue }
            throw CambiumError(
                .incompatible,
                "cohort '\(name)' runs with the base's experts, which another side changed; train the cohort "
                    + "again on that side, or merge what was before")
        }
        guard let misfit = StoredCohorts.misfit(descriptions, tree) else { return }
        throw CambiumError(
            .incompatible,
            "the model could not run: \(misfit). The sides have different forms of one cohort; train "
                + "one of them under another name (--cohort), or revert all rounds of it, the last first"
        )
    }

    /// Undoes one commit on a branch; what came later stays.
    ///
    /// - Parameters:
    ///   - revision: The commit to undo; it must be in the branch's history.
    ///   - branch: Nil for the one that HEAD is on.
    ///   - parent: For a merge commit, which parent to go back to, from 1.
    ///   - policy: `ours` keeps what later rounds changed, `theirs` what was before the commit.
    ///   - message: The new commit's message; nil names the commit.
    ///   - signature: Who reverts, and when.
    public func revert(
        _ revision: String, branch: String? = nil, parent: Int = 1, policy: MergePolicy = .none,
        message: String? = nil, _ signature: Signature = .current
    ) throws -> MergeResult {
        if let message { try Commit.check(message: message) }
        let references = try snapshots.references()
        let target = try references.branch(branch)
        let id = try id(revision)
        let chosen: (any ConflictPolicy)? =
            switch policy {
            case .none: nil
            case .ours: OursPolicy()
            case .theirs: TheirsPolicy()
            case .mean, .ties, .task, .fisher, .regmean:
                throw CambiumError(
                    .usage, "a revert has no \(policy.rawValue); use ours or theirs")
            }
        let subject = try show(revision).message.prefix { $0 != "\n" }
        let note = CommitNote(
            time: signature.time, author: signature.author,
            message: message ?? "revert \"\(subject)\"")
        let outcome = try snapshots.revert(
            id, parent: parent, on: target, policy: chosen, note: note,
            form: CheckpointForm(snapshots), check: checkCohorts)
        return try MergeResult(outcome, target, policy, [target, "before \(id.short)"], self)
    }

    /// One weight per side, and how the commit records them.
    ///
    /// - Parameters:
    ///   - given: By any name of a side.
    ///   - names: All names of each side; the first is recorded.
    private func weights(
        _ given: [String: Double], _ names: [ObjectID: [String]], _ sides: [ObjectID]
    ) throws -> (values: [Double], text: String) {
        let known = Set(names.values.joined())
        for (name, weight) in given {
            guard known.contains(name) else {
                throw CambiumError(
                    .usage,
                    "--weight names '\(name)', which is none of "
                        + known.sorted().joined(separator: ", "))
            }
            guard weight.isFinite, weight > 0 else {
                throw CambiumError(
                    .usage, "the weight of '\(name)' is \(weight); give a number above 0")
            }
        }
        var tokens: [Double?] = []
        for id in sides {
            let commit = try snapshots.commit(id)
            let count = commit.metadata["tokens"].flatMap { Double($0) }
            tokens.append(count.flatMap { $0.isFinite && $0 > 0 ? $0 : nil })
        }
        // The target often is the merge base itself, which no conflict involves.
        let counted = tokens.dropFirst().allSatisfy { $0 != nil }
        var values: [Double] = []
        var texts: [String] = []
        for (side, id) in sides.enumerated() {
            let aliases = names[id] ?? [id.short]
            let named = Set(aliases.compactMap { given[$0] })
            guard named.count <= 1 else {
                throw CambiumError(
                    .usage,
                    "\(aliases.joined(separator: " and ")) are one commit, \(id.short), with "
                        + "different weights; give it one")
            }
            let value = named.first ?? (counted ? tokens[side] ?? 1 : 1)
            values.append(value)
            texts.append("\(aliases[0])=\(value)")
        }
        return (values, texts.joined(separator: ","))
    }
}
