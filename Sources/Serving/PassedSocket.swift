internal import Cambium
internal import Glibc

/// The socket that whoever started the process listens with, and passed on: how systemd starts a server when somebody
/// first connects (sd_listen_fds(3)).
struct PassedSocket: Sendable {
    let descriptor: Int32
    /// Whether this machine alone reaches it.
    let isLocal: Bool

    /// Where passed descriptors begin.
    private static let first: Int32 = 3

    /// - Throws: `usage` for several sockets, or something that is none.
    init?() throws {
        guard let process = Self.number("LISTEN_PID"), process == Int(getpid()),
            let count = Self.number("LISTEN_FDS"), count > 0
        else { return nil }
        // They are for this process, not for those that it may start.
        for name in ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"] { unsafe unsetenv(name) }
        guard count == 1 else {
            throw CambiumError(
                .usage, "\(count) sockets were passed on (LISTEN_FDS); the server listens at one")
        }
        try self.init(descriptor: Self.first)
    }

    /// - Throws: `usage` for what is no socket that listens.
    init(descriptor: Int32) throws {
        self.descriptor = descriptor
        var listens: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        guard
            unsafe getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0,
            listens != 0
        else {
            throw CambiumError(
                .usage,
                "descriptor \(descriptor) was passed on (LISTEN_FDS) and is no socket that listens")
        }
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        isLocal = Self.isLocal(descriptor)
    }

    private static func number(_ name: String) -> Int? {
        guard let text = unsafe getenv(name) else { return nil }
        return unsafe Int(String(cString: text))
    }

    private static func isLocal(_ descriptor: Int32) -> Bool {
        var bytes = [UInt8](repeating: 0, count: MemoryLayout<sockaddr_storage>.size)
        var size = socklen_t(bytes.count)
        let isTold = unsafe bytes.withUnsafeMutableBytes { buffer in
            unsafe getsockname(
                descriptor, buffer.baseAddress?.assumingMemoryBound(to: sockaddr.self), &size) == 0
        }
        guard isTold else { return false }
        switch Int32(bytes[0]) | Int32(bytes[1]) << 8 {
        case AF_UNIX: return true
        // The address stands behind family and port.
        case AF_INET: return bytes[4] == 127
        // Behind family, port and flow label: ::1, or 127.0.0.0/8 in the form of version 6.
        case AF_INET6:
            let address = bytes[8..<24]
            return address.elementsEqual([UInt8](repeating: 0, count: 15) + [1])
                || address.prefix(12).elementsEqual([UInt8](repeating: 0, count: 10) + [255, 255])
                    && address[20] == 127
        default: return false
        }
    }
}
