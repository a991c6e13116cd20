internal import Cambium
internal import Glibc

/// Reading the user's texts: never more than is needed, and never without an end.
extension Terminal {
    /// Bytes of a text that is read whole: it is kept in memory.
    private static let longestFile = 4 << 30
    /// The same of a pipe, whose length nobody knows before.
    private static let longestPipe = 1 << 30

    /// The bytes of a file; of standard input for `-`.
    ///
    /// - Parameter limit: Bytes of its beginning that are read; nil for all.
    /// - Throws: `not-found`, `io`, `too-large` for what is too long to be read whole, or has no end.
    static func read(_ path: String, limit: Int? = nil) throws(Failure) -> [UInt8] {
        guard path != "-" else { return try readAll(0, "standard input", limit) }
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            let code: StoreError.Code = errno == ENOENT ? .notFound : .io
            throw Failure(code, unsafe "\(path): \(String(cString: strerror(errno)))")
        }
        defer { close(descriptor) }
        return try readAll(descriptor, path, limit)
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
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else {
            throw Failure(.io, unsafe "\(name): \(String(cString: strerror(errno)))")
        }
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
        while bytes.count < limit {
            let room = min(chunk.count, limit - bytes.count)
            let count = unsafe chunk.withUnsafeMutableBytes { buffer in
                unsafe Glibc.read(descriptor, buffer.baseAddress, room)
            }
            if count > 0 {
                bytes += chunk[..<count]
            } else if count == 0 {
                break
            } else if errno != EINTR {
                throw Failure(.io, unsafe "\(name): \(String(cString: strerror(errno)))")
            }
        }
        return bytes
    }
}
