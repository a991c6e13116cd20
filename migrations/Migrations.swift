internal import Elements
internal import Files
internal import KeyValue
internal import Snapshots

/// One step from a format to the next, inside the one transaction of the whole migration.
///
/// A step never changes once it shipped: it reads what that version wrote.
protocol Migration: Sendable {
    /// The format that it starts from; it ends at the next number.
    var from: UInt32 { get }

    func run(_ transaction: borrowing WriteTransaction) throws
}

/// Brings a store to the current format, in place.
package enum Migrations {
    /// What a migration did; equal numbers when there was nothing to do.
    package struct Outcome: Sendable, Equatable {
        package let from: UInt32
        package let to: UInt32

        package init(from: UInt32, to: UInt32) {
            self.from = from
            self.to = to
        }
    }

    /// Every step, in order.
    private static let steps: [any Migration] = [
        Migration1To2(), Migration2To3(), Migration3To4(), Migration4To5(),
    ]

    /// Runs the steps that the store needs, in one transaction: killed at any point, the store has
    /// the old format or the new one, whole.
    ///
    /// - Parameter observer: Called at each step that changes the disk (tests).
    /// - Throws: `.notAStore`, `.formatTooNew`, `.busy` when anyone has the store open, `.corrupt`
    ///   when the store is damaged; then it is as it was.
    package static func migrate(
        directory: String, observer: (@Sendable (String) -> Void)? = nil
    ) throws -> Outcome {
        guard fileExists(directory + "/data.mdb") else {
            throw CambiumError(
                .notAStore, "\(directory) is not a cambium store (it has no data.mdb)")
        }
        return try SnapshotStore.alone(directory, "migrate") {
            try SnapshotStore.separate(directory, observer)
            let environment: Environment = try EnvironmentRegistry.open(
                directory, tables: SnapshotStore.tables, optional: SnapshotStore.laterTables,
                readOnly: false, observer: observer)
            let from = try environment.read { transaction in
                try SnapshotStore.storedFormat(transaction)
            }
            guard from != SnapshotStore.format else { return Outcome(from: from, to: from) }
            try checkRange(from, directory)
            try environment.write("migrate") { transaction in
                for step in steps where step.from >= from {
                    try step.run(transaction)
                    try SnapshotStore.setFormat(step.from + 1, transaction)
                    environment.step("migrate: format \(step.from + 1)")
                }
            }
            return Outcome(from: from, to: SnapshotStore.format)
        }
    }

    private static func checkRange(
        _ format: UInt32, _ directory: String
    ) throws {
        guard format <= SnapshotStore.format else {
            throw CambiumError(
                .formatTooNew,
                "\(directory) has format \(format); this cambium knows up to "
                    + "\(SnapshotStore.format). Update it")
        }
        guard let first = steps.first, format >= first.from else {
            throw CambiumError(
                .notAStore, "\(directory) has format \(format), which no version ever wrote")
        }
    }
}
