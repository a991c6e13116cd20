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
    private var length = 0
    /// Bytes that were written when the flush that runs, or ran last, began.
    private var synced = 0
    /// The flush that runs: 0 or an error number.
    private var syncing: Background<Int32>?
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
        _ = syncing?.wait()
        close(descriptor)
        if !published { unsafe unlink(temporary) }
    }

    mutating func append(_ bytes: RawSpan) throws(InterchangeError) {
        if buffer.count + bytes.byteCount > Self.bufferCapacity { try flush() }
        guard bytes.byteCount <= Self.bufferCapacity else {
            try write(bytes)
            length += bytes.byteCount
            return try startSyncing()
        }
        unsafe bytes.withUnsafeBytes { unsafe buffer.append(contentsOf: $0) }
    }

    consuming func publish() throws(InterchangeError) {
        try flush()
        try finishSyncing()
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
        length += buffer.count
        buffer.removeAll(keepingCapacity: true)
        try startSyncing()
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

extension OutputFile {
    /// Bytes after which the disk is set to work.
    private static let syncInterval = 64 << 20

    /// Lets the disk write while the next bytes are made, so that the flush at the end waits less.
    private mutating func startSyncing() throws(InterchangeError) {
        guard length - synced >= Self.syncInterval else { return }
        try finishSyncing()
        synced = length
        syncing = Background { [descriptor] in fdatasync(descriptor) == 0 ? 0 : errno }
    }

    /// Waits for the disk; a failure is told here, since the kernel tells it only once.
    private mutating func finishSyncing() throws(InterchangeError) {
        guard let running = syncing else { return }
        syncing = nil
        let failure = running.wait()
        if failure != 0 { throw systemError("flush", target, failure) }
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
