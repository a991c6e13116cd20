internal import Elements
internal import KeyValue
internal import Objects
internal import Snapshots

/// Format 4: references, reflog entries, arrays and the index carry checksums; a table for notes.
///
/// Steps before this one, of the same transaction, leave arrays and an index of the current form.
struct Migration3To4: Migration {
    let from: UInt32 = 3

    func run(_ transaction: borrowing WriteTransaction) throws {
        for name in ["refs", "reflog"] { try seal(name, transaction) }
        transaction.environment.step("migrate: references sealed")
        try IndexVersion2.renew(transaction)
        try ArrayVersion2.renew(transaction)
        transaction.environment.step("migrate: arrays sealed")
        _ = try transaction.create(table: "notes")
    }

    /// Puts a checksum behind every value of a table.
    private func seal(
        _ name: String, _ transaction: borrowing WriteTransaction
    ) throws {
        let table = transaction.environment.table(name)
        var records: [(key: [UInt8], value: [UInt8])] = []
        try transaction.scan(table) { key, value in
            records.append((key, value.copy()))
            return true
        }
        for (key, value) in records { try transaction.putChecked(table, key, value) }
    }
}
