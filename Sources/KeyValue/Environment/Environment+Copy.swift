internal import CLMDB
internal import Elements
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
        guard descriptor >= 0 else { throw systemError("create", path) }
        defer { close(descriptor) }
        // Who may read and write the store does not change; the owner only root can give away.
        var status = stat()
        if unsafe stat(self.path + "/data.mdb", &status) == 0 {
            _ = fchown(descriptor, status.st_uid, status.st_gid)
            guard fchmod(descriptor, status.st_mode & 0o7777) == 0 else {
                throw systemError("set the permissions of", path)
            }
        }
        step("copy: begin")
        unsafe try check(
            mdb_env_copyfd2(handle, descriptor, UInt32(MDB_CP_COMPACT)), "mdb_env_copyfd2")
        step("copy: written")
        guard fsync(descriptor) == 0 else { throw systemError("sync", path) }
    }

    package func sizes() throws -> EnvironmentSizes {
        let length = try fileLength(path + "/data.mdb")
        return EnvironmentSizes(file: length, free: try freePageCount() * PageFile.pageSize)
    }
}

/// The length of the file at `path` in bytes.
package func fileLength(_ path: String) throws -> Int {
    var status = stat()
    guard unsafe stat(path, &status) == 0 else { throw systemError("look at", path) }
    return Int(status.st_size)
}
