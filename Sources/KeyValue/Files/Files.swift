internal import CLMDB
internal import Elements
internal import Glibc

/// Creates a directory that a user named, durably; an existing one, or a link to one, is fine.
package func makeDirectory(_ path: String) throws {
    guard unsafe mkdir(path, 0o777) != 0 else { return try syncName(of: path) }
    guard errno == EEXIST else { throw systemError("create the directory", path) }
    try checkFolder(path, followingLinks: true)
}

/// Creates a folder inside a store; an existing one is fine, and a link is none.
///
/// - Throws: `.corrupt` when something else is there.
package func makeStoreFolder(_ path: String) throws {
    guard unsafe mkdir(path, 0o777) != 0 else { return }
    guard errno == EEXIST else { throw systemError("create the directory", path) }
    try checkStoreFolder(path)
}

/// Whether a path names a directory, and no link to one.
package func isDirectoryItself(_ path: String) -> Bool {
    var status = stat()
    return unsafe lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
}

/// The names in a directory, sorted by bytes, without `.` and `..`.
package func directoryContents(_ path: String) throws -> [String] {
    guard let directory = unsafe opendir(path) else { throw systemError("list", path) }
    defer { unsafe closedir(directory) }
    var names: [String] = []
    while true {
        // readdir(3) tells the end from a failure by errno alone; a list that is cut short would be taken for
        // a whole one.
        errno = 0
        guard let entry = unsafe readdir(directory) else {
            guard errno == 0 else { throw systemError("list", path) }
            break
        }
        let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) {
            unsafe String(cString: UnsafeRawPointer($0).assumingMemoryBound(to: CChar.self))
        }
        if name != "." && name != ".." { names.append(name) }
    }
    return names.sorted(by: isBefore)
}

package func removeFile(_ path: String) throws {
    guard unsafe unlink(path) == 0 else { throw systemError("remove", path) }
}

/// Renames a file to a name that must be free, and syncs the directory.
///
/// - Throws: `.exists` when something is there.
package func placeFile(_ path: String, from source: String, in directory: String)
    throws
{
    var code = unsafe cambium_rename_new(source, path) == 0 ? 0 : errno
    // A file system that cannot promise it: then the look and the renaming are two steps.
    if code == EINVAL || code == ENOSYS {
        code = fileExists(path) ? EEXIST : unsafe rename(source, path) == 0 ? 0 : errno
    }
    guard code != EEXIST else { throw CambiumError(.exists, "\(path) exists already") }
    guard code == 0 else { throw systemError("rename a file to", path, code) }
    try syncFolder(directory)
}

/// Renames a file over another and syncs the directory, so that the rename is durable.
package func replaceFile(_ path: String, with source: String, in directory: String)
    throws
{
    guard unsafe rename(source, path) == 0 else { throw systemError("rename over", path) }
    try syncFolder(directory)
}

/// Writes a small file at once and syncs it; what was in it is gone, and a link is not followed.
package func writeFile(_ path: String, _ bytes: [UInt8]) throws {
    let descriptor = try openStoreFile(path, O_WRONLY | O_CREAT | O_TRUNC, for: "create")
    defer { close(descriptor) }
    var offset = 0
    while offset < bytes.count {
        let count = unsafe bytes.withUnsafeBytes { buffer in
            unsafe write(
                descriptor, UnsafeRawBufferPointer(rebasing: buffer[offset...]).baseAddress,
                bytes.count - offset)
        }
        guard count > 0 else {
            if errno == EINTR { continue }
            throw systemError("write", path)
        }
        offset += count
    }
    // A file that is renamed over another before its bytes are on the disk may be empty after a power cut.
    guard fsync(descriptor) == 0 else { throw systemError("sync", path) }
}

/// Reads a small regular file, at most `limit` bytes; a link is not followed.
package func readFile(_ path: String, limit: Int = 1 << 16) throws -> [UInt8] {
    let descriptor = try openStoreFile(path, O_RDONLY)
    defer { close(descriptor) }
    var status = stat()
    guard unsafe fstat(descriptor, &status) == 0 else { throw systemError("read", path) }
    var bytes = [UInt8](repeating: 0, count: min(limit, Int(status.st_size)))
    var offset = 0
    while offset < bytes.count {
        let count = unsafe bytes.withUnsafeMutableBytes { buffer in
            unsafe read(
                descriptor, UnsafeMutableRawBufferPointer(rebasing: buffer[offset...]).baseAddress,
                buffer.count - offset)
        }
        if count < 0, errno == EINTR { continue }
        guard count >= 0 else { throw systemError("read", path) }
        if count == 0 { break }
        offset += count
    }
    return Array(bytes.prefix(offset))
}

/// Removes an empty directory.
package func removeDirectory(_ path: String) throws {
    guard unsafe rmdir(path) == 0 else { throw systemError("remove", path) }
}
