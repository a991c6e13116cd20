package import Elements
internal import KeyValue
internal import Objects

/// What differs between two model trees, by entity.
package struct TreeDifference: Sendable {
    /// Changes of one pool.
    ///
    /// A pool on one side only has all its experts added or removed.
    package struct PoolDifference: Sendable {
        package let layer: UInt32
        package let pool: String
        package var added: [Int] = []
        package var removed: [Int] = []
        package var changed: [Int] = []
        /// Router tensors that differ, by name.
        package var router: [RouterDifference] = []

        package var isEmpty: Bool {
            added.isEmpty && removed.isEmpty && changed.isEmpty && router.isEmpty
        }
    }

    /// One router tensor that differs.
    package struct RouterDifference: Sendable {
        package let name: String
        package let old: StoredTensor?
        package let new: StoredTensor?
        /// Rows that differ bit for bit (a row is the last dimension; one element when there is
        /// only one), and those that only one side has; all of them when rows have another size.
        package let rows: [Int]
        package let rowCount: Int
        /// Rows behind those that both sides have.
        package let added: Int
        package let removed: Int
    }

    package var pools: [PoolDifference] = []
    package var trunkAdded: [String] = []
    package var trunkRemoved: [String] = []
    package var trunkChanged: [String] = []
    package var files: [String] = []
    package var layoutChanged = false
    package var architectureChanged = false

    package var isEmpty: Bool {
        pools.isEmpty && trunkAdded.isEmpty && trunkRemoved.isEmpty && trunkChanged.isEmpty
            && files.isEmpty && !layoutChanged && !architectureChanged
    }
}

extension SnapshotStore {
    /// What changed from one tree to another; costs what differs, not what the models weigh.
    package func difference(
        from old: Tree, to new: Tree
    ) throws -> TreeDifference {
        var result = TreeDifference()
        result.architectureChanged = old.architecture != new.architecture
        result.layoutChanged = old.layout != new.layout
        result.files = keys(old.files, new.files).filter { old.files[$0] != new.files[$0] }
        for name in keys(old.trunk.tensors, new.trunk.tensors) {
            switch (old.trunk.tensors[name], new.trunk.tensors[name]) {
            case (nil, .some): result.trunkAdded.append(name)
            case (.some, nil): result.trunkRemoved.append(name)
            case (let left, let right): if left != right { result.trunkChanged.append(name) }
            }
        }
        for number in Set(old.layers.keys).union(new.layers.keys).sorted() {
            let left = old.layers[number]?.pools ?? [:]
            let right = new.layers[number]?.pools ?? [:]
            for name in keys(left, right) where left[name] != right[name] {
                let difference = try difference(number, name, left[name], right[name])
                if !difference.isEmpty { result.pools.append(difference) }
            }
        }
        return result
    }

    private func difference(
        _ layer: UInt32, _ name: String, _ old: ExpertPool?, _ new: ExpertPool?
    ) throws -> TreeDifference.PoolDifference {
        var result = TreeDifference.PoolDifference(layer: layer, pool: name)
        if old?.experts != new?.experts {
            try environment.read { transaction in
                let reader = try ObjectReader(transaction)
                let left = try old.map { pool in
                    try ArrayView(pool.experts, transaction)
                }
                let right = try new.map { pool in
                    try ArrayView(pool.experts, transaction)
                }
                guard let left, let right else {
                    result.added = right?.presentOrdinals ?? []
                    result.removed = left?.presentOrdinals ?? []
                    return
                }
                for ordinal in try left.differences(from: right, reader, transaction) {
                    if ordinal >= left.count || left.entry(ordinal).isAbsent {
                        result.added.append(ordinal)
                    } else if ordinal >= right.count || right.entry(ordinal).isAbsent {
                        result.removed.append(ordinal)
                    } else {
                        result.changed.append(ordinal)
                    }
                }
            }
        }
        for name in keys(old?.router ?? [:], new?.router ?? [:]) {
            let (left, right) = (old?.router[name], new?.router[name])
            if left != right { result.router.append(try routerDifference(name, left, right)) }
        }
        return result
    }

    private func routerDifference(
        _ name: String, _ old: StoredTensor?, _ new: StoredTensor?
    ) throws -> TreeDifference.RouterDifference {
        let (before, after) = (old.map { rows(of: $0.shape) }, new.map { rows(of: $0.shape) })
        var changed = Array(0..<max(before?.count ?? 0, after?.count ?? 0))
        let isSameRow = before == nil || after == nil || before?.size == after?.size
        if let old, let new, let size = after?.size, isSameRow, old.shape.type == new.shape.type {
            let (left, right) = (try data(of: old), try data(of: new))
            changed = changed.filter { row in
                let range = (row * size)..<((row + 1) * size)
                return range.upperBound > min(left.count, right.count)
                    || left[range] != right[range]
            }
        }
        let more = isSameRow ? (after?.count ?? 0) - (before?.count ?? 0) : 0
        return TreeDifference.RouterDifference(
            name: name, old: old, new: new, rows: changed,
            rowCount: (after ?? before)?.count ?? 0, added: max(0, more), removed: max(0, -more))
    }
}

extension ArrayView {
    /// Ordinals of the experts that are not absent.
    package var presentOrdinals: [Int] {
        entries().enumerated().filter { !$0.element.isAbsent }.map(\.offset)
    }
}

/// The rows of a router tensor: the last dimension, or single elements when there is only one.
///
/// - Returns: The number of rows and the bytes of each.
package func rows(of shape: TensorShape) -> (count: Int, size: Int) {
    guard let bytes = shape.byteCount, bytes > 0 else { return (0, 0) }
    let count =
        shape.dimensions.count < 2
        ? shape.dimensions.first ?? 1 : shape.dimensions.dropLast().reduce(1, *)
    // Types narrower than a byte may not divide into whole rows; then the tensor is one row.
    return bytes % count == 0 ? (count, bytes / count) : (1, bytes)
}

/// The names on either side, sorted by bytes.
func keys<Left, Right>(_ left: [String: Left], _ right: [String: Right]) -> [String] {
    Set(left.keys).union(right.keys).sorted(by: isBefore)
}
