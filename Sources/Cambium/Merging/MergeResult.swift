internal import Merging
internal import Objects
internal import Snapshots

/// What a merge or a revert did.
public struct MergeResult: Sendable, Encodable {
    /// How a merge ended.
    public enum Kind: String, Sendable, Encodable {
        /// There is a new commit, or would be one.
        case merged
        /// The branch moved forward, or would.
        case fastForward = "fast-forward"
        /// There was nothing to merge.
        case upToDate = "up-to-date"
        /// Sides disagree, and nothing was written.
        case conflicts
    }

    /// One thing that sides changed differently.
    public struct Conflict: Sendable, Encodable {
        /// For example `expert 1/base/17`.
        public let entity: String
        /// The sides that changed it.
        public let sides: [String]
        /// `expert`, `router-row`, `router`, `tensor`, `file`, `pool`, `layout` or `architecture`.
        public let kind: String
        /// As a decision, `cat` and `restore` spell it: `1/17`.
        public let path: String
        /// The number of the layer, of experts, pools and routers.
        public let layer: Int?
        /// The pool, of the same.
        public let pool: String?
        /// The expert's number.
        public let expert: Int?
        /// The tensor's name, of tensors and routers.
        public let tensor: String?
        /// The row's number.
        public let row: Int?
        /// The file's name.
        public let file: String?
        /// Of config.json, which merges field by field, the fields that sides changed differently, with dots between
        /// keys; nil where the whole is in conflict.
        public let fields: [String]?
        /// What each side that changed it has, in the order of `sides`.
        public let versions: [MergeVersion]
        /// The object's id at the merge base; nil without one, or when bases disagree.
        public let base: String?
        /// Between the two sides that are farthest apart; nil for what was settled, and where fewer than
        /// two sides have bytes of one form.
        public let distance: MergeDistance?
        /// The policy that settled it; nil of a conflict that is left, and where a side was named.
        public let policy: String?
        /// The side whose version was taken; nil when a policy made a new one, or nothing settled it.
        public let taken: String?
    }

    /// How the merge ended; a caller looks, since conflicts are no error.
    public let kind: Kind
    /// The merged model tree's id; nil with conflicts.
    public let tree: String?
    /// The branch's new head; nil when nothing was written.
    public let commit: String?
    /// The branch merged into.
    public let branch: String
    /// The merge base, or several in criss-cross histories.
    public let bases: [String]
    /// The policy that was named.
    public let policy: String
    /// Conflicts that are left.
    public let conflicts: [Conflict]
    /// How many conflicts were settled.
    public let resolved: Int
    /// What was settled, by decisions or by the policy.
    public let settled: [Conflict]
    /// Sentences that the user should read; nil when there are none.
    public let notes: [String]?
}

/// What one side of a conflict has.
public struct MergeVersion: Sendable, Encodable {
    /// The side's name.
    public let side: String
    /// The side's commit.
    public let commit: String
    /// The object's id, of a router's row that of the whole tensor; nil when the side has none.
    public let object: String?
}

/// How far two versions of one thing are apart.
public struct MergeDistance: Sendable, Encodable, Equatable {
    /// The names of the two sides.
    public let between: [String]
    /// Elements of each version; of files and texts, bytes of the longer one.
    public let elements: Int
    /// Elements that differ bit for bit; of files the bytes that differ, one by one, and those that one
    /// has more.
    public let differing: Int
    /// ‖a - b‖ / max(‖a‖, ‖b‖); nil where the elements are no numbers that are read, or not finite.
    public let relativeL2: Double?
    /// max |a - b|; nil likewise.
    public let maxAbs: Double?
    /// Dtype and shape of the versions; empty of files.
    public let parts: [String]
}

extension MergeDistance {
    fileprivate init(_ distance: ConflictDistance, _ names: [String]) {
        self.init(
            between: distance.between.map { names[$0] }, elements: distance.elements,
            differing: distance.differing, relativeL2: distance.relativeL2,
            maxAbs: distance.maxAbs, parts: distance.parts)
    }
}

extension MergeResult {
    init(_ report: MergeReport, _ policy: MergePolicy) {
        let (outcome, names) = (report.outcome, report.names)
        self.init(
            kind: Kind(rawValue: outcome.kind.rawValue) ?? .merged, tree: outcome.tree?.hex,
            commit: outcome.commit?.hex,
            branch: report.branch, bases: outcome.bases.map(\.hex), policy: policy.rawValue,
            conflicts: zip(outcome.conflicts, report.distances).map {
                Conflict($0, outcome.sides, names, $1.map { MergeDistance($0, names) })
            },
            resolved: outcome.resolved.count,
            settled: outcome.resolved.map { Conflict($0, outcome.sides, names, nil) },
            notes: report.notes.isEmpty ? nil : report.notes)
    }
}

extension MergeResult.Conflict {
    fileprivate init(
        _ conflict: MergeConflict, _ sides: [ObjectID], _ names: [String],
        _ distance: MergeDistance?
    ) {
        let entity = conflict.entity
        self.init(
            entity: entity.description, sides: conflict.sides.map { names[$0] },
            kind: entity.kind, path: entity.path, layer: entity.layer.map { Int($0) },
            pool: entity.pool, expert: entity.ordinal, tensor: entity.tensor, row: entity.row,
            file: entity.file, fields: conflict.parts.isEmpty ? nil : conflict.parts,
            versions: conflict.sides.map { side in
                MergeVersion(
                    side: names[side], commit: sides[side].hex,
                    object: conflict.versions.isEmpty ? nil : conflict.versions[side]?.hex)
            },
            base: Set(conflict.bases).count == 1 ? conflict.bases[0]?.hex : nil,
            distance: distance, policy: conflict.policy, taken: conflict.taken.map { names[$0] })
    }
}
