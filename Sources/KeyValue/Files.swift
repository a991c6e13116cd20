internal import Glibc

/// Creates a directory; an existing one is fine.
package func makeDirectory(_ path: String) throws(KeyValueError) {
    guard unsafe mkdir(path, 0o777) != 0, errno != EEXIST else { return }
    throw systemError("create the directory", path)
}

package func fileExists(_ path: String) -> Bool {
    unsafe access(path, F_OK) == 0
}

/// Whether a path names a directory, and no link to one.
package func isDirectoryItself(_ path: String) -> Bool {
    var status = stat()
    return unsafe lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
}

/// The names in a directory, sorted by bytes, without `.` and `..`.
package func directoryContents(_ path: String) throws(KeyValueError) -> [String] {
    guard let directory = unsafe opendir(path) else { throw systemError("list", path) }
    defer { unsafe closedir(directory) }
    var names: [String] = []
    while let entry = unsafe readdir(directory) {
        let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) {
            unsafe String(cString: UnsafeRawPointer($0).assumingMemoryBound(to: CChar.self))
        }
        if name != "." && name != ".." { names.append(name) }
    }
    return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
}

package func removeFile(_ path: String) throws(KeyValueError) {
    guard unsafe unlink(path) == 0 else { throw systemError("remove", path) }
}

/// Renames a file over another and syncs the directory, so that the rename is durable.
package func replaceFile(_ path: String, with source: String, in directory: String)
    throws(KeyValueError)
{
    guard unsafe rename(source, path) == 0 else { throw systemError("rename over", path) }
    let descriptor = unsafe open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw systemError("open", directory) }
    defer { close(descriptor) }
    guard fsync(descriptor) == 0 else { throw systemError("sync", directory) }
}

/// Writes a small file at once.
package func writeFile(_ path: String, _ bytes: [UInt8]) throws(KeyValueError) {
    let descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw systemError("create", path) }
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
}

/// Reads a small file, at most `limit` bytes.
package func readFile(_ path: String, limit: Int = 1 << 16) throws(KeyValueError) -> [UInt8] {
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw systemError("open", path) }
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
package func removeDirectory(_ path: String) throws(KeyValueError) {
    guard unsafe rmdir(path) == 0 else { throw systemError("remove", path) }
}
