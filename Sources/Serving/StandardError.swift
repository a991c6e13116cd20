internal import Glibc
internal import Synchronization

/// Standard error, which may be gone, full or closed at its other end: what cannot be written is left out, and counted.
package enum StandardError {
    private static let lost = Atomic<Int>(0)

    /// Lines that could not be written, or not whole.
    static var linesLost: Int { lost.load(ordering: .relaxed) }

    /// Writes a line.
    ///
    /// - Parameter descriptor: Another one for tests.
    package static func write(_ line: String, to descriptor: Int32 = STDERR_FILENO) {
        var bytes = Array((line + "\n").utf8)[...]
        while !bytes.isEmpty {
            let count = unsafe bytes.withUnsafeBytes {
                unsafe Glibc.write(descriptor, $0.baseAddress, $0.count)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                lost.add(1, ordering: .relaxed)
                return
            }
            bytes.removeFirst(count)
        }
    }
}
