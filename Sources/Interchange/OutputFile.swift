internal import Elements
internal import Glibc

/// A file that appears under its name only when it is complete and durable.
///
/// Bytes go to a hidden temporary file in the same directory; ``publish()`` flushes it (fsync),
/// renames it over the target and flushes the directory. A value that ends before that removes the
/// temporary file. A process that dies leaves at most one `.cambium-….tmp` behind.
struct OutputFile: ~Copyable {
    private let target: String
    private let directory: String
    private let temporary: String
    private let descriptor: Int32
    private var buffer: [UInt8] = []
    private var published = false

    /// Small pieces are gathered to this size before they are written.
    private static let bufferCapacity = 1 << 18

    init(path: String) throws(InterchangeError) {
        let slash = path.utf8.lastIndex(of: UInt8(ascii: "/"))
        let directory =
            switch slash {
            case nil: "."
            case path.startIndex: "/"
            case .some(let slash): String(path[..<slash])
            }
        let suffix = String(UInt64.random(in: .min ... .max), radix: 36)
        let temporary = "\(directory)/.cambium-\(suffix).tmp"
        self.target = path
        self.directory = directory
        self.temporary = temporary
        self.descriptor = try check("create a file in", directory) {
            unsafe open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
        }
        buffer.reserveCapacity(Self.bufferCapacity)
    }

    deinit {
        // The bytes are lost on purpose or already durable, so a failure here loses nothing.
        close(descriptor)
        if !published { unsafe unlink(temporary) }
    }

    mutating func append(_ bytes: RawSpan) throws(InterchangeError) {
        if buffer.count + bytes.byteCount > Self.bufferCapacity { try flush() }
        guard bytes.byteCount <= Self.bufferCapacity else { return try write(bytes) }
        unsafe bytes.withUnsafeBytes { unsafe buffer.append(contentsOf: $0) }
    }

    consuming func publish() throws(InterchangeError) {
        try flush()
        try check("flush", target) { fsync(descriptor) }
        try check("rename a temporary file to", target) { unsafe rename(temporary, target) }
        published = true
        let folder = try check("open", directory) {
            unsafe open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        }
        defer { close(folder) }
        try check("flush", directory) { fsync(folder) }
    }

    private mutating func flush() throws(InterchangeError) {
        try write(buffer.raw)
        buffer.removeAll(keepingCapacity: true)
    }

    private func write(_ bytes: RawSpan) throws(InterchangeError) {
        var rest = bytes
        while rest.byteCount > 0 {
            let written = try check("write", target) {
                unsafe rest.withUnsafeBytes { bytes in
                    unsafe Glibc.write(descriptor, bytes.baseAddress, bytes.count)
                }
            }
            rest = rest.extracting(droppingFirst: written)
        }
    }
}

/// Writes a whole small file, which appears complete and durable or not at all.
///
/// - Throws: `.diskFull`, `.notFound` for a missing directory, or `.io`.
package func writeFile(_ bytes: [UInt8], to path: String) throws(InterchangeError) {
    var output = try OutputFile(path: path)
    try output.append(bytes.raw)
    try output.publish()
}
