internal import Elements
package import Glibc

/// What is at a path of a store itself; links are not followed.
package enum FileKind: String, Sendable {
    case regular = "a regular file"
    case folder = "a folder"
    case link = "a symbolic link"
    case pipe = "a named pipe"
    case socket = "a socket"
    case device = "a device"

    init(_ status: stat) {
        self =
            switch status.st_mode & S_IFMT {
            case S_IFREG: .regular
            case S_IFDIR: .folder
            case S_IFLNK: .link
            case S_IFIFO: .pipe
            case S_IFSOCK: .socket
            default: .device
            }
    }
}

/// The state of what is at a path itself; nil when nothing is there.
package func fileStatus(_ path: String) throws -> stat? {
    var status = stat()
    if unsafe lstat(path, &status) == 0 { return status }
    guard errno == ENOENT else { throw storeError("look at", path) }
    return nil
}

/// Whether anything is at a path, be it a link that leads nowhere.
package func fileExists(_ path: String) -> Bool { kindItself(path) != nil }

/// Whether a regular file, and no link to one, is at a path.
package func isRegularFile(_ path: String) -> Bool { kindItself(path) == .regular }

/// Whether a path names a directory, and no link to one.
package func isDirectoryItself(_ path: String) -> Bool { kindItself(path) == .folder }

private func kindItself(_ path: String) -> FileKind? {
    var status = stat()
    return unsafe lstat(path, &status) == 0 ? FileKind(status) : nil
}

/// Refuses anything but a folder or a link to one; for folders that a user names.
func checkFolder(_ path: String, followingLinks: Bool) throws {
    var status = stat()
    let code = unsafe followingLinks ? stat(path, &status) : lstat(path, &status)
    guard code == 0 else { throw storeError("look at", path) }
    let kind = FileKind(status)
    guard kind != .folder else { return }
    guard followingLinks else { throw wrongKind(path, kind, wanted: .folder) }
    throw CambiumError(.io, "\(path) is \(kind.rawValue) and no folder; choose another name")
}

/// Refuses a folder of a store that is something else, such as a link to a folder elsewhere; nothing at
/// all is fine.
///
/// - Throws: `.corrupt`.
package func checkStoreFolder(_ path: String) throws {
    guard let status = try fileStatus(path) else { return }
    let kind = FileKind(status)
    guard kind == .folder else { throw wrongKind(path, kind, wanted: .folder) }
}

/// Opens a regular file of a store: follows no link, and waits for nobody at a pipe's other end.
///
/// - Throws: `.corrupt` when something else is there.
package func openStoreFile(
    _ path: String, _ flags: Int32, for operation: String = "open"
) throws -> Int32 {
    // Looked at first: to open a device may already do something.
    if let status = try fileStatus(path), FileKind(status) != .regular {
        throw wrongKind(path, FileKind(status), wanted: .regular)
    }
    let descriptor = openDescriptor(path, flags | O_NOFOLLOW | O_NONBLOCK)
    guard descriptor >= 0 else {
        if errno == ELOOP { throw wrongKind(path, .link, wanted: .regular) }
        throw storeError(operation, path)
    }
    var status = stat()
    guard unsafe fstat(descriptor, &status) == 0, FileKind(status) == .regular else {
        close(descriptor)
        throw wrongKind(path, FileKind(status), wanted: .regular)
    }
    return descriptor
}

private func wrongKind(_ path: String, _ found: FileKind, wanted: FileKind) -> CambiumError {
    CambiumError(
        .corrupt,
        "\(path) is \(found.rawValue), but must be \(wanted.rawValue) of the store's own. Move it away; "
            + "what belongs there comes from a backup")
}
