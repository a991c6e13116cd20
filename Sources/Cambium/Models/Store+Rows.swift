internal import Checkpoints
internal import Snapshots

/// What a pruning of hashed rows took, or would take.
public struct RowPruning: Sendable, Encodable {
    /// One table of rows.
    public struct Table: Sendable, Encodable, Equatable {
        /// The number of the layer that the rows are in front of.
        public let layer: Int
        /// "base", or the adapter whose rows they are.
        public let pool: String
        /// Rows that there were.
        public let rows: Int
        /// Those of them that are used too rarely.
        public let pruned: Int
    }

    /// By layer.
    public let tables: [Table]
    /// The new commit; nil for a preview.
    public let commit: CommitResult?
}

extension Store {
    /// Commits a branch's model with hashed rows of 2, 4 or 8 bits and one scale a row.
    ///
    /// Of 2 bits elements are −1, 0 or 1 times the scale, the nearest in squares that there is. The loss is the user's
    /// to measure (`eval`); the model before stays in history. Rows that have no more bits already stay as they are.
    ///
    /// - Parameters:
    ///   - bits: 2, 4 or 8.
    ///   - options: The branch, and the message.
    ///   - layers: Only in front of these; nil for all.
    ///   - adapters: Only the rows of these, of the base by the name "base"; nil for all.
    ///   - progress: Told the rows that are done.
    /// - Throws: `usage` for other bits; `not-found` without such rows; `unsupported` for NaN or infinity in one.
    @discardableResult
    public func quantizeRows(
        bits: Int, _ options: CommitOptions, layers: [Int]? = nil, adapters: [String]? = nil,
        progress: ProgressReporter = { _ in }
    ) throws -> CommitResult {
        CommitResult(
            try snapshots.quantizeRows(
                options.request, bits: bits, layers: layers, names: adapters, progress: progress))
    }

    /// Takes hashed rows out of a branch's model that some text uses too rarely: they become absent, which is zeros.
    ///
    /// - Parameters:
    ///   - least: Uses that a row needs to stay, at least 1.
    ///   - texts: What counts, read from the start or in windows of the context length, whichever uses a row more; nil
    ///     for recorded evidence: of kind "activations", where a row counts once for each window that used it, else
    ///     counts.
    ///   - adapter: Whose rows: "base", or an adapter's name.
    ///   - options: The branch, and the message.
    ///   - layers: Only in front of these; nil for all.
    ///   - commits: Whether to commit; if not, nothing changes.
    /// - Throws: `not-found` without such rows, or without evidence of their use; `usage` for empty texts.
    @discardableResult
    public func pruneRows(
        usedLessThan least: Int, texts: [[UInt8]]?, of adapter: String = "base",
        _ options: CommitOptions, layers: [Int]? = nil, commits: Bool
    ) throws -> RowPruning {
        let (tables, commit) = try snapshots.pruneRows(
            options.request, least: least, texts: texts, layers: layers, name: adapter,
            commits: commits)
        return RowPruning(
            tables: tables.map {
                RowPruning.Table(layer: $0.layer, pool: $0.pool, rows: $0.rows, pruned: $0.pruned)
            }, commit: commit.map { CommitResult($0) })
    }
}
