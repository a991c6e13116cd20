package import Elements
internal import Files

/// A safetensors file, opened by mapping it: its header checked whole, its data read when touched.
///
/// Or the file that tensors in memory would be, which nobody writes.
///
/// The header is copied before it is read, so what was checked cannot change. The tensors' bytes are
/// the file's own: a writer who changes them in place is noticed only by ``checkUnchanged()``, and
/// one who shortens the file ends this process (see `MappedFile`). A file that is replaced by a
/// rename, as ``SafetensorsWriter`` does, stays what it was.
package struct SafetensorsFile: Sendable {
    package let path: String
    package let header: SafetensorsHeader
    private let content: Content

    private enum Content: Sendable {
        case mapped(MappedFile, dataStart: Int)
        /// The header's JSON, and the bytes of each tensor in the order of the data.
        case memory(text: [UInt8], [MappedBytes])
    }

    /// Maps the file and checks its header.
    ///
    /// - Throws: `.notFound`, `.io`, `.unsupported`, `.truncated`, `.tooLarge`, `.notACheckpoint` for another
    ///   kind of file that is known, or what
    ///   ``SafetensorsHeader`` throws.
    package init(opening path: String) throws {
        let file = try MappedFile(path: path)
        let start = file.bytes.bytes.copy(0..<min(64, file.count))
        if let explanation = ForeignFile.explanation(start) {
            throw CambiumError(.notACheckpoint, "\(path) \(explanation)")
        }
        guard file.count >= SafetensorsHeader.prefixLength else {
            throw CambiumError(
                .truncated,
                "\(path) is \(file.count) bytes long, shorter than any safetensors file: copy or "
                    + "download it again")
        }
        let bytes = file.bytes
        let length = try SafetensorsHeader.length(
            prefix: bytes.bytes.number(at: 0), fileLength: file.count, source: path)
        let dataStart = SafetensorsHeader.prefixLength + length
        let json = bytes.bytes.copy(SafetensorsHeader.prefixLength..<dataStart)
        self.header = try SafetensorsHeader(
            decoding: json, dataCount: file.count - dataStart, source: path)
        try file.checkUnchanged()
        self.path = path
        self.content = .mapped(file, dataStart: dataStart)
    }

    /// The file that Python's `save_file` would write of tensors in memory.
    ///
    /// - Parameter name: For messages.
    /// - Throws: `bad-shape` for bytes that are not as many as a shape says; `duplicate-name`, `unsupported`,
    ///   `too-large`.
    init(
        _ tensors: [(entry: TensorEntry, bytes: MappedBytes)], metadata: HeaderMetadata?,
        name: String
    ) throws {
        for (entry, bytes) in tensors {
            guard let count = entry.shape.byteCount, count != bytes.count else { continue }
            throw CambiumError(
                .badShape,
                "tensor \(quoted(entry.name)) is \(entry.shape), which takes \(count) bytes; it was given "
                    + "\(bytes.count)")
        }
        let entries = SafetensorsHeader.inFileOrder(tensors.map(\.entry))
        let text = try SafetensorsHeader.text(entries, metadata: metadata?.sorted, source: name)
        let count = entries.reduce(0) { $0 + ($1.shape.byteCount ?? 0) }
        header = try SafetensorsHeader(decoding: text, dataCount: count, source: name)
        var bytes: [String: MappedBytes] = [:]
        bytes.reserveCapacity(tensors.count)
        for tensor in tensors { bytes[tensor.entry.name] = tensor.bytes }
        path = name
        content = .memory(text: text, header.tensors.compactMap { bytes[$0.name] })
    }

    /// The header's JSON with its padding, read once more.
    var headerText: [UInt8] {
        switch content {
        case .mapped(let file, let dataStart):
            file.bytes.bytes.copy(SafetensorsHeader.prefixLength..<dataStart)
        case .memory(let text, _): text
        }
    }

    /// The bytes of the tensor at `position` in the header, in place.
    package func bytes(of position: Int) -> MappedBytes {
        switch content {
        case .mapped(let file, let dataStart):
            let range = header.tensors[position].range
            return file.bytes.slice(dataStart + range.lowerBound..<dataStart + range.upperBound)
        case .memory(_, let tensors): return tensors[position]
        }
    }

    /// Whether what was read since the opening can be trusted: call it after the last byte is read,
    /// before anything that depends on it is made durable.
    ///
    /// It compares size and modification time. A writer that sets the time back goes unnoticed.
    ///
    /// - Throws: `.changed`, or `.io`.
    package func checkUnchanged() throws {
        if case .mapped(let file, _) = content { try file.checkUnchanged() }
    }
}
