internal import Cambium
internal import Glibc
internal import Reporting

/// Reading the user's texts: never more than is needed, and never without an end.
extension Terminal {
    /// Bytes of a text that is read whole: it is kept in memory.
    private static let longestFile = 4 << 30
    /// The same of a pipe, whose length nobody knows before.
    private static let longestPipe = 1 << 30

    /// Milliseconds that a FIFO is given to find somebody who writes into it.
    private static let patience = 5_000

    /// Whether a person writes standard input.
    static var isInputTerminal: Bool { isatty(0) == 1 }

    /// The next line of standard input, without what ends it; nil at the end, and for a line that has none.
    static func line() -> [UInt8]? {
        var line: [UInt8] = []
        while let byte = next(from: 0) {
            guard byte != UInt8(ascii: "\n") else { return line }
            if line.count < 1 << 20 { line.append(byte) }
        }
        return line.isEmpty ? nil : line
    }

    /// A file that is open as long as somebody may read it.
    private final class OpenFile: Sendable {
        let descriptor: Int32
        let name: String

        /// - Throws: `not-found`, `io`.
        init(_ path: String) throws(Failure) {
            // Without waiting: a FIFO that nobody writes into would keep open(2) for ever.
            descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
            name = path
            guard descriptor >= 0 else {
                let code: CambiumError.Code =
                    switch errno {
                    case ENOENT: .notFound
                    case EMFILE, ENFILE: .limit
                    default: .io
                    }
                throw Failure(code, unsafe "\(path): \(String(cString: strerror(errno)))")
            }
        }

        deinit { close(descriptor) }
    }

