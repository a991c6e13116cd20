internal import Elements
internal import Glibc

/// Opens a file, never on a descriptor of the standard streams.
///
/// A program may run with 0, 1 or 2 closed, and open(2) gives the lowest that is free: a file there would
/// get what the program writes as its messages. Closed again when a child process starts.
///
/// - Returns: The descriptor; -1 with `errno` when the file cannot be opened.
package func openDescriptor(_ path: String, _ flags: Int32, mode: UInt32 = 0o666) -> Int32 {
    let areOpen = (0...2).allSatisfy { fcntl($0, F_GETFD) >= 0 }
    guard !areOpen else { return unsafe open(path, flags | O_CLOEXEC, mode) }
    return withoutStandardDescriptors { unsafe open(path, flags | O_CLOEXEC, mode) }
}

/// Reads until the bytes are full or the file ends.
///
/// - Parameter offset: Of the first byte in the file; nil reads on where the descriptor stands.
/// - Returns: The bytes that were read; -1 with `errno` when the file cannot be read.
package func readAll(
    _ descriptor: Int32, into bytes: inout MutableRawSpan, at offset: Int? = nil
) -> Int {
    unsafe bytes.withUnsafeMutableBytes { bytes in
        var done = 0
        while done < bytes.count {
            let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: bytes[done...])
            let count =
                if let offset {
                    unsafe pread(descriptor, rest.baseAddress, rest.count, off_t(offset + done))
                } else {
                    unsafe read(descriptor, rest.baseAddress, rest.count)
                }
            if count > 0 {
                done += count
            } else if count == 0 || errno != EINTR {
                return count == 0 ? done : -1
            }
        }
        return done
    }
}

/// Writes all bytes; false with `errno` when they cannot be written.
package func writeAll(_ bytes: RawSpan, to descriptor: Int32) -> Bool {
    var rest = bytes
    while rest.byteCount > 0 {
        let count = unsafe rest.withUnsafeBytes { bytes in
            unsafe write(descriptor, bytes.baseAddress, bytes.count)
        }
        if count > 0 {
            rest = rest.extracting(droppingFirst: count)
        } else if count == 0 || errno != EINTR {
            return false
        }
    }
    return true
}

/// Runs `body`, in which nothing that is opened gets a descriptor of the standard streams; for libraries
/// that open files by themselves.
///
/// What is written to a closed stream meanwhile fails as it would have failed.
package func withoutStandardDescriptors<Result, Failure: Error>(
    _ body: () throws(Failure) -> Result
) throws(Failure) -> Result {
    StandardDescriptors.take()
    defer { StandardDescriptors.release() }
    return try body()
}

/// The descriptors below 3 that are closed, taken while anyone opens files.
private enum StandardDescriptors {
    private static let state = ProcessState((users: 0, taken: [Int32]()))

    static func take() {
        state.withLock { state in
            state.users += 1
            while true {
                // A folder: reading and writing fail on it.
                let descriptor = unsafe open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
                guard (0...2).contains(descriptor) else {
                    if descriptor > 2 { close(descriptor) }
                    return
                }
                state.taken.append(descriptor)
            }
        }
    }

    static func release() {
        // Whoever opened a file reads errno afterwards.
        let number = errno
        state.withLock { state in
            state.users -= 1
            guard state.users == 0 else { return }
            for descriptor in state.taken where isRoot(descriptor) { close(descriptor) }
            state.taken = []
        }
        errno = number
    }

    /// Whether it is still what `take` opened: the program may have put a stream of its own there.
    private static func isRoot(_ descriptor: Int32) -> Bool {
        var (found, root) = (stat(), stat())
        return unsafe fstat(descriptor, &found) == 0 && stat("/", &root) == 0
            && found.st_dev == root.st_dev && found.st_ino == root.st_ino
    }
}
