internal import Evidence
internal import Objects
internal import Snapshots
internal import Tensors

extension Store {
    /// Commits changes of a branch's model, so that a round costs what it changed and not a whole
    /// checkpoint.
    ///
    /// ```swift
    /// try store.commit(CommitOptions(message: "round 2")) { patch in
    ///     try patch.put(expert: 17, layer: 1, bytes)
    /// }
    /// ```
    ///
    /// - Parameters:
    ///   - options: The branch, which must have a model, or start from one, and the message.
    ///   - body: Puts what changes. When it throws, nothing is committed.
    /// - Throws: What `body` throws; `not-found` for a branch without a model; `unfit` when cohorts were trained
    ///   on what it changes, unless the options allow it; `branch-moved` when another writer was faster.
    @discardableResult
    public func commit(
        _ options: CommitOptions, patch body: (inout Patch) throws -> Void
    ) throws -> CommitResult {
        let target = try CommitTarget(options, self)
        let before = try target.model().before
        let draft = try CommitDraft(snapshots, tree: before)
        var patch = Patch(draft, before)
        try body(&patch)
        let newExperts = patch.newExperts
        if !patch.evidence.isEmpty, let parent = target.parent {
            // Before anything is committed: a set that no gate can be solved from is refused.
            let known = try map(parent.hex).evidence()
            let added = patch.evidence.filter { new in !known.contains { $0.id == new.id } }
            _ = try EvidenceGate((known + added).counts)
        }
        let nonFinite = (patch.nonFinite.nan, patch.nonFinite.infinite)
        let finished = try patch.finish()
        let tree = finished.tree
        if !options.allowsUnfit {
            try Self.refuse(
                misfit(tree, after: before), "the model on branch '\(target.branch)'")
        }
        let cohorts = tree.layers.values.flatMap(\.cohorts.values)
        let outcome = try target.commit(finished, options)
        return CommitResult(
            outcome, target, options,
            CommitContents(
                architecture: tree.architecture, layers: tree.layers.count,
                experts: cohorts.reduce(0) { $0 + Int(clamping: $1.count) },
                newExperts: newExperts, nonFinite: nonFinite, notes: []))
    }

    /// Commits what a safetensors file changes of a branch's model.
    ///
    /// Its tensors have the names of the branch's checkpoint and replace those tensors. With an
    /// integer tensor `T.rows` [k] beside it, `T` is [k, …] and replaces these rows of `T`; for
    /// stacked experts, row e belongs to expert e.
    ///
    /// - Throws: `bad-shape` when the file does not fit the model, the codes of a bad safetensors
    ///   file, `branch-moved`. Then nothing is committed.
    @discardableResult
    public func commit(
        patchFile path: String, _ options: CommitOptions,
        progress: ProgressReporter = { _ in }
    ) throws -> CommitResult {
        let file = try PatchFile(path)
        let target = try CommitTarget(options, self)
        let parent = try target.model().parent
        let snapshot = try map(parent.hex)
        let layout = try snapshots.layout(of: snapshot.tree)
        // The rows of the file replace rows of this very model.
        var options = options
        options.expectedParent = parent.hex
        return try commit(options) { patch in
            try file.apply(to: &patch, snapshot, layout, progress)
        }
    }
}
