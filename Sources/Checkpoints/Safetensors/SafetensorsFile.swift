package import Elements
internal import Files

/// A safetensors file, opened by mapping it: its header checked whole, its data read when touched.
///
/// The header is copied before it is read, so what was checked cannot change. The tensors' bytes are
/// the file's own: a writer who changes them in place is noticed only by ``checkUnchanged()``, and
/// one who shortens the file ends this process (see `MappedFile`). A file that is replaced by a
/// rename, as ``SafetensorsWriter`` does, stays what it was.
package struct SafetensorsFile: Sendable {
    package let path: String
    package let header: SafetensorsHeader
    private let file: MappedFile
    private let dataStart: Int

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
        self.dataStart = SafetensorsHeader.prefixLength + length
        let json = bytes.bytes.copy(SafetensorsHeader.prefixLength..<dataStart)
        self.header = try SafetensorsHeader(
            decoding: json, dataCount: file.count - dataStart, source: path)
        try file.checkUnchanged()
        self.path = path
        self.file = file
    }

    /// The header's JSON with its padding, read once more.
    var headerText: [UInt8] {
        file.bytes.bytes.copy(SafetensorsHeader.prefixLength..<dataStart)
    }

    /// The bytes of the tensor at `position` in the header, in place.
    package func bytes(of position: Int) -> MappedBytes {
        let range = header.tensors[position].range
        return file.bytes.slice(dataStart + range.lowerBound..<dataStart + range.upperBound)
    }

    /// Whether what was read since the opening can be trusted: call it after the last byte is read,
    /// before anything that depends on it is made durable.
    ///
    /// It compares size and modification time. A writer that sets the time back goes unnoticed.
    ///
    /// - Throws: `.changed`, or `.io`.
    package func checkUnchanged() throws {
        try file.checkUnchanged()
    }
}
