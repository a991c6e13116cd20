internal import Architectures
internal import Elements
internal import Objects
package import Snapshots
package import Tensors

/// What differs between two mapped snapshots, and how far it moved.
package struct SnapshotChange {
    package let difference: TreeDifference
    private let left: MappedSnapshot
    private let right: MappedSnapshot
    private let measures: Bool

    /// - Parameter measures: Whether to read what changed; else it has no norms.
    /// - Complexity: Grows with what differs, not with the models.
    package init(
        from left: MappedSnapshot, to right: MappedSnapshot, in store: SnapshotStore, measures: Bool
    ) throws {
        difference = try store.difference(from: left.tree, to: right.tree)
        self.left = left
        self.right = right
        self.measures = measures
    }

    /// A pool's experts, on the larger side, how far each that changed moved, and all of them together.
    package func experts(
        of pool: TreeDifference.PoolDifference
    ) throws -> (count: Int, changed: [(ordinal: Int, norms: DifferenceNorms?)], DifferenceNorms?) {
        let before = left.experts(layer: pool.layer, pool: pool.pool)
        let after = right.experts(layer: pool.layer, pool: pool.pool)
        var total: DifferenceNorms?
        var changed: [(ordinal: Int, norms: DifferenceNorms?)] = []
        for ordinal in pool.changed {
            var norms: DifferenceNorms?
            if measures, let before, let after {
                norms = DifferenceNorms(
                    try before.checked(ordinal), try after.checked(ordinal))
            }
            if let norms { total = (total ?? DifferenceNorms()) + norms }
            changed.append((ordinal, norms))
        }
        return (max(before?.count ?? 0, after?.count ?? 0), changed, total)
    }

    /// How far a tensor moved; nil when its shape changed, or it is no float.
    package func tensor(_ old: StoredTensor?, _ new: StoredTensor?) throws -> DifferenceNorms? {
        guard measures, let old, let new, old.shape == new.shape else { return nil }
        return DifferenceNorms(try left.checked(old.id), try right.checked(new.id))
    }

    /// The trunk's tensors with changes, by name; of each the shape that it has now, of one that was removed, that
    /// it had, its parameters, and the adapter that it belongs to.
    package func trunk() throws -> [(
        name: String, kind: String, parameterCount: Int, adapter: String?, norms: DifferenceNorms?
    )] {
        let (old, new) = (left.tree.trunk.tensors, right.tree.trunk.tensors)
        let adapters = Set([left, right].flatMap { StoredAdapters.names($0.tree) })
        let names = difference.trunkAdded + difference.trunkRemoved + difference.trunkChanged
        return try names.sorted(by: isBefore).compactMap { name in
            guard let shape = (new[name] ?? old[name])?.shape else { return nil }
            return (
                name, Self.kind(old[name] != nil, new[name] != nil),
                AdapterTensorName.adapter(describedBy: name) == nil ? shape.elementCount : 0,
                AdapterTensorName.adapter(of: name, among: adapters),
                try tensor(old[name], new[name])
            )
        }
    }

    /// Files that differ, by name.
    package var files: [(name: String, kind: String)] {
        difference.files.map {
            ($0, Self.kind(left.tree.files[$0] != nil, right.tree.files[$0] != nil))
        }
    }

    private static func kind(_ was: Bool, _ isNow: Bool) -> String {
        !was ? "added" : isNow ? "changed" : "removed"
    }
}

extension DifferenceNorms {
    /// How far an object's floats are from another's, over all parts; nil when a part is no float, or their shapes
    /// differ.
    init?(_ old: StoredObject, _ new: StoredObject) {
        guard old.header.parts == new.header.parts else { return nil }
        self.init()
        var start = 0
        for part in old.header.parts {
            let range = start..<(start + (part.byteCount ?? 0))
            start = range.upperBound
            guard
                let norms = DifferenceNorms(
                    before: old.payload.bytes.extracting(range),
                    after: new.payload.bytes.extracting(range), type: part.type)
            else { return nil }
            self = self + norms
        }
    }
}
