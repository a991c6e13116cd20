package import Elements
package import KeyValue

/// The packs that a staging wrote ahead of the transaction that indexes them.
///
/// The store names them in a record, which is written in the transactions that write the packs and
/// removed in the one that indexes them: so what a process left that died is found and freed, at once by
/// itself when a signal ends it, else by the next commit or collection.
package final class StagedPacks: Sendable {
    static let prefix = Array("staged ".utf8)

    let environment: Environment
    let key: [UInt8]

    init(_ environment: Environment) {
        self.environment = environment
        key = Self.prefix + (0..<8).map { _ in UInt8.random(in: 0...255) }
    }

    deinit { Stagings.remove(self) }

    /// Names packs that the transaction writes.
    func add(
        _ numbers: [UInt32], _ transaction: borrowing WriteTransaction
    ) throws {
        guard !numbers.isEmpty else { return }
        let table = environment.table(ObjectStore.metaTable)
        var encoder = ByteEncoder()
        if let before = try transaction.checkedValue(table, key) { encoder.append(raw: before) }
        for number in numbers { encoder.append(number) }
        try transaction.putChecked(table, key, encoder.bytes)
        Stagings.add(self)
    }

    /// Forgets the packs, which the transaction indexes.
    func settle(_ transaction: borrowing WriteTransaction) throws {
        try transaction.delete(environment.table(ObjectStore.metaTable), key)
    }

    /// Frees what this staging wrote and did not settle.
    func free() throws {
        let isNamed = try environment.read { transaction in
            try Self.keys(transaction).contains(key)
        }
        if isNamed { try Self.free(environment, [key]) }
    }

    /// The records of stagings that are under way or were left.
    package static func keys(
        _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws -> [[UInt8]] {
        var keys: [[UInt8]] = []
        let table = transaction.environment.table(ObjectStore.metaTable)
        try transaction.scan(table, from: prefix) { key, _ in
            if isRecord(key) { keys.append(key) }
            return key.starts(with: prefix)
        }
        return keys
    }

    /// Removes the packs that records name, and then the records; a damaged record frees nothing.
    ///
    /// Only for a caller who knows that none of these stagings is under way. A pack of which the index names
    /// an object stays, whatever the record says.
    ///
    /// Two transactions: LMDB gives pages out again that were freed before the last one, so the next commit
    /// writes into them.
    package static func free(_ environment: Environment, _ keys: [[UInt8]]) throws {
        // A damaged record is for a verification; it must not cost each commit two transactions.
        let keys = try environment.read { transaction in
            try keys.filter { try numbers($0, transaction) != nil }
        }
        guard !keys.isEmpty else { return }
        try environment.write("free staged packs", drawsReserve: true) {
            transaction in
            let reader = try ObjectReader(transaction)
            var unused: [UInt32] = []
            for key in keys {
                for number in try numbers(key, transaction) ?? []
                where try reader.isUnused(number, transaction) { unused.append(number) }
            }
            let table = environment.table(ObjectStore.packTable)
            for number in unused {
                try transaction.delete(table, PackFormat.key(UInt64(number)))
            }
        }
        try environment.write("forget staged packs", drawsReserve: true) {
            transaction in
            var intact: [[UInt8]] = []
            for key in keys where try numbers(key, transaction) != nil { intact.append(key) }
            try forget(intact, transaction)
        }
    }

    /// Removes records alone.
    package static func forget(
        _ keys: [[UInt8]], _ transaction: borrowing WriteTransaction
    ) throws {
        let table = transaction.environment.table(ObjectStore.metaTable)
        for key in keys { try transaction.delete(table, key) }
    }

    /// The packs that a record names; nil when it is damaged, which is for a verification to tell.
    private static func numbers(
        _ key: [UInt8], _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws -> [UInt32]? {
        let table = transaction.environment.table(ObjectStore.metaTable)
        let value: MappedBytes? = try transaction.mapped(table, key)
        guard let value, isIntact(key, value, table) else { return nil }
        let bytes = value.bytes
        let count = (value.count - CheckedValue.checksumCount) / 4
        return (0..<count).map { bytes.number(at: $0 * 4, as: UInt32.self) }
    }

    /// Whether `key` is that of a record.
    package static func isRecord(_ key: [UInt8]) -> Bool {
        key.starts(with: prefix) && key.count == prefix.count + 8
    }

    /// Whether a record is what was written.
    package static func isIntact(_ key: [UInt8], _ value: MappedBytes, _ table: Table) -> Bool {
        CheckedValue.isIntact(value, table, key)
            && (value.count - CheckedValue.checksumCount) % 4 == 0
    }
}

extension ObjectReader {
    /// Whether a pack is there and the index names nothing in it; a damaged one is left to a collection.
    fileprivate func isUnused(
        _ number: UInt32, _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws -> Bool {
        do {
            guard let pack = try Self.packIfPresent(number, transaction) else { return false }
            return try !names(pack, transaction)
        } catch let error as CambiumError where error.code == .corrupt {
            return false
        }
    }

    /// Whether the index names an object at its place in the pack.
    fileprivate func names(
        _ pack: Pack, _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws -> Bool {
        for index in 0..<pack.count {
            let place = pack.location(index)
            if try locations(of: pack.id(index), transaction).contains(place) { return true }
        }
        return false
    }
}
