internal import CLMDB
internal import Elements
internal import Files
internal import Glibc

/// What the process may use: address space, and the size of files (setrlimit(2)).
extension Environment {
    /// Address space only; the file grows as it is used (lmdb.h, `mdb_env_set_mapsize`).
    static let greatestMapSize = 1 << 42
    private static let step = 1 << 20
    /// What is left to the process at least, where the map takes most of what it may have.
    private static let reserve = 256 << 20

    /// The size of the map: all that a store may ever need, or what the process may have.
    ///
    /// Where address space is limited (`ulimit -v`), at most half of it, unless the file itself needs more.
    ///
    /// - Parameter length: The file's.
    /// - Throws: `.limit` when the file cannot be mapped.
    static func mapSize(
        _ path: String, length: Int, writes: Bool
    ) throws -> Int {
        if canMap(greatestMapSize) { return greatestMapSize }
        var (room, tooMuch) = (0, greatestMapSize / step)
        while tooMuch - room > 1 {
            let middle = (room + tooMuch) / 2
            if canMap(middle * step) { room = middle } else { tooMuch = middle }
        }
        room *= step
        let most = room - min(room / 2, reserve)
        // What writes needs room to grow.
        let needed = (length + step - 1) / step * step + (writes ? 16 * step : 0)
        guard needed <= most else {
            throw CambiumError(
                .limit,
                "\(path)/data.mdb has \(length) bytes, but this process has \(room) bytes of address "
                    + "space left; raise its limit (ulimit -v) by at least \(needed - most) bytes")
        }
        return min(most, max(needed, room / 2))
    }

    private static func canMap(_ size: Int) -> Bool {
        // The same protection as the real one; no memory is taken.
        let start = unsafe mmap(
            nil, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
        guard let start = unsafe start, unsafe start != MAP_FAILED else { return false }
        return unsafe munmap(start, size) == 0
    }

    /// The error for a file that has outgrown the map (MDB_MAP_RESIZED).
    var outgrown: CambiumError {
        CambiumError(
            .limit,
            "\(path)/data.mdb has outgrown the \(mapSize) bytes of address space that it was opened with "
                + "(ulimit -v); open the store again, with a higher limit if that fails")
    }

    /// What was behind a failed commit.
    ///
    /// LMDB says EIO, not ENOSPC or EFBIG, when a write is cut short (mdb.c, mdb_page_flush).
    static func cause(of error: CambiumError, _ path: String) -> CambiumError {
        guard error.code == .io else { return error }
        if isDiskFull(path) {
            return CambiumError(
                .diskFull, "the disk of \(path) is full: nothing was committed. \(roomHint)")
        }
        var limit = rlimit()
        guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit) == 0,
            let length = try? fileLength(path + "/data.mdb"),
            limit.rlim_cur < UInt(length + step)
        else { return error }
        return CambiumError(
            .limit,
            "\(path)/data.mdb may not grow beyond \(limit.rlim_cur) bytes: that is the limit of this "
                + "process for files (ulimit -f). Nothing was committed")
    }

    /// How to make room.
    static let roomHint = """
        Free space on the disk, or remove branches that nobody needs (`cambium branch --delete`) and run \
        `cambium gc --prune --grace 0`, which work on a full disk
        """

    /// Whether the disk has no room left, not even for a small commit.
    private static func isDiskFull(_ path: String) -> Bool {
        var status = statvfs()
        guard unsafe statvfs(path, &status) == 0 else { return false }
        return status.f_bavail * status.f_frsize < 1 << 20
    }
}
