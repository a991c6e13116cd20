internal import KeyValue
internal import Objects

extension SnapshotStore {
    /// Makes a new, empty store with the branch `branch` checked out.
    ///
    /// The directory is created; an existing one must not hold a store.
    ///
    /// The file is made aside and put in place by one rename: where there is a `data.mdb`, it is a
    /// whole store.
    /// - Throws: `.exists`, `.badName`.
    package static func create(
        at directory: String, branch: String = "main",
        observer: (@Sendable (String) -> Void)? = nil
    ) throws(SnapshotError) {
        try checkName(branch, "branch")
        do throws(KeyValueError) {
            try makeDirectory(directory)
        } catch {
            throw SnapshotError(error)
        }
        // Looked at twice: whoever has a store open holds its lock, and two may create at once.
        let exists = SnapshotError(.exists, "\(directory) holds a store already")
        guard !fileExists(directory + "/data.mdb") else { throw exists }
        let alone = try lock(directory, "use.lock", .exclusive, wait: true)
        guard !fileExists(directory + "/data.mdb") else { throw exists }
        let aside = directory + "/init"
        do throws(KeyValueError) {
            try makeDirectory(directory + "/leases")
            try makeDirectory(aside)
            // Left over from an attempt that was interrupted.
            try removeFiles(in: aside)
        } catch {
            throw SnapshotError(error)
        }
        try writeEmpty(aside, branch, observer)
        do throws(KeyValueError) {
            observer?("init: before rename")
            try replaceFile(directory + "/data.mdb", with: aside + "/data.mdb", in: directory)
            observer?("init: after rename")
            try removeFiles(in: aside)
            try removeDirectory(aside)
        } catch {
            throw SnapshotError(error)
        }
        Reserve.keep(in: directory, size: 1 << 20)
        _ = alone
    }

    /// Writes an empty store's file and closes it.
    private static func writeEmpty(
        _ directory: String, _ branch: String, _ observer: (@Sendable (String) -> Void)?
    ) throws(SnapshotError) {
        let environment: Environment
        do throws(KeyValueError) {
            environment = try EnvironmentRegistry.open(
                directory, tables: tables, readOnly: false, creating: true, observer: observer)
        } catch {
            throw SnapshotError(error)
        }
        try environment.write("init") { (transaction) throws(SnapshotError) in
            try setFormat(format, transaction)
            do throws(KeyValueError) {
                try transaction.putChecked(
                    transaction.environment.table(referenceTable), Head.key,
                    Head.branch(branch).encoded)
            } catch {
                throw SnapshotError(error)
            }
        }
    }

    private static func removeFiles(in directory: String) throws(KeyValueError) {
        for name in try directoryContents(directory) { try removeFile(directory + "/" + name) }
    }
}
