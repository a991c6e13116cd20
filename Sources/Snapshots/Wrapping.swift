internal import KeyValue
internal import Objects

/// Runs `body` and carries an object error upwards as a snapshot error.
func wrapped<Result>(_ body: () throws(ObjectError) -> Result) throws(SnapshotError) -> Result {
    do throws(ObjectError) {
        return try body()
    } catch {
        throw SnapshotError(error)
    }
}

extension ObjectReader {
    /// A reader of the transaction's state, with this layer's error type.
    static func of(
        _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws(SnapshotError) -> ObjectReader {
        do throws(ObjectError) {
            return try ObjectReader(transaction)
        } catch {
            throw SnapshotError(error)
        }
    }
}
