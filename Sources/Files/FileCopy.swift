internal import Elements
internal import Glibc

/// Copies a regular file to a new one, and syncs it.
///
/// - Throws: `.io` when the source is no regular file, or the target exists.
package func copyFile(_ source: String, to target: String) throws {
    let input = unsafe open(source, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard input >= 0 else { throw storeError("open", source) }
    defer { close(input) }
    var status = stat()
    guard unsafe fstat(input, &status) == 0 else { throw storeError("look at", source) }
    guard status.st_mode & S_IFMT == S_IFREG else {
        throw CambiumError(.io, "\(source) is no regular file")
    }
    let output = openDescriptor(target, O_WRONLY | O_CREAT | O_EXCL)
    guard output >= 0 else { throw storeError("create", target) }
    defer { close(output) }
    var chunk = [UInt8](repeating: 0, count: 1 << 20)
    while true {
        var span = chunk.mutableSpan
        var room = unsafe span.mutableBytes
        let count = readAll(input, into: &room)
        guard count >= 0 else { throw storeError("read", source) }
        if count == 0 { break }
        guard writeAll(chunk.raw.extracting(first: count), to: output) else {
            throw storeError("write", target)
        }
    }
    guard fsync(output) == 0 else { throw storeError("sync", target) }
}

/// Gives a file another name in the same file system; the name must be free, and the old one goes.
package func publishFile(_ path: String, as target: String) throws {
    guard unsafe link(path, target) == 0 else { throw storeError("name a file", target) }
    guard unsafe unlink(path) == 0 else { throw storeError("remove", path) }
}

/// Makes the names in a folder durable.
///
/// - Parameter isStores: Whether it is a store's, and not one that a user named.
package func syncFolder(_ path: String, isStores: Bool = true) throws {
    func failure(_ action: String) -> CambiumError {
        isStores ? storeError(action, path) : systemError(action, path, errno)
    }
    let descriptor = unsafe open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw failure("open") }
    defer { close(descriptor) }
    guard fsync(descriptor) == 0 else { throw failure("sync") }
}

/// Makes the name of a folder that was just made durable, where the folder above may be read.
func syncName(of path: String) throws {
    do {
        try syncFolder(path + "/..")
    } catch let error as CambiumError {
        guard error.code == .readOnly else { throw error }
    }
}

/// Creates a directory that must not exist.
package func makeNewDirectory(_ path: String) throws {
    guard unsafe mkdir(path, 0o777) == 0 else { throw storeError("create the directory", path) }
}
