internal import Elements
internal import Objects
package import Snapshots

/// What turns one snapshot's tensors into another's, element by element, whatever lies between them.
///
/// Tensors have the names of the checkpoint. What has the same id is neither listed nor read. A tensor that
/// stacks experts counts as changed where experts of both snapshots differ, and, with all elements of its slice,
/// where an expert is new; the slice of an expert that was removed means nothing and is left alone.
package struct SnapshotChanges: Sendable {
    /// A pool that both snapshots spell alike.
    struct Pool: Sendable {
        let pool: CheckpointPool
        let old: MappedExperts
        let new: MappedExperts

        func wasAbsent(_ ordinal: Int) -> Bool {
            ordinal >= old.count || old.isMissing(ordinal)
        }
    }

    private struct PoolPlace: Hashable, Comparable {
        let layer: UInt32
        let pool: String

        static func < (left: PoolPlace, right: PoolPlace) -> Bool {
            left.layer == right.layer ? isBefore(left.pool, right.pool) : left.layer < right.layer
        }
    }

    package let difference: TreeDifference
    package private(set) var tensors: [ChangedTensor] = []
    let left: MappedSnapshot
    let right: MappedSnapshot
    /// The layout of the older snapshot.
    let layout: Layout?
    private(set) var pools: [Pool] = []
    private var before: [String: ChangedTensor.Place] = [:]
    private var after: [String: ChangedTensor.Place] = [:]

    /// - Throws: `unsupported` for experts that have no names in a checkpoint.
    /// - Complexity: Grows with what differs, not with the models.
    package init(
        from left: MappedSnapshot, to right: MappedSnapshot, in store: SnapshotStore
    ) throws {
        difference = try store.difference(from: left.tree, to: right.tree)
        (self.left, self.right) = (left, right)
        layout = try store.layout(of: left.tree)
        let old = try Self.pools(left, layout)
        let new = try Self.pools(right, store.layout(of: right.tree))
        addStored()
        var changes: [PoolPlace: TreeDifference.PoolDifference] = [:]
        for change in difference.pools where !change.experts.isEmpty {
            changes[PoolPlace(layer: change.layer, pool: change.pool)] = change
        }
        var places = Set(changes.keys)
        if difference.layoutChanged { places.formUnion(Set(old.keys).union(new.keys)) }
        for place in places.sorted() {
            try add(place, old[place], new[place], changes[place])
        }
        for name in Set(before.keys).union(after.keys).sorted(by: isBefore) {
            let (old, new) = (before[name], after[name])
            // It only moved from the trunk to a router.
            if let id = old?.id, id == new?.id, old?.shape == new?.shape { continue }
            tensors.append(
                ChangedTensor(
                    name: name, old: old?.shape, new: new?.shape,
                    source: .places(old: old, new: new)))
        }
        (before, after) = ([:], [:])
    }

    private static func pools(
        _ snapshot: MappedSnapshot, _ layout: Layout?
    ) throws -> [PoolPlace: (pool: CheckpointPool, experts: MappedExperts)] {
        var pools: [PoolPlace: (pool: CheckpointPool, experts: MappedExperts)] = [:]
        for stored in layout?.allPools(of: snapshot.tree) ?? [] {
            guard let experts = snapshot.experts(layer: stored.layer, pool: stored.pool)
            else { continue }
            pools[PoolPlace(layer: stored.layer, pool: stored.pool)] = (
                try CheckpointPool(stored, experts.pool), experts
            )
        }
        return pools
    }

    /// Tensors outside the experts.
    private mutating func addStored() {
        let (old, new) = (left.tree.trunk.tensors, right.tree.trunk.tensors)
        for name in difference.trunkRemoved + difference.trunkChanged + difference.trunkAdded {
            if let tensor = old[name] { before[name] = ChangedTensor.Place(tensor) }
            if let tensor = new[name] { after[name] = ChangedTensor.Place(tensor) }
        }
        for router in difference.pools.flatMap(\.router) {
            if let tensor = router.old { before[router.name] = ChangedTensor.Place(tensor) }
            if let tensor = router.new { after[router.name] = ChangedTensor.Place(tensor) }
        }
    }

    private mutating func add(
        _ place: PoolPlace, _ old: (pool: CheckpointPool, experts: MappedExperts)?,
        _ new: (pool: CheckpointPool, experts: MappedExperts)?,
        _ change: TreeDifference.PoolDifference?
    ) throws {
        for (side, found) in [(left, old), (right, new)]
        where found == nil && side.experts(layer: place.layer, pool: place.pool) != nil {
            throw CambiumError(
                .unsupported,
                "pool \(place.layer)/\(place.pool) of \(side.id.short) has no place in its checkpoint's "
                    + "layout, so that its experts have no names")
        }
        if let old, let new, old.pool.kind == new.pool.kind, old.pool.tensors == new.pool.tensors {
            if let change { add(change, old.pool, old.experts, new.pool, new.experts) }
            return
        }
        if let old { Self.add(old.pool, old.experts, to: &before) }
        if let new { Self.add(new.pool, new.experts, to: &after) }
    }

    /// Each tensor of a pool that the other snapshot does not have, or spells otherwise.
    private static func add(
        _ pool: CheckpointPool, _ experts: MappedExperts,
        to places: inout [String: ChangedTensor.Place]
    ) {
        for assembly in TensorAssembly.all(pools: [pool], others: []) {
            guard case .experts(_, let ordinals, let bytes) = assembly.source else { continue }
            if ordinals.count == 1, experts.isAbsent(ordinals.lowerBound) { continue }
            places[assembly.name] = ChangedTensor.Place(assembly.shape, experts, ordinals, bytes)
        }
    }

    /// Those tensors of a pool that hold experts which differ.
    private mutating func add(
        _ change: TreeDifference.PoolDifference, _ old: CheckpointPool, _ experts: MappedExperts,
        _ new: CheckpointPool, _ newExperts: MappedExperts
    ) {
        let number = pools.count
        pools.append(Pool(pool: new, old: experts, new: newExperts))
        // A row that is there no more is zeros.
        let ordinals =
            (change.changed + change.added + (new.kind == .row ? change.removed : [])).sorted()
        var isFirst = true
        for (position, part) in new.tensors.enumerated() where part.stacked {
            func shape(_ pool: CheckpointPool) -> TensorShape {
                TensorShape(part.type, [pool.expertCount] + part.sliceDimensions)
            }
            guard shape(old) == shape(new), part.type.bitWidth % 8 == 0 else {
                func place(_ pool: CheckpointPool, _ experts: MappedExperts) -> ChangedTensor.Place
                {
                    ChangedTensor.Place(
                        shape(pool), experts, 0..<pool.expertCount, pool.sliceRanges[position])
                }
                before[part.template] = place(old, experts)
                after[part.template] = place(new, newExperts)
                continue
            }
            guard !ordinals.isEmpty else { continue }
            tensors.append(
                ChangedTensor(
                    name: part.template, old: shape(old), new: shape(new),
                    source: .experts(pool: number, tensor: position, ordinals, isFirst: isFirst)))
            isFirst = false
        }
        for ordinal in (change.changed + change.added + change.removed).sorted() {
            let wasThere = !pools[number].wasAbsent(ordinal)
            let isThere = ordinal < newExperts.count && !newExperts.isAbsent(ordinal)
            isFirst = true
            for (position, part) in new.tensors.enumerated() where !part.stacked {
                let shape = TensorShape(part.type, part.sliceDimensions)
                tensors.append(
                    ChangedTensor(
                        name: part.name(of: ordinal), old: wasThere ? shape : nil,
                        new: isThere ? shape : nil,
                        source: .experts(
                            pool: number, tensor: position, [ordinal], isFirst: isFirst)))
                isFirst = false
            }
        }
    }
}

extension TreeDifference.PoolDifference {
    /// The ordinals of experts that differ.
    fileprivate var experts: [Int] { changed + added + removed }
}
