internal import Elements
internal import Glibc

/// An open regular file of a store that is read and written at offsets, such as one with holes; closed when it is let
/// go of.
package struct PlacedFile: ~Copyable {
    private let descriptor: Int32
    private let path: String

    package enum Use: Sendable {
        case reading
        /// The file is made when it is missing.
        case writing
        /// The file is made when it is missing; ``write(_:at:)`` adds to its end, whatever others add meanwhile.
        case appending
    }

    /// - Throws: `.notFound` when there is none to read; `.readOnly`, `.io`, `.corrupt` for what is no regular file.
    package init(_ path: String, _ use: Use) throws {
        let flags =
            switch use {
            case .reading: O_RDONLY
            case .writing: O_RDWR | O_CREAT
            case .appending: O_RDWR | O_CREAT | O_APPEND
            }
        self.path = path
        descriptor = try openStoreFile(path, flags)
    }

    deinit { close(descriptor) }

    /// Which file it is, whatever has its name by now, and its length.
    package func state() throws -> (identity: UInt64, length: Int) {
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else { throw storeError("look at", path) }
        return (UInt64(status.st_ino), Int(status.st_size))
    }

    /// Reads bytes; returns how many there are, fewer than asked for at the end of the file.
    package func read(into bytes: inout MutableRawSpan, at offset: Int) throws -> Int {
        let count = readAll(descriptor, into: &bytes, at: offset)
        guard count >= 0 else { throw storeError("read", path) }
        return count
    }

    package func write(_ bytes: RawSpan, at offset: Int = 0) throws {
        var done = 0
        while done < bytes.byteCount {
            let count = unsafe bytes.extracting(droppingFirst: done).withUnsafeBytes { rest in
                unsafe pwrite(descriptor, rest.baseAddress, rest.count, off_t(offset + done))
            }
            if count > 0 {
                done += count
            } else if count == 0 || errno != EINTR {
                throw storeError("write", path)
            }
        }
    }

    /// Notes that the file was used now; what fails is not noted.
    package func touch() { _ = futimens(descriptor, nil) }
}

/// What a file takes on its disk, holes left out, and when it was last written or touched, in nanoseconds since 1970; nil
/// when there is none.
package func occupation(of path: String) -> (bytes: Int, used: Int)? {
    var status = stat()
    guard unsafe lstat(path, &status) == 0 else { return nil }
    return (
        Int(status.st_blocks) * 512,
        Int(status.st_mtim.tv_sec) * 1_000_000_000 + Int(status.st_mtim.tv_nsec)
    )
}

/// Bytes of the disk that a path is on; nil where the system does not tell.
package func diskSize(_ path: String) -> Int? {
    var status = statvfs()
    guard unsafe statvfs(path, &status) == 0 else { return nil }
    return Int(clamping: status.f_blocks) * Int(clamping: status.f_frsize)
}
