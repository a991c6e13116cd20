internal import CLMDB
internal import Elements
internal import Glibc

/// The steps of opening an environment.
extension Environment {
    /// Refuses a file that LMDB would take for a new one, or that is none of its own.
    static func checkFile(_ path: String) throws(KeyValueError) {
        let start = try readFile(path, limit: metaEnd)
        // lmdb.h keeps the file's layout private; mdb.c, MDB_meta: after the page header of 16
        // bytes come the magic number 0xBEEFC0DE and the version.
        guard start.count >= 24, start.raw.number(at: 16) == UInt32(0xBEEF_C0DE) else {
            throw KeyValueError(.notAStore, "\(path) is not an LMDB file")
        }
        guard start.count == metaEnd else {
            throw KeyValueError(
                .corrupt,
                "\(path) has only \(start.count) bytes: it was truncated. Restore it from a backup")
        }
    }

    /// Reserves the disk space of LMDB's lock file.
    ///
    /// LMDB makes it sparse and writes to it through a map; on a full disk the first touch of a
    /// page would end the process (SIGBUS). No lock is lost: this process does not have the
    /// environment open. The length stays what LMDB makes it: the constant is not above it.
    static func reserveLockFile(_ path: String) throws(KeyValueError) {
        let descriptor = unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o666)
        // On a read-only disk LMDB goes without; any other reason it meets and reports itself.
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        // mdb.c: 64 bytes per reader and a header.
        let length = 64 * maximumReaders
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else { throw systemError("look at", path) }
        guard Int(status.st_blocks) * 512 < length else { return }
        let number = posix_fallocate(descriptor, 0, off_t(length))
        // File systems that cannot reserve take the risk.
        if number == ENOSPC || number == EDQUOT { throw systemError("reserve", path, number) }
    }

    /// Whether the disk has no room left, not even for a small commit.
    static func isDiskFull(_ path: String) -> Bool {
        var status = statvfs()
        guard unsafe statvfs(path, &status) == 0 else { return false }
        return status.f_bavail * status.f_frsize < 1 << 20
    }

    /// What a failed commit means: LMDB says EIO, not ENOSPC, when a write is cut short (mdb.c, mdb_page_flush).
    static func cause(of error: KeyValueError, _ path: String) -> KeyValueError {
        guard error.code == .io, isDiskFull(path) else { return error }
        return KeyValueError(
            .diskFull, "the disk of \(path) is full: nothing was committed. \(roomHint)")
    }

    /// How to make room.
    static let roomHint = """
        Free space on the disk, or remove branches that nobody needs (`cambium branch --delete`) and run \
        `cambium gc --prune --grace 0`, which work on a full disk
        """

    /// Both meta pages.
    private static let metaEnd = 2 * 4096

    /// Refuses a file that is shorter than its pages: reading behind the end of the file would end
    /// the process (SIGBUS).
    @unsafe static func checkLength(
        _ environment: OpaquePointer, _ path: String
    ) throws(KeyValueError) {
        var info = unsafe MDB_envinfo()
        unsafe try check(mdb_env_info(environment, &info), "mdb_env_info")
        var stat = MDB_stat()
        unsafe try check(mdb_env_stat(environment, &stat), "mdb_env_stat")
        let length = try fileLength(path + "/data.mdb")
        let pages = length / max(1, Int(stat.ms_psize))
        guard unsafe info.me_last_pgno < pages else {
            throw KeyValueError(
                .corrupt,
                "\(path)/data.mdb has \(length) bytes, \(pages) pages, but its last page is "
                    + "number \(unsafe info.me_last_pgno): it was truncated. Restore it from a backup"
            )
        }
    }

    @unsafe static func openTables(
        _ names: [String], _ optional: Set<String>, _ environment: OpaquePointer, readOnly: Bool,
        creating: Bool
    ) throws(KeyValueError) -> [String: Table] {
        var transaction: OpaquePointer?
        let flags = readOnly ? UInt32(MDB_RDONLY) : 0
        unsafe try check(mdb_txn_begin(environment, nil, flags, &transaction), "mdb_txn_begin")
        var tables: [String: Table] = [:]
        do throws(KeyValueError) {
            for name in names {
                var handle: MDB_dbi = 0
                let create = creating ? UInt32(MDB_CREATE) : 0
                let code = unsafe mdb_dbi_open(transaction, name, create, &handle)
                if code == MDB_NOTFOUND, optional.contains(name) { continue }
                if code == MDB_NOTFOUND {
                    throw KeyValueError(
                        .notAStore, "the file has no table '\(name)': not a cambium store")
                }
                try check(code, "mdb_dbi_open")
                tables[name] = Table(handle: handle, name: name)
            }
        } catch {
            unsafe mdb_txn_abort(transaction)
            throw error
        }
        unsafe try check(mdb_txn_commit(transaction), "mdb_txn_commit")
        return tables
    }
}
