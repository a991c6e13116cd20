internal import Checkpoints

/// A tensor in memory that is to be committed: ``Store/commit(tensors:headerMetadata:files:_:progress:)``.
public struct TensorData: Sendable {
    /// Its name in the checkpoint; of a patch with `.rows`, `.index` or `.value` behind it.
    public let name: String
    /// As a safetensors header spells it, for example "BF16".
    public let dtype: String
    /// Outermost dimension first.
    public let shape: [Int]
    package let bytes: MappedBytes

    /// Names bytes, row-major and little-endian; their number is checked when they are committed.
    public init(_ name: String, dtype: String, shape: [Int], _ bytes: [UInt8]) {
        self.init(name, dtype: dtype, shape: shape, MappedBytes(copying: bytes))
    }

    /// As above, of bytes that stay where they are.
    package init(_ name: String, dtype: String, shape: [Int], _ bytes: MappedBytes) {
        self.name = name
        self.dtype = dtype
        self.shape = shape
        self.bytes = bytes
    }

    /// What the layers below take.
    ///
    /// - Throws: `unknown-type`.
    func entry() throws -> (entry: TensorEntry, bytes: MappedBytes) {
        guard let type = ElementType(name: dtype) else {
            throw CambiumError(
                .unknownType,
                "tensor '\(name)' is of dtype '\(dtype)', which safetensors does not know; it knows "
                    + ElementType.allCases.map(\.name).joined(separator: ", "))
        }
        return (TensorEntry(name, TensorShape(type, shape)), bytes)
    }
}

extension Store {
    /// Commits a model that is in memory: the same commit as of a folder that holds its tensors in one file,
    /// `model.safetensors`, which nobody writes.
    ///
    /// - Parameters:
    ///   - tensors: All tensors, in any order.
    ///   - headerMetadata: What the file's header would have; the transformers library writes `format`, `pt`.
    ///   - files: Small files by name: config.json, and what else goes with the model.
    ///   - options: Branch, expected parent and message.
    ///   - progress: Told what is stored.
    /// - Throws: `bad-shape`, `unknown-type`, `duplicate-name`, `bad-name` for tensors or files that cannot be, and as
    ///   ``commit(checkpoint:_:progress:)``. Then the store's branches are as they were.
    @discardableResult
    public func commit(
        tensors: [TensorData], headerMetadata: [String: String]? = nil,
        files: [String: [UInt8]] = [:], _ options: CommitOptions,
        progress: ProgressReporter = { _ in }
    ) throws -> CommitResult {
        let metadata = headerMetadata.map { texts in
            HeaderMetadata(entries: texts.map { .init(key: $0.key, value: $0.value) })
        }
        return CommitResult(
            try snapshots.commit(
                tensors: tensors.map { try $0.entry() }, metadata: metadata?.sorted,
                files: files.map { Checkpoint.Auxiliary(name: $0.key, content: $0.value) },
                options.request, keeping: options.isAlone ? .nothing : nil, progress: progress))
    }

    /// Commits what tensors in memory change of a branch's model, as ``commit(patchFile:_:progress:)`` does of a file.
    ///
    /// - Parameters:
    ///   - tensors: Named as those of a patch file: `T` whole, `T` with `T.rows`, or `T.index` with `T.value`.
    ///   - options: The branch, which must have a model, or start from one, and the message.
    ///   - progress: Told what is stored.
    ///   - body: Puts what else changes, such as whole experts; a tensor of the same expert counts beside it.
    /// - Throws: As that of a file, and what `body` throws.
    @discardableResult
    public func commit(
        patch tensors: [TensorData], _ options: CommitOptions,
        progress: ProgressReporter = { _ in },
        putting body: (inout Patch) throws -> Void = { _ in }
    ) throws -> CommitResult {
        CommitResult(
            try snapshots.commit(
                patch: tensors.map { try $0.entry() }, options.request, progress: progress
            ) { model in
                var patch = Patch(model: model)
                do {
                    try body(&patch)
                } catch {
                    model = patch.model
                    throw error
                }
                model = patch.model
            })
    }
}
