internal import Elements
internal import Files
internal import Glibc

/// LMDB's lock file, which holds the table of readers and the lock of writers.
extension Environment {
    /// Makes LMDB's lock file ready, with its disk space.
    ///
    /// LMDB makes it sparse and writes to it through a map; on a full disk the first touch of a
    /// page would end the process (SIGBUS). No lock is lost: this process does not have the
    /// environment open. The length stays what LMDB makes it: the constant is not above it.
    ///
    /// - Returns: False when the disk cannot be written: then nobody can write the store by this path, and
    ///   LMDB goes without.
    /// - Throws: `.readOnly` when this user may not write the file.
    static func prepareLockFile(
        _ directory: String, readOnly: Bool
    ) throws -> Bool {
        let path = directory + "/lock.mdb"
        let descriptor: Int32
        do {
            descriptor = try openStoreFile(path, O_RDWR | O_CREAT)
        } catch let error as CambiumError {
            guard readOnly, error.code == .readOnly else { throw error }
            if isOnReadOnlyDisk(directory) { return false }
            let isThere = fileExists(path)
            throw CambiumError(
                .readOnly,
                "\(path) cannot be written, where each reader of a store takes a place. Its owner "
                    + (isThere
                        ? "" : "makes the file by any command that reads or writes the store, and ")
                    + "lets others read with `chmod a+rw \(path)`")
        }
        defer { close(descriptor) }
        // mdb.c: 64 bytes per reader and a header.
        let length = 64 * maximumReaders
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else { throw storeError("look at", path) }
        guard Int(status.st_blocks) * 512 < length else { return true }
        let number = posix_fallocate(descriptor, 0, off_t(length))
        // File systems that cannot reserve take the risk.
        if [ENOSPC, EDQUOT, EFBIG].contains(number) { throw storeError("reserve", path, number) }
        return true
    }

    /// Whether LMDB may take a file for its lock file: it overwrites what it finds.
    ///
    /// mdb.c, MDB_txninfo: the file begins with the magic number 0xBEEFC0DE; before LMDB has written it, it
    /// is empty or zero.
    package static func isLockFile(_ path: String) throws -> Bool {
        let start = try readStoreFile(path, limit: 4)
        guard start.count == 4 else { return start.isEmpty }
        let magic: UInt32 = start.raw.number(at: 0)
        return magic == 0 || magic == 0xBEEF_C0DE
    }

    /// Whether nothing can be written by this path, be it that the disk is mounted so or only here.
    package static func isOnReadOnlyDisk(_ path: String) -> Bool {
        var status = statvfs()
        return unsafe statvfs(path, &status) == 0 && status.f_flag & UInt(ST_RDONLY) != 0
    }
}
