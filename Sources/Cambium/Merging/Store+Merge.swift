internal import Checkpoints
internal import Merging
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
        let report = try snapshots.merge(
            revisions, into: branch, policy: policy.kind,
            numbers: (settings.density, settings.scale),
            takes: takes.map(\.decision), weights: weights, message: message,
            signature: (signature.time, signature.author), form: CheckpointForm(snapshots),
            dryRun: dryRun
        ) { merged, before, target in
            guard !allowsUnfit else { return }
            try snapshots.checkFit(merged, after: before, "the merged model on branch '\(target)'")
        }
        return MergeResult(report, policy)
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
        let report = try snapshots.revert(
            revision, branch: branch, parent: parent, policy: policy.kind, message: message,
            signature: (signature.time, signature.author), form: CheckpointForm(snapshots))
        return MergeResult(report, policy)
    }
}
