internal import Elements
internal import Glibc

/// A file of an open folder that is being written, and gets its name when it is whole and durable.
///
/// Released before that, it is removed. A process that dies leaves it under a name that ``isLeftover(_:)`` tells.
package final class NamelessFile: Sendable {
    private let folder: OpenFolder
    private let temporary: String
    private let descriptor: Int32

    private var path: String { "\(folder.path)/\(temporary)" }

    package init(in folder: OpenFolder) throws {
        let suffix = String(UInt64.random(in: .min ... .max), radix: 36)
        self.folder = folder
        temporary = ".cambium-\(suffix).tmp"
        let path = "\(folder.path)/\(temporary)"
        TemporaryFiles.add(path)
        let descriptor = unsafe openat(
            folder.descriptor, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else {
            let number = errno
            TemporaryFiles.forget(path)
            throw storeError("create a file in", folder.path, number)
        }
        self.descriptor = descriptor
    }

    deinit {
        // There is none when it has its name.
        unsafe unlinkat(folder.descriptor, temporary, 0)
        close(descriptor)
        TemporaryFiles.forget(path)
    }

    /// Whether a name is that of a file that is being written, or that a dead process left.
    package static func isLeftover(_ name: String) -> Bool {
        name.hasPrefix(".cambium-") && name.hasSuffix(".tmp")
    }

    package func append(_ bytes: RawSpan) throws {
        guard writeAll(bytes, to: descriptor) else { throw storeError("write", path) }
    }

    /// When the file was last written, by the file system's own clock: seconds since 1970.
    package func modified() throws -> Int64 {
        var found = stat()
        guard unsafe fstat(descriptor, &found) == 0 else { throw storeError("look at", path) }
        return Int64(found.st_mtim.tv_sec)
    }

    /// Gives the file its name, durably, in the place of what has it; a link is replaced and not followed.
    package func publish(as name: String) throws {
        try sync()
        guard unsafe renameat(folder.descriptor, temporary, folder.descriptor, name) == 0 else {
            throw storeError("rename a file to", "\(folder.path)/\(name)")
        }
        try folder.sync()
    }

    /// Gives the file its name, durably, if nothing has it: one winner among many, in one step.
    ///
    /// - Returns: False when something has it.
    /// - Throws: `.unsupported` where files cannot have two names.
    package func publish(asNew name: String) throws -> Bool {
        try sync()
        let code = unsafe linkat(folder.descriptor, temporary, folder.descriptor, name, 0)
        let number = errno
        // NFS asks again when an answer was lost, and then meets the name that it made: the file tells (open(2), O_EXCL).
        guard code == 0 || hasTwoNames else {
            switch number {
            case EEXIST: return false
            case EPERM, EOPNOTSUPP, ENOSYS, EMLINK:
                throw CambiumError(
                    .unsupported,
                    "the file system of \(folder.path) cannot give a file two names (hard links), so "
                        + "that of two writers one could undo the other; choose a folder elsewhere")
            default: throw storeError("name a file", "\(folder.path)/\(name)", number)
            }
        }
        try folder.sync()
        return true
    }

    private func sync() throws {
        guard fsync(descriptor) == 0 else { throw storeError("sync", path) }
    }

    private var hasTwoNames: Bool {
        var found = stat()
        return unsafe fstat(descriptor, &found) == 0 && found.st_nlink > 1
    }
}
