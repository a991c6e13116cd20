package import Elements
internal import Glibc

/// A regular file mapped read-only, and what it looked like when it was mapped.
///
/// A mapping shows the file as it is *now*, not as it was: another process that writes into the file
/// changes what is read, and one that shortens it makes reads behind the new end kill this process
/// with SIGBUS (mmap(2), "Errors"). Replacing the file by a rename is harmless. ``checkUnchanged()``
/// finds a changed size or modification time after the fact.
@safe package final class MappedFile: Sendable {
    package let path: String
    private let descriptor: Int32
    private let opened: FileState
    // Read-only, set once, unmapped in deinit: `MappedBytes` retains this object.
    nonisolated(unsafe) private let base: UnsafeRawPointer?

    /// - Throws: `.notFound`, `.unsupported` for anything but a regular file, or `.io`.
    package init(path: String) throws {
        // A named pipe would block without O_NONBLOCK.
        let descriptor = try check("open", path) {
            unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        }
        let state: FileState
        let base: UnsafeRawPointer?
        do {
            state = try FileState(of: descriptor, path: path)
            unsafe base = try Self.map(descriptor, count: state.size, path: path)
        } catch {
            close(descriptor)
            throw error
        }
        self.path = path
        self.descriptor = descriptor
        self.opened = state
        unsafe self.base = unsafe base
    }

    deinit {
        // Neither can fail for a mapping and a descriptor that are our own.
        if let base = unsafe base { unsafe munmap(UnsafeMutableRawPointer(mutating: base), count) }
        close(descriptor)
    }

    package var count: Int { opened.size }

    /// The whole file, in place.
    package var bytes: MappedBytes {
        unsafe MappedBytes(UnsafeRawBufferPointer(start: base, count: count), owner: self)
    }

    /// - Throws: `.changed` when the size or the modification time is not that of the opening.
    package func checkUnchanged() throws {
        let now = try FileState(of: descriptor, path: path)
        guard now == opened else {
            throw CambiumError(
                .changed,
                "\(path) changed while it was read (\(opened.size) bytes at first, now \(now.size)); "
                    + "wait until it is written and try again")
        }
    }

    private static func map(
        _ descriptor: Int32, count: Int, path: String
    ) throws -> UnsafeRawPointer? {
        // An empty mapping is an error to mmap.
        guard count > 0 else { return nil }
        let base = unsafe mmap(nil, count, PROT_READ, MAP_PRIVATE, descriptor, 0)
        guard let base = unsafe base, unsafe base != MAP_FAILED else {
            throw systemError("map", path, errno)
        }
        return UnsafeRawPointer(base)
    }
}

/// The size and the modification time of a regular file.
struct FileState: Equatable {
    let size: Int
    private let seconds: Int
    private let nanoseconds: Int

    init(of descriptor: Int32, path: String) throws {
        var status = stat()
        try check("examine", path) { unsafe fstat(descriptor, &status) }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw CambiumError(.unsupported, "\(path) is not a regular file")
        }
        size = status.st_size
        seconds = status.st_mtim.tv_sec
        nanoseconds = status.st_mtim.tv_nsec
    }
}
