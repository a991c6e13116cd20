internal import Elements
internal import KeyValue
package import Objects

/// Where history ends because the rest was left out by a clone: records of the table of facts about the store,
/// `shallow ` and the commit's id.
extension SnapshotStore {
    private static let shallowPrefix = Array("shallow ".utf8)

    private static func shallowKey(_ id: ObjectID) -> [UInt8] { shallowPrefix + id.bytes }

    static func isShallowKey(_ key: [UInt8]) -> Bool {
        key.starts(with: shallowPrefix) && key.count == shallowPrefix.count + ObjectID.byteCount
    }

    /// Whether the commit's parents were left out.
    static func isShallow(
        _ id: ObjectID, _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws -> Bool {
        let table = transaction.environment.table(metaTable)
        return try transaction.checkedValue(table, shallowKey(id)) != nil
    }

    /// Notes that the commit's parents were left out, or that they are there now.
    static func setShallow(
        _ id: ObjectID, _ isShallow: Bool, _ transaction: borrowing WriteTransaction
    ) throws {
        let table = transaction.environment.table(metaTable)
        if isShallow {
            try transaction.putChecked(table, shallowKey(id), [])
        } else {
            try transaction.delete(table, shallowKey(id))
        }
    }

    /// The commits whose parents were left out.
    package func shallowCommits() throws -> Set<ObjectID> {
        try environment.read { transaction in
            try Self.shallow(transaction)
        }
    }

    static func shallow(
        _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws -> Set<ObjectID> {
        var ids: Set<ObjectID> = []
        let table = transaction.environment.table(metaTable)
        try transaction.scan(table, from: shallowPrefix) { key, _ in
            guard key.starts(with: shallowPrefix) else { return false }
            if isShallowKey(key) {
                let bytes = Array(key.dropFirst(shallowPrefix.count))
                ids.insert(ObjectID(bytes.raw))
            }
            return true
        }
        return ids
    }
}
