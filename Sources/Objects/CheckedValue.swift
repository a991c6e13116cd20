package import Elements
package import KeyValue

/// A value of a table that carries a checksum, so that a flipped bit of it or of its key is found.
///
/// Stored are the bytes and behind them the first half of the SHA-256 of the table's name, the key
/// and the bytes. So a value that turns up under another key or in another table is damaged too.
package enum CheckedValue {
    package static let checksumCount = 16

    /// The value to store for `bytes`.
    package static func seal(_ bytes: [UInt8], _ table: Table, _ key: [UInt8]) -> [UInt8] {
        var value = bytes
        value.append(contentsOf: checksum(bytes.raw, table, key))
        return value
    }

    /// Whether a stored value is what was written under this key.
    ///
    /// - Complexity: Hashes the whole value in place.
    package static func isIntact(_ value: MappedBytes, _ table: Table, _ key: [UInt8]) -> Bool {
        let count = value.count - checksumCount
        guard count >= 0 else { return false }
        let bytes = value.bytes
        return checksum(bytes.extracting(0..<count), table, key)
            .elementsEqual(bytes.copy(count..<value.count))
    }

    /// The bytes of a stored value, copied; nil when it is damaged.
    package static func open(_ value: MappedBytes, _ table: Table, _ key: [UInt8]) -> [UInt8]? {
        guard isIntact(value, table, key) else { return nil }
        return value.bytes.copy(0..<(value.count - checksumCount))
    }

    /// The checksum alone.
    package static func checksum(_ bytes: RawSpan, _ table: Table, _ key: [UInt8]) -> [UInt8] {
        var prefix = ByteEncoder()
        prefix.append(table.name)
        prefix.append(UInt32(key.count))
        prefix.append(raw: key)
        return Array(ObjectID(hashing: prefix.bytes, bytes).bytes.prefix(checksumCount))
    }
}

extension TransactionAccess where Self: ~Copyable {
    /// The bytes of a checked value, copied; nil when the key is not there.
    ///
    /// - Throws: `.corrupt` when they or the key are damaged.
    package func checkedValue(_ table: Table, _ key: [UInt8]) throws -> [UInt8]? {
        guard let value = try mapped(table, key) else { return nil }
        guard let bytes = CheckedValue.open(value, table, key) else {
            throw CambiumError(
                .corrupt,
                "a record of the table '\(table.name)' does not match its checksum: damaged on disk;"
                    + " run `cambium verify`, and restore the store from a backup")
        }
        return bytes
    }
}

extension WriteTransaction {
    /// Stores `bytes` under `key` as a checked value, replacing what was there.
    package func putChecked(
        _ table: Table, _ key: [UInt8], _ bytes: [UInt8]
    ) throws {
        try put(table, key, CheckedValue.seal(bytes, table, key))
    }
}
