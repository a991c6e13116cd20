internal import Elements
internal import Files
internal import KeyValue

/// Stores that were copied by hard links (`cp -al`) get files of their own.
extension SnapshotStore {
    /// Gives a store with data of its own a lock file of its own.
    ///
    /// LMDB's lock file tells readers which transaction is the last; shared by two stores that differ, it
    /// tells each what is true of the other.
    /// - Throws: `.busy` when the store is open.
    static func separateLockFile(_ directory: String) throws {
        let path = directory + "/lock.mdb"
        guard try isShared(path), try !isShared(directory + "/data.mdb") else { return }
        if Environment.isOnReadOnlyDisk(directory) { return }
        let alone: FileLock
        do {
            alone = try lock(directory, "use.lock", .exclusive, wait: false)
        } catch let error as CambiumError where error.code == .busy {
            throw CambiumError(
                .busy,
                "\(path) is shared with another store by a hard link, and this store or that one is open; "
                    + "close both and try again")
        }
        guard try !EnvironmentRegistry.isOpen(directory) else { return }
        if try isHardLinked(path) { try removeFile(path) }
        _ = alone
    }

    /// Gives a store files of its own, so that it may be written.
    ///
    /// Only for a caller that holds `use.lock` alone.
    package static func separate(
        _ directory: String, _ observer: (@Sendable (String) -> Void)?
    ) throws {
        try separateLocks(directory)
        guard try isShared(directory + "/data.mdb") else { return }
        try replaceByCopy(directory, observer)
    }

    /// Replaces the lock files that are shared with another store.
    ///
    /// Only for a caller that holds `use.lock` alone. Whoever waits for a lock file that is replaced takes the
    /// new one; see ``FileLock``.
    static func separateLocks(_ directory: String) throws {
        for name in StoreNames.lockFiles + ["lock.mdb"] {
            let path = directory + "/" + name
            if try isHardLinked(path) { try removeFile(path) }
        }
    }

    static func isShared(_ path: String) throws -> Bool {
        return try isHardLinked(path)
    }
}
