internal import Elements
internal import Files
package import KeyValue
internal import Objects

/// One store directory: its environment, its locks and its format.
///
/// The operations live in extensions, one file each.
package final class SnapshotStore: Sendable {
    /// The format that this version writes (docs/format.md).
    package static let format: UInt32 = 5
    static let metaTable = ObjectStore.metaTable
    static let referenceTable = "refs"
    static let reflogTable = "reflog"
    /// Facts about commits that were learned after them.
    package static let noteTable = "notes"
    package static let tables = [
        metaTable, referenceTable, reflogTable, ArrayRecord.table, ObjectStore.packTable,
        ObjectStore.indexTable, noteTable,
    ]
    /// Tables that stores of earlier formats lack.
    package static let laterTables: Set<String> = [noteTable]
    static let formatKey = Array("format".utf8)
    /// The checksum of the format number, apart from it: every version reads the number alone.
    static let formatCheckKey = Array("format check".utf8)

    package let directory: String
    package let environment: Environment

    private init(_ directory: String, _ environment: Environment) {
        self.directory = directory
        self.environment = environment
    }

    /// Opens the store in `directory`.
    ///
    /// - Parameters:
    ///   - readOnly: Never writes, waits for no writer, and works on a read-only disk.
    ///   - observer: Called at each step that changes the disk (tests).
    /// - Throws: `.notAStore`, `.formatTooOld` (migrate), `.formatTooNew`, `.hardLinked`.
    package static func open(
        _ directory: String, readOnly: Bool = false,
        observer: (@Sendable (String) -> Void)? = nil
    ) throws -> SnapshotStore {
        guard fileExists(directory + "/data.mdb") else {
            throw CambiumError(
                .notAStore,
                "\(directory) is not a cambium store (it has no data.mdb); "
                    + "`cambium init \(directory)` makes one")
        }
        // Before anything is made in a folder that is none of ours.
        try Environment.checkFile(directory + "/data.mdb")
        try separateLockFile(directory)
        var use: FileLock?
        do {
            use = try lock(directory, "use.lock", .shared, wait: true)
        } catch let error as CambiumError where error.code == .readOnly && readOnly {
            // Nobody can repack a store on a disk that cannot be written.
            guard Environment.isOnReadOnlyDisk(directory) else { throw error }
            use = nil
        }
        let store: SnapshotStore
        let environment = try EnvironmentRegistry.open(
            directory, tables: tables, optional: laterTables, readOnly: readOnly, use: use,
            observer: observer)
        store = SnapshotStore(directory, environment)
        let found = try store.storedFormat()
        guard found <= format else {
            throw CambiumError(
                .formatTooNew,
                "\(directory) has format \(found); this cambium knows up to \(format). Update it")
        }
        guard found == format else {
            throw CambiumError(
                .formatTooOld,
                "\(directory) has format \(found), this cambium writes \(format). "
                    + "Run `cambium migrate --store \(directory)`")
        }
        for table in laterTables where !store.environment.hasTable(table) {
            throw CambiumError(
                .corrupt,
                "\(directory) has format \(format) but no table '\(table)': damaged on disk. "
                    + "Restore it from a backup")
        }
        if !readOnly { try store.keepReserve() }
        return store
    }

    /// Opens the store for a caller that holds `use.lock` alone.
    static func openAlone(
        _ directory: String, _ observer: (@Sendable (String) -> Void)?
    ) throws -> SnapshotStore {
        return SnapshotStore(
            directory,
            try EnvironmentRegistry.open(
                directory, tables: tables, optional: laterTables, readOnly: false,
                observer: observer))
    }

    /// The format number that the store carries.
    package func storedFormat() throws -> UInt32 {
        try environment.read { transaction in
            try Self.storedFormat(transaction)
        }
    }

    package static func storedFormat(
        _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws -> UInt32 {
        let environment = transaction.environment
        let table = environment.table(metaTable)
        let value = try transaction.value(table, formatKey)
        // Formats before 4 have no checksum.
        if let check = try transaction.value(table, formatCheckKey),
            value.map({ CheckedValue.checksum($0.raw, table, formatKey) }) != check
        {
            throw CambiumError(
                .corrupt,
                "the format number of \(environment.path) is damaged on disk. Restore the store "
                    + "from a backup")
        }
        guard let value, value.count == 4 else {
            throw CambiumError(
                .notAStore, "\(environment.path) has no format number: not a cambium store")
        }
        return UInt32(littleEndianBytes: value)
    }

    /// Writes the format number; for `create` and migrations.
    package static func setFormat(
        _ format: UInt32, _ transaction: borrowing WriteTransaction
    ) throws {
        var encoder = ByteEncoder()
        encoder.append(format)
        let table = transaction.environment.table(metaTable)
        try transaction.put(table, formatKey, encoder.bytes)
        // Earlier formats have no checksum of it.
        if format >= 4 {
            try transaction.put(
                table, formatCheckKey,
                CheckedValue.checksum(encoder.bytes.raw, table, formatKey))
        } else {
            try transaction.delete(table, formatCheckKey)
        }
    }

    static func lock(
        _ directory: String, _ name: String, _ mode: FileLock.Mode, wait: Bool
    ) throws -> FileLock {
        let path = directory + "/" + name
        do {
            return try FileLock(path: path, mode, wait: wait)
        } catch let error as CambiumError
            where error.code == .readOnly && !Environment.isOnReadOnlyDisk(directory)
        {
            // A missing one is made by whoever may write.
            throw CambiumError(
                .readOnly,
                "\(error.message). Who reads a store must be able to read its lock files: its owner lets "
                    + "others read with `touch \(path) && chmod a+r \(path)`")
        }
    }

    /// Held shared by whoever stages a commit, alone by a collection while it removes.
    func maintenanceLock(_ mode: FileLock.Mode, wait: Bool) throws -> FileLock {
        do {
            return try Self.lock(directory, "maintenance.lock", mode, wait: wait)
        } catch let error as CambiumError where error.code == .busy {
            throw CambiumError(
                .busy, "a commit or a collection is under way in \(directory); try again later")
        }
    }

    /// Frees what commits wrote ahead that were killed, unless one is under way.
    func freeAbandoned() throws {
        let environment = environment
        func abandoned() throws -> [[UInt8]] {
            try environment.read { transaction in
                try StagedPacks.keys(transaction)
            }
        }
        guard try !abandoned().isEmpty else { return }
        let alone: FileLock
        do {
            alone = try maintenanceLock(.exclusive, wait: false)
        } catch let error as CambiumError where error.code == .busy {
            return
        }
        // Listed again: now no staging is under way.
        let keys = try abandoned()
        do {
            try StagedPacks.free(environment, keys)
        } catch let error as CambiumError where error.isDiskFull {
            // Whether there is room for the commit, it finds out itself.
        }
        _ = alone
    }
}

extension UInt32 {
    init(littleEndianBytes bytes: [UInt8]) {
        self = bytes.reversed().reduce(0) { $0 << 8 | UInt32($1) }
    }
}
