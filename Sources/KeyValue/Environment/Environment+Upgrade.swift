internal import CLMDB
internal import Elements
internal import Files
internal import Glibc
internal import Synchronization

/// What an environment that was opened for reading writes by.
@safe struct WritingHandle: @unchecked Sendable {
    // lmdb.h, "Caveats": "A thread may use mdb_env handles from several threads".
    var handle: OpaquePointer?
    /// Of the lock file, with a lock that lasts until all is closed; -1 before it is needed.
    var lock: Int32 = -1

    /// Only together with the handle that reads.
    @unsafe func close() {
        if let handle = unsafe handle { unsafe mdb_env_close(handle) }
        if lock >= 0 { Glibc.close(lock) }
    }
}

extension Environment {
    /// Makes an environment that was opened for reading writable as well; what is mapped stays where it is.
    ///
    /// lmdb.h, "Caveats", warns of opening a file twice in a process, for two reasons. Closing one handle
    /// drops the other's locks: here both are closed at once. And a process does not exclude itself, so the
    /// second opening would take the lock file for unused and clear the table of readers while this process
    /// stands in it: so its byte is locked by a descriptor of its own first, which the second opening meets as
    /// it would meet another process.
    ///
    /// - Throws: `.readOnly` when this user or disk does not allow to write.
    func beginWriting() throws {
        guard isReadOnly else { return }
        guard opening == .reading else {
            throw CambiumError(
                .readOnly, "\(path) was opened on a disk that could not be written; close it first")
        }
        try Self.checkUnshared(path)
        // Most of what could fail fails here, where no lock is at stake.
        close(try openStoreFile(path + "/data.mdb", O_RDWR))
        try writer.withLock { writer in
            guard unsafe writer.handle == nil else { return }
            if writer.lock < 0 { writer.lock = try openStoreFile(path + "/lock.mdb", O_RDWR) }
            guard cambium_keep_lock_shared(writer.lock) == 0 else {
                throw storeError("lock", path + "/lock.mdb")
            }
            do {
                let opened = try unsafe Self.open(path, tableNames, optionalTables, .writing)
                // Numbers are given in the order of opening, which is the same.
                precondition(
                    unsafe opened.tables.allSatisfy { $0.value.handle == table($0.key).handle },
                    "the tables of \(path) have other numbers in the handle that writes")
                unsafe writer.handle = unsafe opened.handle
            } catch {
                // The handle that was closed took the process's locks with it.
                guard cambium_restore_locks(writer.lock) == 0 else {
                    throw storeError("lock again", path + "/lock.mdb")
                }
                throw error
            }
        }
    }
}
