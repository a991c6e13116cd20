internal import Elements
internal import Glibc

/// A file that appears under its name only when it is complete and durable.
///
/// Bytes go to a hidden temporary file in the same directory; ``stage()`` flushes it (fsync), and
/// ``publish()`` renames it over the target and flushes the directory too. A value that ends before that
/// removes the temporary file. A process that dies leaves at most one `.cambium-….tmp` behind.
package struct OutputFile: ~Copyable {
    private let target: String
    private let temporary: String
    private let descriptor: Int32
    private var buffer: [UInt8] = []
    private var length = 0
    /// Bytes that were written when the flush that runs, or ran last, began.
    private var synced = 0
    /// The flush that runs: 0 or an error number.
    private var syncing: Background<Int32>?
    private var staged = false

    /// Small pieces are gathered to this size before they are written.
    private static let bufferCapacity = 1 << 18

    package init(path: String) throws {
        let directory = folder(of: path)
        let suffix = String(UInt64.random(in: .min ... .max), radix: 36)
        let temporary = "\(directory)/.cambium-\(suffix).tmp"
        self.target = path
        self.temporary = temporary
        TemporaryFiles.add(temporary)
        self.descriptor = try check("create a file in", directory) {
            openDescriptor(temporary, O_WRONLY | O_CREAT | O_EXCL)
        }
        buffer.reserveCapacity(Self.bufferCapacity)
    }

    deinit {
        // The bytes are lost on purpose or already durable, so a failure here loses nothing.
        _ = syncing?.wait()
        close(descriptor)
        if !staged {
            unsafe unlink(temporary)
            TemporaryFiles.forget(temporary)
        }
    }

    package mutating func append(_ bytes: RawSpan) throws {
        if buffer.count + bytes.byteCount > Self.bufferCapacity { try flush() }
        guard bytes.byteCount <= Self.bufferCapacity else {
            try write(bytes)
            length += bytes.byteCount
            return try startSyncing()
        }
        unsafe bytes.withUnsafeBytes { unsafe buffer.append(contentsOf: $0) }
    }

    /// Makes the bytes durable, not yet under their name.
    package consuming func stage() throws -> StagedFile {
        try flush()
        try finishSyncing()
        try check("flush", target) { fsync(descriptor) }
        staged = true
        return StagedFile(temporary, target)
    }

    package consuming func publish() throws {
        let file = try stage()
        try file.publish()
        try syncFolder(file.folder, isStores: false)
    }

    private mutating func flush() throws {
        try write(buffer.raw)
        length += buffer.count
        buffer.removeAll(keepingCapacity: true)
        try startSyncing()
    }

    private func write(_ bytes: RawSpan) throws {
        guard writeAll(bytes, to: descriptor) else { throw systemError("write", target, errno) }
    }
}

extension OutputFile {
    /// Bytes after which the disk is set to work.
    private static let syncInterval = 64 << 20

    /// Lets the disk write while the next bytes are made, so that the flush at the end waits less.
    private mutating func startSyncing() throws {
        guard length - synced >= Self.syncInterval else { return }
        try finishSyncing()
        synced = length
        syncing = Background { [descriptor] in fdatasync(descriptor) == 0 ? 0 : errno }
    }

    /// Waits for the disk; a failure is told here, since the kernel tells it only once.
    private mutating func finishSyncing() throws {
        guard let running = syncing else { return }
        syncing = nil
        let failure = running.wait()
        if failure != 0 { throw systemError("flush", target, failure) }
    }
}

/// A complete and durable file that does not have its name yet.
///
/// When it is released before it gets it, it is removed.
package final class StagedFile: Sendable {
    private let temporary: String
    /// The path that it will have.
    package let target: String

    package var folder: String { Files.folder(of: target) }

    fileprivate init(_ temporary: String, _ target: String) {
        self.temporary = temporary
        self.target = target
    }

    deinit {
        // There is none when it has its name.
        unsafe unlink(temporary)
        TemporaryFiles.forget(temporary)
    }

    /// Gives the file its name, in the place of what has it; durable when the folder is flushed.
    package func publish() throws {
        try check("rename a temporary file to", target) { unsafe rename(temporary, target) }
    }
}

/// The folder that a file is in.
private func folder(of path: String) -> String {
    switch path.utf8.lastIndex(of: UInt8(ascii: "/")) {
    case nil: "."
    case path.startIndex: "/"
    case .some(let slash): String(path[..<slash])
    }
}

/// Writes a whole file that does not get its name yet.
///
/// - Throws: `.diskFull`, `.notFound` for a missing directory, or `.io`.
package func stageFile(_ bytes: RawSpan, at path: String) throws -> StagedFile {
    var output = try OutputFile(path: path)
    try output.append(bytes)
    return try output.stage()
}

/// Writes a whole small file, which appears complete and durable or not at all.
///
/// - Throws: `.diskFull`, `.notFound` for a missing directory, or `.io`.
package func writeFile(_ bytes: [UInt8], to path: String) throws {
    var output = try OutputFile(path: path)
    try output.append(bytes.raw)
    try output.publish()
}
