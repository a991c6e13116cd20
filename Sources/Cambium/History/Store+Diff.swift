internal import Architectures
internal import Elements
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
        /// Its number in the cohort.
        public let ordinal: Int
        /// How far it moved; nil when its dtype is not a float.
        public let change: Change?
    }

    /// One router tensor that changed.
    public struct Router: Sendable, Encodable {
        /// Its name in the checkpoint.
        public let tensor: String
        /// Rows that differ bit for bit.
        public let rows: [Int]
        /// Rows in all.
        public let rowCount: Int
        /// How far the whole tensor moved; nil when its shape changed or it is not a float.
        public let change: Change?
    }

    /// What changed in one cohort.
    public struct CohortDiff: Sendable, Encodable {
        /// The layer's number.
        public let layer: Int
        /// The cohort's name.
        public let cohort: String
        /// Experts in the cohort; on the larger side when their number differs.
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
        /// The cohort of deltas that it belongs to; nil for the base's own.
        public let cohort: String?
    }

    /// The older commit's id.
    public let from: String
    /// The newer commit's id.
    public let to: String
    /// Whether the model trees are the same.
    public let identical: Bool
    /// Cohorts with changes, by layer.
    public let cohorts: [CohortDiff]
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
    public func diff(
        from old: String, to new: String, norms: Bool = true
    ) throws -> ModelDiff {
        let (left, right) = (try map(old), try map(new))
        let difference = try snapshots.difference(from: left.tree, to: right.tree)
        let measure = Measure(left, right, isOn: norms)
        var cohorts: [ModelDiff.CohortDiff] = []
        for cohort in difference.cohorts { cohorts.append(try measure.cohort(cohort)) }
        let deltas = Set([left, right].flatMap { StoredCohorts.names($0.tree) })
        func tensor(_ name: String, _ kind: String, _ change: ModelDiff.Change?) -> ModelDiff.Tensor
        {
            // Names of cohorts may have dots: the longest that fits is meant.
            let cohort = deltas.filter { name.hasPrefix("\(CohortTensorName.prefix)\($0).") }
                .max { $0.utf8.count < $1.utf8.count }
            let shape = (right.tree.trunk.tensors[name] ?? left.tree.trunk.tensors[name])?.shape
            return ModelDiff.Tensor(
                name: name, kind: kind,
                parameters: shape?.dimensions.reduce(1) {
                    $0.multipliedReportingOverflow(by: $1).partialValue
                }
                    ?? 0, change: change, cohort: cohort)
        }
        var trunk = difference.trunkAdded.map { tensor($0, "added", nil) }
        trunk += difference.trunkRemoved.map { tensor($0, "removed", nil) }
        for name in difference.trunkChanged {
            let change = try measure.tensor(
                left.tree.trunk.tensors[name], right.tree.trunk.tensors[name])
            trunk.append(tensor(name, "changed", change))
        }
        return ModelDiff(
            from: left.id.hex, to: right.id.hex, identical: left.commit.tree == right.commit.tree,
            cohorts: cohorts, trunk: trunk.sorted { isBefore($0.name, $1.name) },
            files: difference.files.map { name in
                let (old, new) = (left.tree.files[name], right.tree.files[name])
                return ModelDiff.File(
                    name: name, kind: old == nil ? "added" : new == nil ? "removed" : "changed")
            }, layoutChanged: difference.layoutChanged,
            architectureChanged: difference.architectureChanged)
    }
}

/// Measures how far things moved between two mapped snapshots.
private struct Measure {
    private let left: MappedSnapshot
    private let right: MappedSnapshot
    private let isOn: Bool

    init(_ left: MappedSnapshot, _ right: MappedSnapshot, isOn: Bool) {
        self.left = left
        self.right = right
        self.isOn = isOn
    }

    func cohort(
        _ difference: TreeDifference.CohortDifference
    ) throws -> ModelDiff.CohortDiff {
        let before = left.experts(layer: difference.layer, cohort: difference.cohort)
        let after = right.experts(layer: difference.layer, cohort: difference.cohort)
        var total: DifferenceNorms?
        var changed: [ModelDiff.Expert] = []
        for ordinal in difference.changed {
            var norms: DifferenceNorms?
            if isOn, let before, let after {
                norms = compare(try before.checked(ordinal), try after.checked(ordinal))
            }
            if let norms { total = (total ?? DifferenceNorms()) + norms }
            changed.append(
                ModelDiff.Expert(ordinal: ordinal, change: norms.map { ModelDiff.Change($0) }))
        }
        var routers: [ModelDiff.Router] = []
        for router in difference.router {
            routers.append(
                ModelDiff.Router(
                    tensor: router.name, rows: router.rows, rowCount: router.rowCount,
                    change: try tensor(router.old, router.new)))
        }
        return ModelDiff.CohortDiff(
            layer: Int(difference.layer), cohort: difference.cohort,
            experts: max(before?.count ?? 0, after?.count ?? 0), added: difference.added,
            removed: difference.removed, changed: changed,
            total: total.map { ModelDiff.Change($0) }, routers: routers)
    }

    func tensor(
        _ old: StoredTensor?, _ new: StoredTensor?
    ) throws -> ModelDiff.Change? {
        guard isOn, let old, let new, old.shape == new.shape else { return nil }
        let norms = compare(try left.checked(old.id), try right.checked(new.id))
        return norms.map { ModelDiff.Change($0) }
    }

    /// Sums over all parts; nil when a part is not a float.
    private func compare(_ old: StoredObject, _ new: StoredObject) -> DifferenceNorms? {
        guard old.header.parts == new.header.parts else { return nil }
        var sum = DifferenceNorms()
        var start = 0
        for part in old.header.parts {
            let range = start..<(start + (part.byteCount ?? 0))
            start = range.upperBound
            guard
                let norms = DifferenceNorms(
                    before: old.payload.bytes.extracting(range),
                    after: new.payload.bytes.extracting(range), type: part.type)
            else { return nil }
            sum = sum + norms
        }
        return sum
    }
}

extension ModelDiff.Change {
    fileprivate init(_ norms: DifferenceNorms) {
        self.init(
            l2: norms.change, relativeL2: norms.relativeChange,
            maxAbs: norms.greatest.isFinite ? norms.greatest : nil, cosine: norms.cosine)
    }
}
