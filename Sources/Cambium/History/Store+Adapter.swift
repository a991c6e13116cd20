internal import Checkpoints

extension Store {
    /// Commits an adapter of the peft library, a folder with adapter_config.json and adapter_model.safetensors.
    ///
    /// A branch that is missing begins at the base.
    ///
    /// - Parameters:
    ///   - folder: As peft's `save_pretrained` writes it.
    ///   - base: The model that the adapter belongs to; the commit's metadata name it, `adapter.base`.
    ///   - isBaked: Whether the products are added to the weights of the branch's model, as peft merges them; else
    ///     the adapter's own tensors and config are committed, and an export gives the folder back.
    ///   - options: Branch, expected parent and message.
    ///   - progress: Told what is added and stored.
    /// - Throws: `not-a-checkpoint` for another folder; to be baked, `unsupported` for an adapter that is not LoRA on
    ///   the weights of modules, `not-found` for weights that the model does not have, `bad-shape`; as
    ///   ``commit(checkpoint:_:progress:)``. Then nothing is committed.
    @discardableResult
    public func commit(
        adapter folder: String, of base: String, baked isBaked: Bool = false,
        _ options: CommitOptions, progress: ProgressReporter = { _ in }
    ) throws -> CommitResult {
        CommitResult(
            try snapshots.commit(
                adapter: folder, of: base, isBaked ? .baked : .asItIs, options.request,
                progress: progress))
    }
}
