internal import Models
internal import Objects
internal import Snapshots
internal import Tensors

/// What differs between two revisions' models.
public struct ModelDiff: Sendable, Encodable {
    /// How far something moved.
    public struct Change: Sendable, Encodable {
        /// L2 norm of the change.
        public let l2: Double
        /// L2 norm of the change as a part of that of what was before; nil when that is zero, or not finite.
        public let relativeL2: Double?
        /// The greatest change of one element; nil when it is not finite.
        public let maxAbs: Double?
        /// Cosine between before and after; nil when one is zero, or not finite.
        public let cosine: Double?
    }

    /// One expert that changed.
    public struct Expert: Sendable, Encodable {
        /// Its number in the pool.
        public let ordinal: Int
        /// How far it moved; nil when its dtype is not a float.
        public let change: Change?
    }

    /// One router tensor that changed.
    public struct Router: Sendable, Encodable {
        /// Its name in the checkpoint.
        public let tensor: String
        /// Rows that differ bit for bit, and those that only one side has.
        public let rows: [Int]
        /// Rows in all; of a tensor that was removed, that it had.
        public let rowCount: Int
        /// Rows that it has more than before.
        public let added: Int
        /// Rows that it has less than before.
        public let removed: Int
        /// How far the whole tensor moved; nil when its shape changed or it is not a float.
        public let change: Change?
    }

    /// What changed in one pool.
    public struct PoolDiff: Sendable, Encodable {
        /// The layer's number.
        public let layer: Int
        /// The pool's name.
        public let pool: String
        /// Experts in the pool; on the larger side when their number differs.
        public let experts: Int
        /// Ordinals of new experts.
        public let added: [Int]
        /// Ordinals of removed experts.
        public let removed: [Int]
        /// Experts whose bytes changed.
        public let changed: [Expert]
        /// The changes of all changed experts together.
        public let total: Change?
        /// Router tensors that changed.
        public let routers: [Router]
    }

    /// One file that changed, or a record of evidence that came or went.
    public struct File: Sendable, Encodable, Equatable {
        /// Its name; of evidence `evidence.` and the record's id.
        public let name: String
        /// "added", "removed" or "changed".
        public let kind: String
    }

    /// One trunk tensor that changed.
    public struct Tensor: Sendable, Encodable {
        /// Its name.
        public let name: String
        /// "added", "removed" or "changed".
        public let kind: String
        /// Elements that it has now; of one that was removed, that it had.
        public let parameters: Int
        /// How far it moved.
        public let change: Change?
        /// The adapter of deltas that it belongs to; nil for the base's own.
        public let adapter: String?
    }

    /// The older commit's id.
    public let from: String
    /// The newer commit's id.
    public let to: String
    /// Whether the model trees are the same.
    public let identical: Bool
    /// Pools with changes, by layer.
    public let pools: [PoolDiff]
    /// Trunk tensors with changes, by name.
    public let trunk: [Tensor]
    /// Files that differ, such as config.json, and records of evidence, by name.
    public let files: [File]
    /// Whether the checkpoint's layout (names, shards, fused or separate) differs.
    public let layoutChanged: Bool
    /// Whether the architecture differs.
    public let architectureChanged: Bool
}

extension Store {
    /// What changed from one revision's model to another's.
    ///
    /// - Parameters:
    ///   - old: The revision to start from.
    ///   - new: The revision to compare with it.
    ///   - norms: Whether to read what changed and measure how far it moved.
    /// - Complexity: Grows with what differs, not with the models.
    public func diff(from old: String, to new: String, norms: Bool = true) throws -> ModelDiff {
        let (left, right) = (try map(old), try map(new))
        let change = try SnapshotChange(from: left, to: right, in: snapshots, measures: norms)
        let difference = change.difference
        return ModelDiff(
            from: left.id.hex, to: right.id.hex, identical: left.commit.tree == right.commit.tree,
            pools: try difference.pools.map { try ModelDiff.PoolDiff($0, change) },
            trunk: try change.trunk().map {
                ModelDiff.Tensor(
                    name: $0.name, kind: $0.kind, parameters: $0.parameterCount,
                    change: $0.norms.map { .init($0) }, adapter: $0.adapter)
            },
            files: change.files.map { ModelDiff.File(name: $0.name, kind: $0.kind) },
            layoutChanged: difference.layoutChanged,
            architectureChanged: difference.architectureChanged)
    }
}

extension ModelDiff.PoolDiff {
    fileprivate init(_ difference: TreeDifference.PoolDifference, _ change: SnapshotChange) throws {
        let (count, changed, total) = try change.experts(of: difference)
        self.init(
            layer: Int(difference.layer), pool: difference.pool, experts: count,
            added: difference.added, removed: difference.removed,
            changed: changed.map { .init(ordinal: $0.ordinal, change: $0.norms.map { .init($0) }) },
            total: total.map { .init($0) },
            routers: try difference.router.map {
                ModelDiff.Router(
                    tensor: $0.name, rows: $0.rows, rowCount: $0.rowCount, added: $0.added,
                    removed: $0.removed, change: try change.tensor($0.old, $0.new).map { .init($0) }
                )
            })
    }
}

extension ModelDiff.Change {
    fileprivate init(_ norms: DifferenceNorms) {
        self.init(
            l2: norms.change, relativeL2: norms.relativeChange,
            maxAbs: norms.greatest.isFinite ? norms.greatest : nil, cosine: norms.cosine)
    }
}
