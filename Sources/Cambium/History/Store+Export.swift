internal import Checkpoints
internal import Merging
internal import Models
internal import Objects
internal import Snapshots

/// What an export wrote.
public struct ExportResult: Sendable, Encodable {
    /// The commit that was exported.
    public let id: String
    /// The folder.
    public let directory: String
    /// Names of the files.
    public let files: [String]
    /// Tensors in them.
    public let tensors: Int
    /// Bytes of the tensors.
    public let bytes: Int
    /// What of the snapshot was not written, as was asked for: names of files, and `adapter NAME`.
    public let leftOut: [String]
    /// Files of tensors whose header is in canonical form, since the one that was committed does
    /// not describe their tensors any more.
    public let canonical: [String]
    /// Files of another checkpoint that were in the folder and are removed.
    public let removed: [String]
}

extension Store {
    /// Writes a revision's checkpoint as it was committed, byte for byte: the same files, config.json included,
    /// and what was recorded about the model, so that a commit of the folder is the same tree.
    ///
    /// - Parameters:
    ///   - revision: What to write.
    ///   - directory: Created when it is missing, with the folders above it.
    ///   - overwrite: Whether files that exist there may be replaced, and files of another checkpoint removed that
    ///     a reader would take for parts of this one or read in its place.
    ///   - alternative: Of a model with alternatives the one to write, as a model of its own, whose counts are the
    ///     base's; nil for the whole model.
    ///   - isPlain: Whether what the transformers library would not read is left out: evidence, squared
    ///     gradients, how counts predict, and adapters.
    ///   - progress: Told how many tensors are written.
    /// - Throws: `exists`, `usage` for a folder that is a store, `unsupported` when the model has experts that its layout has no place for.
    public func export(
        _ revision: String, to directory: String, overwrite: Bool = false,
        alternative: String? = nil,
        isPlain: Bool = false,
        progress: ProgressReporter = { _ in }
    ) throws -> ExportResult {
        try CheckpointFolder.checkPath(directory)
        var snapshot = try map(revision)
        var added = 0
        var records: [ObjectID: [UInt8]] = [:]
        if let alternative {
            guard let own = try snapshot.alternative(alternative) else {
                throw CambiumError(
                    .notFound, "'\(alternative)' is no alternative in the model of \(revision)")
            }
            let known = try snapshots.files(of: snapshot.tree, taking: [alternative])
            var tree = own.snapshot.tree
            (tree.files, records) = known
            (snapshot, added) = (own.snapshot.showing(tree), own.addedExperts)
        }
        let export = try CheckpointExport(
            snapshot, snapshots, isPlain: isPlain, addedExperts: added, records: records)
        let written = try export.write(to: directory, overwrite: overwrite, progress)
        return ExportResult(
            id: snapshot.id.hex, directory: directory, files: export.fileNames,
            tensors: export.tensorCount, bytes: export.byteCount, leftOut: export.leftOut,
            canonical: written.canonical, removed: written.removed)
    }
}
