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
    ///   - solving: Of the policy `solve`.
    ///   - message: The merge commit's message; nil names the sides.
    ///   - dryRun: Decide and report, but write nothing.
    ///   - allowsUnfit: Whether a model may come of it that does not run as the branch's history does, such as
    ///     one of another architecture; a fast-forward may lead to one too.
    ///   - signature: Who merges, and when.
    ///   - progress: Called with the layers that are solved.
    /// - Returns: With `conflicts` of kind when sides disagree and nothing settles it.
    /// - Throws: `usage` for decisions that settle nothing or contradict each other; `unfit` for a model that
    ///   would not run as the branch's history does, unless it is allowed. Then nothing is written.
    public func merge(
        _ revisions: [String], into branch: String? = nil, policy: MergePolicy = .none,
        takes: [MergeTake] = [], weights: [String: Double] = [:],
        settings: PolicySettings = PolicySettings(), solving: SolveOptions = SolveOptions(),
        message: String? = nil, dryRun: Bool = false, allowsUnfit: Bool = false,
        _ signature: Signature = .current, progress: ProgressReporter = { _ in }
    ) throws -> MergeResult {
        let report = try snapshots.merge(
            revisions, into: branch, policy: policy.kind,
            numbers: (settings.density, settings.scale),
            takes: takes.map(\.decision), weights: weights, message: message,
            signature: (signature.time, signature.author), form: CheckpointForm(snapshots),
            dryRun: dryRun,
            solving: SolveSettings(
                texts: solving.texts.map { ($0.name, $0.file, $0.text) }, threads: solving.threads,
                memoryLimit: solving.memoryLimit, keepsVersions: solving.grows),
            progress: progress,
            check: allowsUnfit
                ? nil
                : { merged, before, target in
                    try self.snapshots.checkFit(
                        merged, after: before, "the merged model on branch '\(target)'")
                })
        return MergeResult(report, policy)
    }

    /// Takes one of the alternatives that a merge kept, for the model of a branch; the others leave it, and stay in
    /// the history.
    ///
    /// - Parameters:
    ///   - alternative: Its name, as ``adapters(_:)`` tells it; `base` for the model that they are alternatives to.
    ///   - branch: Nil for the one that HEAD is on.
    ///   - message: The new commit's message; nil names the alternative.
    ///   - signature: Who resolves, and when.
    /// - Throws: `not-found` for a branch without alternatives, or for a name that is none of them.
    public func resolve(
        taking alternative: String, branch: String? = nil, message: String? = nil,
        _ signature: Signature = .current
    ) throws -> MergeResult {
        try resolve(.one(alternative), .none, branch, message, signature)
    }

    /// Merges the alternatives that a merge kept to one model, as sides of the model that they are alternatives to.
    ///
    /// - Parameters:
    ///   - policy: `mean` (equal weights), `ties` or `task`; with `none` conflicts are listed.
    ///   - settings: Of the policies that have some.
    ///   - branch: Nil for the one that HEAD is on.
    ///   - message: The new commit's message; nil names the policy.
    ///   - signature: Who resolves, and when.
    /// - Returns: With `conflicts` of kind when sides disagree and nothing settles it.
    /// - Throws: `usage` for another policy; `not-found` for a branch without alternatives.
    public func resolve(
        by policy: MergePolicy, settings: PolicySettings = PolicySettings(),
        branch: String? = nil, message: String? = nil, _ signature: Signature = .current
    ) throws -> MergeResult {
        let choice = AlternativesChoice.merged(policy.kind, (settings.density, settings.scale))
        return try resolve(choice, policy, branch, message, signature)
    }

    private func resolve(
        _ choice: AlternativesChoice, _ policy: MergePolicy, _ branch: String?,
        _ message: String?, _ signature: Signature
    ) throws -> MergeResult {
        let report = try snapshots.resolve(
            choice, branch: branch, message: message,
            signature: (signature.time, signature.author), form: CheckpointForm(snapshots)
        ) { resolved, before, target in
            try snapshots.checkFit(
                resolved, after: before, "the resolved model on branch '\(target)'")
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
    ///   - allowsUnfit: Whether a model may come of it that does not run as the branch's history does.
    ///   - signature: Who reverts, and when.
    /// - Throws: `unfit` for a model that would not run as the branch's history does, unless it is allowed.
    public func revert(
        _ revision: String, branch: String? = nil, parent: Int = 1, policy: MergePolicy = .none,
        message: String? = nil, allowsUnfit: Bool = false, _ signature: Signature = .current
    ) throws -> MergeResult {
        let report = try snapshots.revert(
            revision, branch: branch, parent: parent, policy: policy.kind, message: message,
            signature: (signature.time, signature.author), form: CheckpointForm(snapshots),
            check: allowsUnfit
                ? nil
                : { reverted, before, target in
                    try self.snapshots.checkFit(
                        reverted, after: before, "the reverted model on branch '\(target)'")
                })
        return MergeResult(report, policy)
    }
}
