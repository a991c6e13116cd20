internal import Elements
internal import Glibc

/// Creates a directory that a user named, durably; an existing one, or a link to one, is fine.
package func makeDirectory(_ path: String) throws {
    guard unsafe mkdir(path, 0o777) != 0 else { return try syncName(of: path) }
    guard errno == EEXIST else { throw storeError("create the directory", path) }
    try checkFolder(path, followingLinks: true)
}

/// As ``makeDirectory(_:)``, with those above it.
///
/// - Returns: Those that were not there, outermost first.
@discardableResult
package func makeDirectories(_ path: String) throws -> [String] {
    let folders =
        path.indices.dropFirst().filter { path[$0] == "/" }.map { String(path[..<$0]) } + [path]
    let missing = folders.filter { !fileExists($0) }
    for folder in missing { try makeDirectory(folder) }
    return missing
}

/// Creates a folder inside a store; an existing one is fine, and a link is none.
///
/// - Throws: `.corrupt` when something else is there.
package func makeStoreFolder(_ path: String) throws {
    guard unsafe mkdir(path, 0o777) != 0 else { return }
    guard errno == EEXIST else { throw storeError("create the directory", path) }
    try checkStoreFolder(path)
}

package func removeFile(_ path: String) throws {
    guard unsafe unlink(path) == 0 else { throw storeError("remove", path) }
}

/// Renames a file over another and syncs the directory, so that the rename is durable.
package func replaceFile(_ path: String, with source: String, in directory: String) throws {
    guard unsafe rename(source, path) == 0 else { throw storeError("rename over", path) }
    try syncFolder(directory)
}

/// Writes a small file at once and syncs it; what was in it is gone, and a link is not followed.
package func writeStoreFile(_ path: String, _ bytes: [UInt8]) throws {
    let descriptor = try openStoreFile(path, O_WRONLY | O_CREAT | O_TRUNC, for: "create")
    defer { close(descriptor) }
    guard writeAll(bytes.raw, to: descriptor) else { throw storeError("write", path) }
    // A file that is renamed over another before its bytes are on the disk may be empty after a power cut.
    guard fsync(descriptor) == 0 else { throw storeError("sync", path) }
}

/// Reads a small regular file, at most `limit` bytes; a link is not followed.
package func readStoreFile(_ path: String, limit: Int = 1 << 16) throws -> [UInt8] {
    let descriptor = try openStoreFile(path, O_RDONLY)
    defer { close(descriptor) }
    var status = stat()
    guard unsafe fstat(descriptor, &status) == 0 else { throw storeError("read", path) }
    var bytes = [UInt8](repeating: 0, count: min(limit, Int(status.st_size)))
    var span = bytes.mutableSpan
    var room = unsafe span.mutableBytes
    let count = readAll(descriptor, into: &room)
    guard count >= 0 else { throw storeError("read", path) }
    return Array(bytes.prefix(count))
}

/// Removes an empty directory.
package func removeDirectory(_ path: String) throws {
    guard unsafe rmdir(path) == 0 else { throw storeError("remove", path) }
}

/// The length of the file at `path` in bytes.
package func fileLength(_ path: String) throws -> Int {
    var status = stat()
    guard unsafe stat(path, &status) == 0 else { throw storeError("look at", path) }
    return Int(status.st_size)
}
