internal import KeyValue
internal import Objects

/// Runs `body` and carries an object error upwards as a snapshot error.
func wrapped<Result>(_ body: () throws -> Result) throws -> Result {
    return try body()
}

extension ObjectReader {
    /// A reader of the transaction's state, with this layer's error type.
    static func of(
        _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws -> ObjectReader {
        return try ObjectReader(transaction)
    }
}
