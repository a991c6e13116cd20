internal import Checkpoints
internal import Snapshots

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
    /// - Throws: What `body` throws; `not-found` for a branch without a model; `unfit` when adapters were trained
    ///   on what it changes, unless the options allow it; `branch-moved` when another writer was faster.
    @discardableResult
    public func commit(
        _ options: CommitOptions, patch body: (inout Patch) throws -> Void
    ) throws -> CommitResult {
        let request = options.request
        var patch = Patch(model: try ModelPatch(CommitTarget(request, snapshots)))
        try body(&patch)
        return CommitResult(try patch.model.commit(request))
    }

    /// Commits what a safetensors file changes of a branch's model.
    ///
    /// Its tensors have the names of the branch's checkpoint and replace those tensors. With an
    /// integer tensor `T.rows` [k] beside it, `T` is [k, …] and replaces these rows of `T`; for
    /// stacked experts, row e belongs to expert e. `T.index` [k] and `T.value` [k] without `T` replace single
    /// elements of `T`, counted row-major, ascending; only what they touch is read and hashed.
    /// ``Changes/write(to:overwrite:progress:)`` writes such files.
    ///
    /// - Throws: `bad-shape` when the file does not fit the model, `not-found` for a tensor that the model does not
    ///   have, the codes of a bad safetensors file, `branch-moved`. Then nothing is committed.
    @discardableResult
    public func commit(
        patchFile path: String, _ options: CommitOptions,
        progress: ProgressReporter = { _ in }
    ) throws -> CommitResult {
        CommitResult(try snapshots.commit(patchFile: path, options.request, progress: progress))
    }
}
