package import Elements
internal import Glibc

/// A folder that is held open: what is in it is reached by its name alone, never through a link.
///
/// For folders that others write too: whatever they put in a link's place meanwhile, nothing outside is read or
/// written.
package final class OpenFolder: Sendable {
    /// For messages.
    package let path: String
    let descriptor: Int32

    /// Opens a folder that a user named, by way of links too; nil when there is none.
    package convenience init?(path: String) throws {
        try self.init(path, unsafe open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC))
    }

    /// Takes a new descriptor; nil when it failed because nothing is there.
    private init?(_ path: String, _ descriptor: Int32) throws {
        if descriptor < 0 && errno == ENOENT { return nil }
        guard descriptor >= 0 else { throw storeError("open", path) }
        self.path = path
        self.descriptor = descriptor
    }

    deinit { close(descriptor) }

    /// A folder in this one; nil when there is none.
    ///
    /// - Parameter making: Whether it is made, durably, when it is missing.
    /// - Throws: `.unsupported` when something else has the name, a link to a folder too.
    package func folder(_ name: String, making: Bool = false) throws -> OpenFolder? {
        if let found = try opened(name) { return found }
        guard making else { return nil }
        if unsafe mkdirat(descriptor, name, 0o777) == 0 {
            try sync()
        } else if errno != EEXIST {
            throw storeError("create the directory", "\(path)/\(name)")
        }
        return try opened(name)
    }

    private func opened(_ name: String) throws -> OpenFolder? {
        let flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW
        let child = unsafe openat(descriptor, name, flags)
        if child < 0, errno == ENOTDIR || errno == ELOOP {
            throw try wrongKind(name, wanted: .folder)
        }
        return try OpenFolder("\(path)/\(name)", child)
    }

    private func wrongKind(_ name: String, wanted: FileKind) throws -> CambiumError {
        let found = try status(name)?.kind.rawValue ?? "gone"
        return CambiumError(
            .unsupported,
            "\(path)/\(name) is \(found), not \(wanted.rawValue); nothing but files and folders may "
                + "be there")
    }

    /// Makes the names in the folder durable, where its file system can.
    package func sync() throws {
        guard fsync(descriptor) != 0, errno != EINVAL else { return }
        throw storeError("sync", path)
    }

    /// Removes a file, or the name of anything but a folder; what is not there is fine.
    package func remove(_ name: String) throws {
        guard unsafe unlinkat(descriptor, name, 0) != 0, errno != ENOENT else { return }
        throw storeError("remove", "\(path)/\(name)")
    }
}

/// What is known of a name in a folder.
package struct FolderEntry: Sendable {
    package let name: String
    package let kind: FileKind
    package let size: Int
    /// When it was last written: seconds since 1970.
    package let modified: Int64
}

extension OpenFolder {
    /// What has a name, itself; nil when nothing has.
    package func status(_ name: String) throws -> FolderEntry? {
        var found = stat()
        guard unsafe fstatat(descriptor, name, &found, AT_SYMLINK_NOFOLLOW) == 0 else {
            guard errno == ENOENT else { throw storeError("look at", "\(path)/\(name)") }
            return nil
        }
        return FolderEntry(
            name: name, kind: FileKind(found), size: found.st_size,
            modified: Int64(found.st_mtim.tv_sec))
    }

    /// The names in the folder and whether each is a folder's, in no order; only files and folders.
    package func contents() throws -> [(name: String, isFolder: Bool)] {
        // A descriptor of its own: it has a place in the list, and is closed with it.
        let copy = unsafe openat(descriptor, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard copy >= 0 else { throw storeError("list", path) }
        guard let directory = unsafe fdopendir(copy) else {
            let number = errno
            close(copy)
            throw storeError("list", path, number)
        }
        return try unsafe entries(of: directory) { storeError("list", path, $0) }.compactMap {
            switch Int($0.type) {
            case DT_REG: return ($0.name, false)
            case DT_DIR: return ($0.name, true)
            case DT_UNKNOWN:
                guard let found = try status($0.name) else { return nil }
                return switch found.kind {
                case .regular: ($0.name, false)
                case .folder: ($0.name, true)
                default: nil
                }
            default: return nil
            }
        }
    }

    /// A regular file in the folder; nil when there is none, or a folder.
    ///
    /// - Throws: `.unsupported` for anything else; nobody is waited for at a pipe's other end.
    package func file(_ name: String) throws -> FileToRead? {
        let whole = "\(path)/\(name)"
        guard let found = try status(name), found.kind != .folder else { return nil }
        // Looked at first: to open a device may already do something.
        guard found.kind == .regular else { throw try wrongKind(name, wanted: .regular) }
        let flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK
        let file = unsafe openat(descriptor, name, flags)
        guard file >= 0 else {
            if errno == ENOENT { return nil }
            if errno == ELOOP { throw try wrongKind(name, wanted: .regular) }
            throw storeError("open", whole)
        }
        return try FileToRead(path: whole, file)
    }
}

/// A regular file, open.
package final class FileToRead: Sendable {
    private let path: String
    private let descriptor: Int32
    package let size: Int

    fileprivate init(path: String, _ descriptor: Int32) throws {
        var found = stat()
        guard unsafe fstat(descriptor, &found) == 0 else {
            let number = errno
            close(descriptor)
            throw storeError("look at", path, number)
        }
        guard FileKind(found) == .regular else {
            close(descriptor)
            throw CambiumError(.unsupported, "\(path) is \(FileKind(found).rawValue)")
        }
        self.path = path
        self.descriptor = descriptor
        size = found.st_size
    }

    deinit { close(descriptor) }

    /// A part of the file, which must lie within it.
    ///
    /// - Parameter each: Called with each number of bytes that came.
    /// - Throws: `.truncated` when the file became shorter meanwhile.
    package func bytes(
        in range: Range<Int>, each: (Int) throws -> Void
    ) throws -> MappedBytes {
        let step = 1 << 20
        return try MappedBytes(count: range.count, zeroed: false) { bytes in
            try unsafe bytes.withUnsafeMutableBytes { bytes in
                for start in stride(from: 0, to: range.count, by: step) {
                    let part = unsafe UnsafeMutableRawBufferPointer(
                        rebasing: bytes[start..<min(range.count, start + step)])
                    var span = unsafe MutableRawSpan(_unsafeBytes: part)
                    let count = readAll(descriptor, into: &span, at: range.lowerBound + start)
                    guard count >= 0 else { throw storeError("read", path) }
                    guard count == part.count else {
                        throw CambiumError(.truncated, "\(path) became shorter while it was read")
                    }
                    try each(count)
                }
            }
        }
    }
}
