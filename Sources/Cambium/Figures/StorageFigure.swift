internal import Objects
internal import Snapshots

/// How a store grew, and what a collection could free.
public struct StorageFigure: Sendable, Encodable {
    /// One commit.
    public struct Commit: Sendable, Encodable {
        /// Its id.
        public let id: String
        /// The first line of its message.
        public let subject: String
        /// Seconds since 1970-01-01 00:00 UTC.
        public let time: Int64
        /// Bytes of its model's tensors and experts, as in a checkpoint.
        public let bytes: Int
        /// Bytes of them that no commit before it has.
        public let new: Int
        /// Bytes of all different tensors and experts up to here.
        public let together: Int
        /// Bytes that the checkpoints up to here would take, each by itself.
        public let separate: Int
    }

    /// Oldest first.
    public let commits: [Commit]
    /// Sizes of the store as a whole.
    public let statistics: StoreStatistics
    /// What no branch, tag or reader needs: what `gc --prune` frees when the reflog's grace period is over.
    public let collection: CollectResult
}

extension Figures {
    /// How the store grew, and what a collection could free.
    ///
    /// - Complexity: Reads the records of each tree, and of arrays of experts what changed.
    public func storage() throws -> StorageFigure {
        let oldest = Array(commits.reversed())
        let sizes = try store.snapshots.modelSizes(
            ofTrees: try oldest.map { try id(ofHex: $0.tree) })
        let growth = try store.snapshots.growth(of: try oldest.map { try id(ofHex: $0.id) })
        var (together, separate) = (0, 0)
        let entries = oldest.indices.map { index in
            together += growth[index]
            separate += sizes[index]
            return StorageFigure.Commit(
                id: oldest[index].id, subject: oldest[index].subject, time: oldest[index].time,
                bytes: sizes[index], new: growth[index], together: together, separate: separate)
        }
        return StorageFigure(
            commits: entries, statistics: try store.statistics(),
            collection: try store.collect(grace: 0))
    }
}
