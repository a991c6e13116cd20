internal import KeyValue

/// Stores that were copied by hard links (`cp -al`) get files of their own.
extension SnapshotStore {
    /// Gives a store with data of its own a lock file of its own.
    ///
    /// LMDB's lock file tells readers which transaction is the last; shared by two stores that differ, it
    /// tells each what is true of the other.
    /// - Throws: `.busy` when the store is open.
    static func separateLockFile(_ directory: String) throws(SnapshotError) {
        let path = directory + "/lock.mdb"
        guard try isShared(path), try !isShared(directory + "/data.mdb") else { return }
        if Environment.isOnReadOnlyDisk(directory) { return }
        let alone: FileLock
        do throws(SnapshotError) {
            alone = try lock(directory, "use.lock", .exclusive, wait: false)
        } catch  where error.code == .busy {
            throw SnapshotError(
                .busy,
                "\(path) is shared with another store by a hard link, and this store or that one is open; "
                    + "close both and try again")
        }
        do throws(KeyValueError) {
            guard try !EnvironmentRegistry.isOpen(directory) else { return }
            if try isHardLinked(path) { try removeFile(path) }
        } catch {
            throw SnapshotError(error)
        }
        _ = alone
    }

    /// Gives a store files of its own, so that it may be written.
    ///
    /// Only for a caller that holds `use.lock` alone.
    package static func separate(
        _ directory: String, _ observer: (@Sendable (String) -> Void)?
    ) throws(SnapshotError) {
        try separateLocks(directory)
        guard try isShared(directory + "/data.mdb") else { return }
        do throws(KeyValueError) {
            try replaceByCopy(directory, observer)
        } catch {
            throw SnapshotError(error)
        }
    }

    /// Replaces the lock files that are shared with another store.
    ///
    /// Only for a caller that holds `use.lock` alone. Whoever waits for a lock file that is replaced takes the
    /// new one; see ``FileLock``.
    static func separateLocks(_ directory: String) throws(SnapshotError) {
        do throws(KeyValueError) {
            for name in StoreNames.lockFiles + ["lock.mdb"] {
                let path = directory + "/" + name
                if try isHardLinked(path) { try removeFile(path) }
            }
        } catch {
            throw SnapshotError(error)
        }
    }

    static func isShared(_ path: String) throws(SnapshotError) -> Bool {
        do throws(KeyValueError) {
            return try isHardLinked(path)
        } catch {
            throw SnapshotError(error)
        }
    }
}
