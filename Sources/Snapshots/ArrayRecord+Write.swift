internal import KeyValue
internal import Objects

extension ArrayRecord {
    /// Change sets of one level in a chain before the next one absorbs them.
    private static let changeSetsPerLevel = 8

    /// Stores the array of `entries` under its root, as changes against `parent` when that is
    /// smaller, and returns the root.
    ///
    /// Does nothing when the root is stored already.
    static func write(
        _ entries: [ArrayEntry], root: ObjectID, parent: ArrayView?,
        _ transaction: borrowing WriteTransaction
    ) throws(SnapshotError) {
        guard try ArrayRecord(root, transaction) == nil else { return }
        guard let parent, parent.count <= entries.count else {
            return try writeFull(entries, root, transaction)
        }
        let previous = parent.entries()
        var changed = Set(
            entries.indices.filter { $0 >= previous.count || entries[$0].id != previous[$0].id })
        // Like a counter in base 8: a change set absorbs the newest ones of its level when these
        // are complete, so that chains stay short and each entry is rewritten rarely.
        var rest = parent.chain[...]
        var level: UInt8 = 0
        while let first = rest.first, !first.isFull, first.level == level {
            let run = rest.prefix { !$0.isFull && $0.level == level }
            guard run.count >= changeSetsPerLevel - 1 else { break }
            for record in run {
                for index in 0..<record.changeCount { changed.insert(record.changedOrdinal(index)) }
            }
            rest = rest.dropFirst(run.count)
            level += 1
        }
        guard let base = rest.first, changed.count * 2 < entries.count else {
            return try writeFull(entries, root, transaction)
        }
        var encoder = header(count: entries.count, changes: changed.count, level, base: base.root)
        let ordinals = changed.sorted()
        for ordinal in ordinals { encoder.append(UInt64(ordinal)) }
        for ordinal in ordinals { encoder.append(entries[ordinal]) }
        try put(root, chunk: 0, encoder.bytes, transaction)
    }

    private static func writeFull(
        _ entries: [ArrayEntry], _ root: ObjectID, _ transaction: borrowing WriteTransaction
    ) throws(SnapshotError) {
        let header = header(count: entries.count, changes: 0, 0, base: .zero)
        try put(root, chunk: 0, header.bytes, transaction)
        for (number, start) in stride(from: 0, to: entries.count, by: chunkEntries).enumerated() {
            var encoder = ByteEncoder()
            for entry in entries[start..<min(start + chunkEntries, entries.count)] {
                encoder.append(entry)
            }
            try put(root, chunk: UInt32(number + 1), encoder.bytes, transaction)
        }
    }

    private static func header(
        count: Int, changes: Int, _ level: UInt8, base: ObjectID
    ) -> ByteEncoder {
        var encoder = ByteEncoder()
        encoder.append(magic)
        encoder.append(UInt32(1))
        encoder.append(level)
        encoder.append(raw: [0, 0, 0, 0, 0, 0, 0])
        encoder.append(UInt64(count))
        encoder.append(UInt64(changes))
        encoder.append(base)
        return encoder
    }

    private static func put(
        _ root: ObjectID, chunk: UInt32, _ bytes: [UInt8],
        _ transaction: borrowing WriteTransaction
    ) throws(SnapshotError) {
        do throws(KeyValueError) {
            let table = transaction.environment.table(table)
            try transaction.put(table, key(root, chunk: chunk), bytes)
        } catch {
            throw SnapshotError(error)
        }
    }

    /// Removes a record with all its chunks.
    static func delete(
        _ root: ObjectID, _ transaction: borrowing WriteTransaction
    ) throws(SnapshotError) {
        do throws(KeyValueError) {
            let table = transaction.environment.table(table)
            var chunk: UInt32 = 0
            while try transaction.delete(table, key(root, chunk: chunk)) { chunk += 1 }
        } catch {
            throw SnapshotError(error)
        }
    }
}

extension ByteEncoder {
    fileprivate mutating func append(_ entry: ArrayEntry) {
        append(entry.id)
        append(entry.location.pack)
        append(entry.location.unit)
    }
}
