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
    package func copyCompacted(to path: String) throws(KeyValueError) {
        let descriptor = openDescriptor(path, O_WRONLY | O_CREAT | O_EXCL)
        guard descriptor >= 0 else { throw systemError("create", path) }
        defer { close(descriptor) }
        step("copy: begin")
        unsafe try check(
            mdb_env_copyfd2(handle, descriptor, UInt32(MDB_CP_COMPACT)), "mdb_env_copyfd2")
        step("copy: written")
        guard fsync(descriptor) == 0 else { throw systemError("sync", path) }
    }

    package func sizes() throws(KeyValueError) -> EnvironmentSizes {
        var stat = MDB_stat()
        unsafe try check(mdb_env_stat(handle, &stat), "mdb_env_stat")
        let pageSize = Int(stat.ms_psize)
        let length = try fileLength(path + "/data.mdb")
        let free = try read { (transaction) throws(KeyValueError) in
            var pages = 0
            // Table 0 is LMDB's own list of free pages: each value starts with its length.
            let freeList = Table(handle: 0, name: "free pages")
            try transaction.scan(freeList) { (_, value) throws(KeyValueError) in
                let count = value.count >= 8 ? value.bytes.number(at: 0, as: UInt64.self) : 0
                pages += Int(clamping: min(count, 1 << 40))
                return true
            }
            return pages
        }
        return EnvironmentSizes(file: length, free: free * pageSize)
    }
}

/// The length of the file at `path` in bytes.
package func fileLength(_ path: String) throws(KeyValueError) -> Int {
    var status = stat()
    guard unsafe stat(path, &status) == 0 else { throw systemError("look at", path) }
    return Int(status.st_size)
}
