internal import Elements
internal import KeyValue
internal import Objects
internal import Snapshots

/// Format 3: directories of packs without units, and expert arrays of places with their nodes.
///
/// The data of the objects stay where they are in each pack; an object's unit follows from the
/// sizes before it, so the directory holds its id alone. Arrays hold where each expert lies and the
/// end of its id, and the upper nodes of the hash tree, so that a commit hashes what changed.
struct Migration2To3: Migration {
    let from: UInt32 = 2

    func run(_ transaction: borrowing WriteTransaction) throws {
        // The writing below is the current code's, which looks objects up in an index of its own.
        try IndexVersion2.renew(transaction)
        try rewritePacks(transaction)
        transaction.environment.step("migrate: packs rewritten")
        let arrays = try ArrayVersion1.all(transaction)
        try transaction.clear(transaction.environment.table("arrays"))
        var done: Set<ObjectID> = []
        for root in arrays.keys.sorted() { try write(root, arrays, &done, transaction) }
        transaction.environment.step("migrate: arrays rewritten")
    }

    private func rewritePacks(_ transaction: borrowing WriteTransaction) throws {
        var numbers: [UInt32] = []
        let table = transaction.environment.table(ObjectStore.packTable)
        try transaction.scan(table) { key, _ in
            numbers.append(try PackFormat.packNumber(key))
            return true
        }
        for number in numbers {
            let pack = try PackVersion1.read(number, transaction)
            try ObjectStaging.replacePack(
                number, with: pack.objects.map { ($0.id, $0.header, $0.payload) },
                at: pack.objects.map(\.unit), transaction)
        }
    }

    /// Writes an array after the one that it is based on.
    private func write(
        _ root: ObjectID, _ arrays: [ObjectID: ArrayVersion1], _ done: inout Set<ObjectID>,
        _ transaction: borrowing WriteTransaction
    ) throws {
        guard done.insert(root).inserted else { return }
        guard let array = arrays[root] else {
            throw CambiumError(.corrupt, "expert array \(root.short) is missing; restore a backup")
        }
        if array.base != .zero { try write(array.base, arrays, &done, transaction) }
        try SnapshotStore.storeArray(
            root, base: array.base == .zero ? nil : array.base, count: array.count, array.ids,
            transaction)
    }
}

extension PackVersion1 {
    static func read(
        _ number: UInt32, _ transaction: borrowing WriteTransaction
    ) throws -> PackVersion1 {
        let record: MappedBytes?
        let table = transaction.environment.table(ObjectStore.packTable)
        record = try transaction.mapped(table, PackFormat.key(UInt64(number)))
        guard let record else {
            throw CambiumError(.corrupt, "pack \(number) is missing; restore a backup")
        }
        return try PackVersion1(number: number, record: record)
    }

    /// Every pack of a store.
    static func all(
        _ transaction: borrowing WriteTransaction,
        _ body: (PackVersion1) throws -> Void
    ) throws {
        let table = transaction.environment.table(ObjectStore.packTable)
        try transaction.scan(table) { key, record in
            try body(PackVersion1(number: try PackFormat.packNumber(key), record: record))
            return true
        }
    }
}
