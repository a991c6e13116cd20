internal import Elements
internal import KeyValue
package import Objects

extension SnapshotStore {
    /// Bytes of the tensors and experts that each of some commits brought: that no commit before it in the list has.
    ///
    /// As they are in a checkpoint, neither compressed nor as differences.
    ///
    /// - Complexity: Reads the records of each tree, and of an array what changed since one that was read.
    package func growth(of commits: [ObjectID]) throws -> [Int] {
        try environment.read { transaction in
            let reader = try ObjectReader(transaction)
            var known = KnownContents(try ObjectReader.lastPack(transaction))
            return try commits.map { id in
                try known.add(
                    try Self.commit(id, reader, transaction).tree, reader, transaction)
            }
        }
    }
}

/// What some trees consist of, each tensor and expert once.
private struct KnownContents {
    /// Trees, trunks, layers, tensors and arrays.
    private var ids: Set<ObjectID> = []
    private var experts: PlaceMarks

    init(_ lastPack: UInt32) { experts = PlaceMarks(lastPack: lastPack) }

    /// Adds a tree.
    ///
    /// - Returns: Bytes of what it has and no tree had before.
    mutating func add(
        _ tree: ObjectID, _ reader: ObjectReader,
        _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws -> Int {
        guard ids.insert(tree).inserted else { return 0 }
        let record = try SnapshotStore.treeRecord(tree, reader, transaction)
        var bytes = 0
        if ids.insert(record.trunk).inserted {
            let trunk = try Trunk(decoding: try reader.data(record.trunk, transaction).bytes)
            bytes += add(trunk.tensors)
        }
        for id in record.layers.values where ids.insert(id).inserted {
            let layer = try Layer(decoding: try reader.data(id, transaction).bytes)
            for pool in layer.pools.values {
                bytes += add(pool.router)
                bytes += try add(pool, transaction)
            }
        }
        return bytes
    }

    private mutating func add(_ tensors: [String: StoredTensor]) -> Int {
        var bytes = 0
        for tensor in tensors.values where ids.insert(tensor.id).inserted {
            bytes += tensor.shape.byteCount ?? 0
        }
        return bytes
    }

    private mutating func add(
        _ pool: ExpertPool, _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws -> Int {
        guard !ids.contains(pool.experts) else { return 0 }
        let view = try ArrayView(pool.experts, transaction)
        let entries: [ArrayEntry]
        if let base = view.chain.firstIndex(where: { ids.contains($0.root) }) {
            var touched: Set<Int> = []
            for record in view.chain[..<base] {
                for index in 0..<record.changeCount { touched.insert(record.changedOrdinal(index)) }
            }
            entries = touched.filter { $0 < view.count }.map { view.entry($0) }
        } else {
            entries = view.entries()
        }
        ids.insert(pool.experts)
        let before = experts.count
        for entry in entries where !entry.isAbsent { experts.insert(entry.location) }
        return (experts.count - before) * pool.expertByteCount
    }
}
