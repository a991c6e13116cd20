internal import Models
internal import Objects
internal import Snapshots

/// What a merge or a revert did.
public struct MergeResult: Sendable, Encodable {
    /// One thing that sides changed differently.
    public struct Conflict: Sendable, Encodable {
        /// For example `expert 1/base/17`.
        public let entity: String
        /// The sides that changed it.
        public let sides: [String]
    }

    /// `merged`, `fast-forward`, `up-to-date` or `conflicts`.
    public let kind: String
    /// The merged model tree's id; nil with conflicts.
    public let tree: String?
    /// The branch's new head; nil when nothing was written.
    public let commit: String?
    /// The branch merged into.
    public let branch: String
    /// The merge base, or several in criss-cross histories.
    public let bases: [String]
    /// The policy that was named.
    public let policy: String
    /// Conflicts that are left.
    public let conflicts: [Conflict]
    /// How many conflicts the policy settled.
    public let resolved: Int
}

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
    ///   - weights: For `mean`, `fisher` and `regmean`, by revision as written in `revisions`, or by the branch's name;
    ///     otherwise the `tokens` of each side's metadata count, when all have them, else 1 each.
    ///   - settings: Of the policies that have some.
    ///   - message: The merge commit's message; nil names the sides.
    ///   - dryRun: Decide and report, but write nothing.
    ///   - signature: Who merges, and when.
    /// - Returns: With `conflicts` of kind when sides disagree and no policy settles it.
    public func merge(
        _ revisions: [String], into branch: String? = nil, policy: MergePolicy = .none,
        weights: [String: Double] = [:], settings: PolicySettings = PolicySettings(),
        message: String? = nil, dryRun: Bool = false, _ signature: Signature = .current
    ) throws(StoreError) -> MergeResult {
        guard !revisions.isEmpty else { throw StoreError(.usage, "name what to merge") }
        if let message { try checkMessage(message) }
        let references = try carrying { () throws(SnapshotError) in try snapshots.references() }
        let target = try branchName(branch, references)
        guard let head = references.branches[target] else {
            throw StoreError(.notFound, "there is no branch '\(target)' to merge into")
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
        let sides = try carrying { () throws(SnapshotError) in
            [head] + (try snapshots.mergeSides(head, requested))
        }
        let sideWeights = try self.weights(weights, names, sides)
        let sideNames = sides.map { names[$0]?.first ?? $0.short }
        let chosen = try mergePolicy(policy, settings, sides, sideWeights.values)
        var note = CommitNote(
            time: signature.time, author: signature.author,
            message: message ?? "merge \(revisions.joined(separator: ", ")) into \(target)")
        note.metadata["merge.sides"] = sideNames.joined(separator: ",")
        if policy.isWeighted { note.metadata["merge.weights"] = sideWeights.text }
        for (name, value) in settings.recorded(policy) { note.metadata[name] = value }
        let recorded = note
        let outcome = try carrying { () throws(SnapshotError) in
            try snapshots.merge(
                requested, into: target, policy: chosen, note: recorded,
                form: CheckpointForm(self), dryRun: dryRun, check: checkCohorts)
        }
        if policy == .regmean { try checkMoments(outcome, sideNames) }
        return MergeResult(outcome, target, policy, sideNames)
    }

    /// Refuses a merged or reverted model whose cohorts do not fit: the description of one side, experts of
    /// another.
    private func checkCohorts(_ tree: Tree) throws(SnapshotError) {
        var descriptions: [String: CohortDescription] = [:]
        for (tensor, entry) in tree.trunk.tensors {
            guard let name = CohortDescription.cohort(describedBy: tensor) else { continue }
            let bytes = try snapshots.data(of: entry.id).1
            // What cannot be read tells so where it is run.
            descriptions[name] = try? CohortDescription(bytes, of: name)
        }
        let digests: [String]
        do throws(StoreError) {
            digests = [
                try StoredCohorts.baseDigest(tree),
                try StoredCohorts.baseDigest(tree, .routers, .experts),
            ]
        } catch {
            throw SnapshotError(.incompatible, error.message)
        }
        for (name, description) in descriptions.sorted(by: { $0.key < $1.key })
        where description.usesExperts && !description.base.isEmpty {
            guard !digests.contains(description.base) else { continue }
            throw SnapshotError(
                .incompatible,
                "cohort '\(name)' runs with the base's experts, which another side changed; train the cohort "
                    + "again on that side, or merge what was before")
        }
        guard let misfit = StoredCohorts.misfit(descriptions, tree) else { return }
        throw SnapshotError(
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
    ) throws(StoreError) -> MergeResult {
        if let message { try checkMessage(message) }
        let references = try carrying { () throws(SnapshotError) in try snapshots.references() }
        let target = try branchName(branch, references)
        let id = try id(revision)
        let chosen: (any ConflictPolicy)? =
            switch policy {
            case .none: nil
            case .ours: OursPolicy()
            case .theirs: TheirsPolicy()
            case .mean, .ties, .task, .fisher, .regmean:
                throw StoreError(
                    .usage, "a revert has no \(policy.rawValue); use ours or theirs")
            }
        let subject = try show(revision).message.prefix { $0 != "\n" }
        let note = CommitNote(
            time: signature.time, author: signature.author,
            message: message ?? "revert \"\(subject)\"")
        let outcome = try carrying { () throws(SnapshotError) in
            try snapshots.revert(
                id, parent: parent, on: target, policy: chosen, note: note,
                form: CheckpointForm(self), check: checkCohorts)
        }
        return MergeResult(outcome, target, policy, [target, "before \(id.short)"])
    }

    /// One weight per side, and how the commit records them.
    ///
    /// - Parameters:
    ///   - given: By any name of a side.
    ///   - names: All names of each side; the first is recorded.
    private func weights(
        _ given: [String: Double], _ names: [ObjectID: [String]], _ sides: [ObjectID]
    ) throws(StoreError) -> (values: [Double], text: String) {
        let known = Set(names.values.joined())
        for (name, weight) in given {
            guard known.contains(name) else {
                throw StoreError(
                    .usage,
                    "--weight names '\(name)', which is none of "
                        + known.sorted().joined(separator: ", "))
            }
            guard weight.isFinite, weight > 0 else {
                throw StoreError(
                    .usage, "the weight of '\(name)' is \(weight); give a number above 0")
            }
        }
        var tokens: [Double?] = []
        for id in sides {
            let commit = try carrying { () throws(SnapshotError) in try snapshots.commit(id) }
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
                throw StoreError(
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

extension MergeResult {
    init(
        _ outcome: MergeOutcome, _ branch: String, _ policy: MergePolicy, _ sides: [String]
    ) {
        self.init(
            kind: outcome.kind.rawValue, tree: outcome.tree?.hex, commit: outcome.commit?.hex,
            branch: branch, bases: outcome.bases.map(\.hex), policy: policy.rawValue,
            conflicts: outcome.conflicts.map { conflict in
                Conflict(
                    entity: conflict.entity.description,
                    sides: conflict.sides.map { $0 < sides.count ? sides[$0] : "side \($0)" })
            },
            resolved: outcome.resolved.count)
    }
}
