internal import Elements
internal import Files
internal import Glibc

/// Disk space that a store keeps for its own cleaning: on a full disk LMDB cannot even remove something, since it
/// writes pages anew before it frees the old ones.
///
/// A file `reserve` beside `data.mdb`, which begins with a mark. It is given up in need, and made again by a later
/// writer when there is room.
package enum Reserve {
    package static let name = "reserve"
    /// What the file begins with; another file of its name is left alone.
    private static let mark = Array("cambium reserve\n".utf8)
    /// Of the disk's free space a reserve may take one part in so many.
    private static let share = 4

    /// Makes the reserve, or a larger one, where there is plenty of room; otherwise does nothing.
    ///
    /// - Parameter size: Bytes that a cleaning may need.
    package static func keep(in directory: String, size: Int) {
        let path = directory + "/" + name
        var status = stat()
        let isThere = unsafe lstat(path, &status) == 0
        // One that is about large enough stays: it is not made anew at each commit of a store that grows.
        if isThere, !isOurs(path) || Int(status.st_size) * 2 >= size { return }
        guard let room = freeSpace(directory), room / share >= size else { return }
        if isThere, unsafe unlink(path) != 0 { return }
        let file = openDescriptor(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW)
        guard file >= 0 else { return }
        defer { close(file) }
        let isWritten = unsafe mark.withUnsafeBytes {
            unsafe write(file, $0.baseAddress, $0.count) == $0.count
        }
        if !isWritten || posix_fallocate(file, 0, off_t(size)) != 0 { _ = unsafe unlink(path) }
    }

    /// Frees the reserve's space; false when there was none.
    static func giveUp(in directory: String) -> Bool {
        let path = directory + "/" + name
        guard isOurs(path) else { return false }
        return unsafe unlink(path) == 0
    }

    private static func isOurs(_ path: String) -> Bool {
        isRegularFile(path) && (try? readStoreFile(path, limit: mark.count)) == mark
    }

    /// Bytes that this user may write on a directory's disk.
    private static func freeSpace(_ directory: String) -> Int? {
        var status = statvfs()
        guard unsafe statvfs(directory, &status) == 0 else { return nil }
        let bytes = status.f_bavail.multipliedReportingOverflow(by: status.f_frsize)
        return bytes.overflow ? Int.max : Int(clamping: bytes.partialValue)
    }
}