    /// Bytes of a regular file; nil for what is none.
    static func size(_ path: String) -> Int? {
        var status = stat()
        guard unsafe stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            return nil
        }
        return Int(status.st_size)
    }

    /// What is said to who names a folder, of which commands that measure read a text.
    private static let folderHint =
        "name a file in it; of a folder with a test.txt that text is read"

    /// The bytes of a file; of standard input for `-`.
    ///
    /// - Parameters:
    ///   - limit: Bytes of its beginning that are read; nil for all.
    ///   - folder: What is said of a folder.
    /// - Throws: `not-found`, `io`, `too-large` for what is too long to be read whole, or has no end.
    static func read(
        _ path: String, limit: Int? = nil, folder: String = folderHint
    ) throws(Failure) -> [UInt8] {
        guard path != "-" else { return try readAll(0, "standard input", limit) }
        let file = try OpenFile(path)
        defer { withExtendedLifetime(file) {} }
        try checkReadable(file, folder)
        return try readAll(file.descriptor, path, limit)
    }

    /// A file to be read part by part; what is no regular file is read at once.
    ///
    /// - Parameter limit: Bytes of its beginning that count; nil for all.
    /// - Throws: As ``read(_:limit:)``.
    static func source(_ path: String, limit: Int? = nil) throws(Failure) -> TextSource {
        guard path != "-" else { return TextSource(try read(path, limit: limit)) }
        let file = try OpenFile(path)
        defer { withExtendedLifetime(file) {} }
        try checkReadable(file)
        let status = try status(file.descriptor, path)
        // Files of /proc say that they are empty; and a thousand small ones shall not take a thousand descriptors.
        guard status.st_mode & S_IFMT == S_IFREG, status.st_size > 1 << 20 else {
            return TextSource(try readAll(file.descriptor, path, limit))
        }
        return TextSource(count: Int(status.st_size)) { range in
            var bytes = [UInt8](repeating: 0, count: range.count)
            var done = 0
            while done < bytes.count {
                let count = unsafe bytes.withUnsafeMutableBytes { buffer in
                    unsafe pread(
                        file.descriptor, buffer.baseAddress.map { unsafe $0 + done },
                        buffer.count - done, off_t(range.lowerBound + done))
                }
                if count > 0 {
                    done += count
                } else if count == 0 {
                    return Array(bytes[..<done])
                } else if errno != EINTR {
                    throw CambiumError(
                        .io, unsafe "\(file.name): \(String(cString: strerror(errno)))")
                }
            }
            return bytes
        }.prefix(limit)
    }

    /// Refuses a folder, and a terminal: whoever means the keyboard says `-`.
    private static func checkReadable(
        _ file: OpenFile, _ folder: String = folderHint
    ) throws(Failure) {
        guard try status(file.descriptor, file.name).st_mode & S_IFMT != S_IFDIR else {
            throw Failure(
                .io, "\(file.name) is a folder", hint: folder)
        }
        if isatty(file.descriptor) == 1 {
            throw Failure(
                .usage, "\(file.name) is a terminal, which has no end",
                hint: "name a file, or - to type the text")
        }
    }

    private static func status(_ descriptor: Int32, _ name: String) throws(Failure) -> stat {
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else {
            throw Failure(.io, unsafe "\(name): \(String(cString: strerror(errno)))")
        }
        return status
    }

    /// The next bytes of standard input, as they come: fewer than `count` at its end alone.
    ///
    /// - Throws: `io`.
    static func readNext(_ count: Int) throws(Failure) -> [UInt8] {
        try readBytes(0, "standard input", count, expected: 0)
    }

    private static func readAll(
        _ descriptor: Int32, _ name: String, _ limit: Int?
    ) throws(Failure) -> [UInt8] {
        let status = try status(descriptor, name)
        let isFile = status.st_mode & S_IFMT == S_IFREG
        let length = isFile ? Int(status.st_size) : 0
        if let limit { return try readBytes(descriptor, name, limit, expected: min(length, limit)) }
        let isDevice = status.st_mode & S_IFMT == S_IFCHR
        // /dev/null ends at once, a terminal when its user says so.
        let ends = !isDevice || isatty(descriptor) == 1 || status.st_rdev == nullDevice
        guard ends else {
            throw Failure(
                .tooLarge, "\(name) is a device without an end; name a file, or a part of it")
        }
        let most = isFile ? longestFile : longestPipe
        let tooLong = Failure(
            .tooLarge,
            "\(name) is longer than \(Quantity.bytes(most)), the most that is read of one text; name "
                + "a part of it")
        guard length <= most else { throw tooLong }
        let bytes = try readBytes(descriptor, name, most + 1, expected: length)
        guard bytes.count <= most else { throw tooLong }
        return bytes
    }

    /// The number of /dev/null: major 1, minor 3 (Linux, admin-guide/devices.txt).
    private static let nullDevice: dev_t = 1 << 8 | 3

    private static func readBytes(
        _ descriptor: Int32, _ name: String, _ limit: Int, expected: Int
    ) throws(Failure) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(expected)
        var chunk = [UInt8](repeating: 0, count: max(0, min(limit, 1 << 16)))
        // Of a FIFO that is opened by its name, an end may be that of no writer yet.
        var mayBegin = try status(descriptor, name).st_mode & S_IFMT == S_IFIFO
        if descriptor == 0 { mayBegin = false }
        var waited = 0
        while bytes.count < limit {
            let room = min(chunk.count, limit - bytes.count)
            let count = unsafe chunk.withUnsafeMutableBytes { buffer in
                unsafe Glibc.read(descriptor, buffer.baseAddress, room)
            }
            if count > 0 {
                bytes += chunk[..<count]
            } else if count == 0 {
                guard mayBegin, bytes.isEmpty else { break }
                mayBegin = try waitForWriter(descriptor, name, &waited)
            } else if errno == EAGAIN {
                // There is a writer, which takes its time.
                mayBegin = false
                var wanted = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
                _ = unsafe poll(&wanted, 1, -1)
            } else if errno != EINTR {
                throw Failure(.io, unsafe "\(name): \(String(cString: strerror(errno)))")
            }
        }
        return bytes
    }

    /// Waits a little for somebody to write into a FIFO.
    ///
    /// - Returns: False when a writer came and went.
    private static func waitForWriter(
        _ descriptor: Int32, _ name: String, _ waited: inout Int
    ) throws(Failure) -> Bool {
        let step = 20
        var wanted = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        if unsafe poll(&wanted, 1, Int32(step)) > 0 {
            return wanted.revents & Int16(POLLHUP) == 0
        }
        waited += step
        guard waited < patience else {
            throw Failure(
                .io, "\(name) is a FIFO, and nobody writes into it",
                hint: "start what writes first, or name a file")
        }
        return true
    }
}
