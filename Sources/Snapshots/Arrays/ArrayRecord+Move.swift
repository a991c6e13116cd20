internal import Elements
internal import KeyValue
internal import Objects

extension ArrayRecord {
    /// Writes new places into the records that name moved objects.
    ///
    /// - Parameters:
    ///   - moved: New places by old ones.
    ///   - kept: Records that somebody has mapped: they stay as they are.
    static func move(
        _ moved: [Location: Location], keeping kept: Set<ObjectID>,
        _ transaction: borrowing WriteTransaction
    ) throws {
        guard !moved.isEmpty else { return }
        for root in try SnapshotStore.arrayRoots(transaction) where !kept.contains(root) {
            guard let record = try ArrayRecord(root, transaction) else { continue }
            if record.isFull {
                let chunks = (record.count + chunkEntries - 1) / chunkEntries
                for chunk in 0..<chunks {
                    let start = chunk * chunkEntries
                    try rewrite(
                        root, chunk: UInt32(chunk + 1), at: 0,
                        (start..<min(start + chunkEntries, record.count)).map(record.entry), moved,
                        transaction)
                }
            } else {
                try rewrite(
                    root, chunk: 0, at: headerCount + 4 * record.changeCount,
                    (0..<record.changeCount).map(record.changedEntry), moved, transaction)
            }
        }
    }

    /// Replaces the places of `entries`, which begin at `offset` of a value, when any has moved.
    private static func rewrite(
        _ root: ObjectID, chunk: UInt32, at offset: Int, _ entries: [ArrayEntry],
        _ moved: [Location: Location], _ transaction: borrowing WriteTransaction
    ) throws {
        let changed = entries.indices.filter { moved[entries[$0].location] != nil }
        guard !changed.isEmpty else { return }
        let table = transaction.environment.table(table)
        let key = key(root, chunk: chunk)
        guard var bytes = try transaction.checkedValue(table, key) else { return }
        for index in changed {
            guard let place = moved[entries[index].location] else { continue }
            var encoder = ByteEncoder()
            encoder.append(place.pack)
            encoder.append(place.unit)
            let start = offset + index * entryCount
            bytes.replaceSubrange(start..<(start + 8), with: encoder.bytes)
        }
        try transaction.putChecked(table, key, bytes)
    }
}

extension SnapshotStore {
    /// The roots of all stored array records, reachable or not, in order.
    static func arrayRoots(
        _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws -> [ObjectID] {
        var roots: [ObjectID] = []
        let table = transaction.environment.table(ArrayRecord.table)
        try transaction.scan(table) { key, _ in
            if key.count == ObjectID.byteCount + 4 {
                let root = ObjectID(key.raw)
                if roots.last != root { roots.append(root) }
            }
            return true
        }
        return roots
    }
}
