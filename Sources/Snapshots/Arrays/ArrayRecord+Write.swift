internal import KeyValue
internal import Objects

extension ArrayRecord {
    /// Change sets of one level in a chain before the next one absorbs them.
    private static let changeSetsPerLevel = 8

    /// Stores an array under its root, as changes against its base when that is smaller.
    ///
    /// Does nothing when the root is stored already: what is stored is whole (see `Reachability`).
    ///
    /// - Parameter entries: Of each of the edit's ordinals.
    static func write(
        _ edit: ArrayEdit, _ entries: [ArrayEntry], _ transaction: borrowing WriteTransaction
    ) throws {
        guard try ArrayRecord(edit.root, transaction) == nil else { return }
        guard let base = edit.base else {
            return try writeFull(edit.root, entries, edit.nodes, transaction)
        }
        let parent = try ArrayView(base, transaction)
        // What is copied from them would get a right checksum.
        for record in parent.chain where !record.isFull { try record.checkWhole(transaction) }
        // Like a counter in base 8: a change set absorbs the newest ones of its level when these
        // are complete, so that chains stay short and each entry is rewritten rarely.
        var rest = parent.chain[...]
        var level: UInt8 = 0
        var absorbed: [ArrayRecord] = []
        while let first = rest.first, !first.isFull, first.level == level {
            let run = rest.prefix { !$0.isFull && $0.level == level }
            guard run.count >= changeSetsPerLevel - 1 else { break }
            absorbed += run
            rest = rest.dropFirst(run.count)
            level += 1
        }
        let changes = merged(edit, entries, absorbed)
        guard let kept = rest.first, changes.count * 2 < edit.count else {
            return try writeFull(edit, entries, parent, transaction)
        }
        var encoder = header(count: edit.count, changes: changes.count, level, base: kept.root)
        for (ordinal, _) in changes { encoder.append(UInt32(ordinal)) }
        for (_, entry) in changes { encoder.append(entry) }
        for height in storedHeights(edit.count) {
            let indexes = distinct(changes.map { UInt32($0.ordinal >> (4 * height)) })
            let nodes = try edit.nodes(height: height, indexes, parent)
            encoder.append(UInt32(nodes.indexes.count))
            for index in nodes.indexes { encoder.append(index) }
            for id in nodes.ids { encoder.append(id) }
        }
        try put(edit.root, chunk: 0, encoder.bytes, transaction)
    }

    /// The changes of an edit and of the change sets that it absorbs, newest first, by ordinal.
    private static func merged(
        _ edit: ArrayEdit, _ entries: [ArrayEntry], _ absorbed: [ArrayRecord]
    ) -> [(ordinal: Int, entry: ArrayEntry)] {
        let own = zip(edit.ordinals, entries).map { (ordinal: $0, entry: $1) }
        guard !absorbed.isEmpty else { return own }
        var newest: [Int: ArrayEntry] = [:]
        for record in absorbed.reversed() {
            for index in 0..<record.changeCount {
                newest[record.changedOrdinal(index)] = record.changedEntry(index)
            }
        }
        for (ordinal, entry) in own { newest[ordinal] = entry }
        return newest.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    private static func writeFull(
        _ edit: ArrayEdit, _ entries: [ArrayEntry], _ parent: ArrayView,
        _ transaction: borrowing WriteTransaction
    ) throws {
        for record in parent.chain where record.isFull { try record.checkWhole(transaction) }
        var all = parent.entries(0..<edit.count)
        for (ordinal, entry) in zip(edit.ordinals, entries) { all[ordinal] = entry }
        var nodes = ArrayNodes()
        for height in storedHeights(edit.count) {
            let indexes = (0..<ExpertArray.nodeCount(edit.count, height: height)).map(UInt32.init)
            nodes.levels.append(try edit.nodes(height: height, indexes, parent))
        }
        try writeFull(edit.root, all, nodes, transaction)
    }

    private static func writeFull(
        _ root: ObjectID, _ entries: [ArrayEntry], _ nodes: ArrayNodes,
        _ transaction: borrowing WriteTransaction
    ) throws {
        let header = header(count: entries.count, changes: 0, 0, base: .zero)
        try put(root, chunk: 0, header.bytes, transaction)
        var number: UInt32 = 1
        for start in stride(from: 0, to: entries.count, by: chunkEntries) {
            let slice = entries[start..<min(start + chunkEntries, entries.count)]
            var encoder = ByteEncoder(capacity: slice.count * entryCount)
            for entry in slice { encoder.append(entry) }
            try put(root, chunk: number, encoder.bytes, transaction)
            number += 1
        }
        let ids = nodes.levels.flatMap(\.ids)
        for start in stride(from: 0, to: ids.count, by: chunkNodes) {
            let slice = ids[start..<min(start + chunkNodes, ids.count)]
            var encoder = ByteEncoder(capacity: slice.count * ObjectID.byteCount)
            for id in slice { encoder.append(id) }
            try put(root, chunk: number, encoder.bytes, transaction)
            number += 1
        }
    }

    private static func header(
        count: Int, changes: Int, _ level: UInt8, base: ObjectID
    ) -> ByteEncoder {
        var encoder = ByteEncoder()
        encoder.append(magic)
        encoder.append(version)
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
    ) throws {
        let table = transaction.environment.table(table)
        try transaction.putChecked(table, key(root, chunk: chunk), bytes)
    }

    /// Removes a record with all its chunks.
    static func delete(
        _ root: ObjectID, _ transaction: borrowing WriteTransaction
    ) throws {
        let table = transaction.environment.table(table)
        var chunk: UInt32 = 0
        while try transaction.delete(table, key(root, chunk: chunk)) { chunk += 1 }
    }
}

extension ByteEncoder {
    fileprivate mutating func append(_ entry: ArrayEntry) {
        append(entry.location.pack)
        append(entry.location.unit)
        append(entry.check)
    }
}
