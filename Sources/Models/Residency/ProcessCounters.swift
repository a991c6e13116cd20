internal import Glibc

/// What the kernel counted for this process.
package struct ProcessCounters: Sendable, Hashable {
    /// Bytes that were fetched from the disk for it (`read_bytes` of proc_pid_io(5)); 0 where the
    /// system does not tell.
    package let bytesRead: Int
    /// Page faults that waited for the disk (getrusage(2)).
    package let majorFaults: Int
    /// Bytes of memory of its own (`RssAnon` of proc_pid_status(5)).
    package let anonymousBytes: Int
    /// Bytes of mapped files in its memory (`RssFile`).
    package let fileBytes: Int

    /// As they are now.
    package init() {
        bytesRead = Self.field("read_bytes:", of: "/proc/self/io")
        anonymousBytes = 1024 * Self.field("RssAnon:", of: "/proc/self/status")
        fileBytes = 1024 * Self.field("RssFile:", of: "/proc/self/status")
        var usage = rusage()
        majorFaults =
            unsafe getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage) == 0
            ? usage.ru_majflt : 0
    }

    private static func field(_ name: String, of path: String) -> Int {
        for line in processFile(path).split(separator: "\n") where line.hasPrefix(name) {
            let words = line.dropFirst(name.count).split { $0 == " " || $0 == "\t" }
            return words.first.flatMap { Int($0) } ?? 0
        }
        return 0
    }
}

/// The beginning of a file of proc(5); empty where the system does not tell.
func processFile(_ path: String) -> String {
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return "" }
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: 4096)
    let count = unsafe bytes.withUnsafeMutableBytes {
        unsafe read(descriptor, $0.baseAddress, $0.count)
    }
    return String(decoding: bytes[..<max(count, 0)], as: UTF8.self)
}
