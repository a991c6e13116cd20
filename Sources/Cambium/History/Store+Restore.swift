internal import Checkpoints
internal import Objects
internal import Snapshots

/// What a restore took, and from where.
public struct RestoreResult: Sendable, Encodable {
    /// One expert, router row, tensor or file.
    public struct Item: Sendable, Encodable, Equatable {
        /// As `cat` spells it: `1/17`.
        public let path: String
        /// The commit that it was taken from.
        public let from: String
        /// The object's id there; of a router's row, that of the whole tensor; zeros of a hashed row that is absent.
        public let object: String
    }

    /// The commit's id; of the branch's head when nothing changed.
    public let commit: String
    /// The model tree's id.
    public let tree: String
    /// The branch.
    public let branch: String
    /// True when the branch had all of it already; then no commit was made.
    public let unchanged: Bool
    /// What changed on the branch.
    public let items: [Item]
    /// What was named besides, and is on the branch as it is.
    public let alike: Int
}

extension Store {
    /// Commits a branch's model with single experts, router rows, tensors or files from anywhere, without
    /// a merge.
    ///
    /// The commit records what was taken from which commit.
    ///
    /// - Parameters:
    ///   - places: `REV:ENTITY` each, as docs/merging.md, "Entities", spells them; in any order.
    ///   - options: The branch, and the message.
    /// - Throws: `not-found` for what is not in the revision; `bad-shape` for what does not fit the branch's
    ///   model; `usage` for two places that are one with different content. Then nothing is committed.
    @discardableResult
    public func restore(_ places: [String], _ options: CommitOptions) throws -> RestoreResult {
        let (result, plan) = try snapshots.restore(places, options.request)
        return RestoreResult(
            commit: result.outcome.id.hex, tree: result.outcome.tree.hex, branch: result.branch,
            unchanged: result.outcome.unchanged,
            items: plan.items.map {
                RestoreResult.Item(path: $0.entity.path, from: $0.from.hex, object: $0.object.hex)
            }, alike: plan.alike)
    }
}
