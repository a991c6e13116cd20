internal import CLMDB
internal import Elements
internal import Glibc

/// The one funnel from LMDB's return codes to typed errors.
///
/// - Parameters:
///   - code: What the C function returned: 0, a negative LMDB code, or an errno.
///   - function: The C function, for the message.
func check(_ code: Int32, _ function: StaticString) throws {
    guard code != 0 else { return }
    let text = unsafe String(cString: mdb_strerror(code))
    let name = "\(function)"
    switch code {
    case MDB_MAP_FULL:
        throw CambiumError(
            .limit,
            "\(name): \(text). The file would outgrow what this process may map (ulimit -v). Nothing was "
                + "committed; raise the limit and open the store again")
    case EFBIG:
        throw CambiumError(
            .limit,
            "\(name): \(text): the limit of this process for files (ulimit -f). Nothing was committed"
        )
    case EMFILE, ENFILE:
        throw CambiumError(.limit, "\(name): \(text) (ulimit -n)")
    case ENOMEM:
        throw CambiumError(.limit, "\(name): \(text): the limit of this process (ulimit -v, -d)")
    case ENOSPC, EDQUOT:
        throw CambiumError(
            .diskFull,
            "the store cannot grow: \(text); nothing was committed. \(Environment.roomHint)")
    case EACCES, EROFS, EPERM:
        throw CambiumError(
            .readOnly, "\(name): \(text). The store cannot be written by this user or on this disk")
    case ENOENT:
        throw CambiumError(.notFound, "\(name): \(text)")
    // The last ones say that pages are not what their tree needs.
    case MDB_CORRUPTED, MDB_PAGE_NOTFOUND, MDB_PANIC, MDB_BAD_TXN, MDB_INCOMPATIBLE,
        MDB_CURSOR_FULL, MDB_PAGE_FULL:
        throw CambiumError(
            .corrupt, "\(name): \(text). Run `cambium verify`, and restore the store from a backup")
    case MDB_INVALID, MDB_VERSION_MISMATCH:
        throw CambiumError(.notAStore, "\(name): \(text). data.mdb is not an LMDB 0.9 file")
    case MDB_READERS_FULL:
        throw CambiumError(
            .busy, "\(name): \(text). More than \(Environment.maximumReaders) readers are open")
    default:
        throw CambiumError(.io, "\(name): \(text) (code \(code))")
    }
}
