internal import KeyValue
internal import Snapshots

/// Format 5: commits store small changes as differences, sparse sections in compressed blocks, and longer chains.
///
/// What format 4 wrote is a case of it, so no record changes; but a program that knows format 4 cannot read what
/// will be written.
struct Migration4To5: Migration {
    let from: UInt32 = 4

    func run(_ transaction: borrowing WriteTransaction) throws {
        transaction.environment.step("migrate: differences allowed")
    }
}
