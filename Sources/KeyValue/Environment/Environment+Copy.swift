internal import CLMDB
internal import Elements
internal import Files
internal import Glibc

/// Sizes of an environment's file, in bytes.
package struct EnvironmentSizes: Sendable {
    /// Length of data.mdb.
    package let file: Int
    /// Pages that later commits may reuse.
    package let free: Int
}

extension Environment {
    /// Writes a copy without free pages to `path` (a file that must not exist) and syncs it.
    ///
    /// Readers and writers go on meanwhile; the copy is one consistent state.
    package func copyCompacted(to path: String) throws {
        TemporaryFiles.add(path)
        let descriptor = openDescriptor(path, O_WRONLY | O_CREAT | O_EXCL)
        guard descriptor >= 0 else { throw storeError("create", path) }
        defer { close(descriptor) }
        // Who may read and write the store does not change; the owner only root can give away.
        var status = stat()
        if unsafe stat(self.path + "/data.mdb", &status) == 0 {
            _ = fchown(descriptor, status.st_uid, status.st_gid)
            guard fchmod(descriptor, status.st_mode & 0o7777) == 0 else {
                throw storeError("set the permissions of", path)
            }
        }
        step("copy: begin")
        unsafe try check(
            mdb_env_copyfd2(handle, descriptor, UInt32(MDB_CP_COMPACT)), "mdb_env_copyfd2")
        step("copy: written")
        guard fsync(descriptor) == 0 else { throw storeError("sync", path) }
    }

    package func sizes() throws -> EnvironmentSizes {
        let length = try fileLength(path + "/data.mdb")
        return EnvironmentSizes(file: length, free: try freePageCount() * PageFile.pageSize)
    }
}

/// Renames a file to a name that must be free, and syncs the directory.
///
/// - Throws: `.exists` when something is there.
package func placeFile(_ path: String, from source: String, in directory: String) throws {
    var code = unsafe cambium_rename_new(source, path) == 0 ? 0 : errno
    // A file system that cannot promise it: then the look and the renaming are two steps.
    if code == EINVAL || code == ENOSYS {
        code = fileExists(path) ? EEXIST : unsafe rename(source, path) == 0 ? 0 : errno
    }
    guard code != EEXIST else { throw CambiumError(.exists, "\(path) exists already") }
    guard code == 0 else { throw storeError("rename a file to", path, code) }
    try syncFolder(directory)
}
