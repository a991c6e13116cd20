internal import Elements
package import Files

/// Writes safetensors files: streamed, durable, and byte for byte what Python's
/// `safetensors.save_file` (0.8) writes for the same tensors, or what another program wrote.
///
/// With two or more metadata entries, Python writes them in a random order; here the order given
/// holds.
package enum SafetensorsWriter {
    /// Writes `tensors` to a temporary file beside `path`, flushes it and renames it to `path`.
    ///
    /// - Parameters:
    ///   - tensors: In any order, unless they are ordered.
    ///   - metadata: Nil writes no `__metadata__`.
    ///   - ordered: Whether the data lie in the order of `tensors`; else in the order of Python's writer.
    ///   - splice: How the header differs from Python's for tensors in that order. One that does not describe
    ///     these tensors and this metadata is left out.
    ///   - fill: Called once per tensor, in the order of the file, with the tensor's position in
    ///     `tensors`. It appends exactly the tensor's bytes to the sink, in as many pieces as it likes.
    /// - Returns: Whether the header is the one asked for: false when a splice was left out.
    /// - Throws: What `fill` throws; or, carried, `.unsupported`, `.duplicateName`, `.tooLarge`,
    ///   `.diskFull`, `.notFound` for a missing directory, `.io`. Nothing is left behind, and a file
    ///   that was at `path` is untouched.
    @discardableResult
    package static func write(
        _ tensors: [TensorEntry], metadata: HeaderMetadata? = nil, ordered: Bool = false,
        splice: HeaderSplice? = nil, to path: String,
        fill: (_ tensor: Int, _ sink: inout TensorSink) throws -> Void
    ) throws -> Bool {
        let (file, isAsked) = try stage(
            tensors, metadata: metadata, ordered: ordered, splice: splice, at: path, fill: fill)
        try file.publish()
        try syncFolder(file.folder, isStores: false)
        return isAsked
    }

    /// Writes `tensors` to a temporary file, which does not get its name yet.
    ///
    /// See ``write(_:metadata:ordered:splice:to:fill:)``.
    package static func stage(
        _ tensors: [TensorEntry], metadata: HeaderMetadata?, ordered: Bool, splice: HeaderSplice?,
        at path: String,
        fill: (_ tensor: Int, _ sink: inout TensorSink) throws -> Void
    ) throws -> (file: StagedFile, isAsked: Bool) {
        let order = ordered ? Array(tensors.indices) : SafetensorsHeader.fileOrder(tensors)
        var sink = try TensorSink(path: path)
        let isSpliced = try sink.begin(
            order.map { tensors[$0] }, metadata: metadata, splice: splice, source: path)
        for position in order {
            let entry = tensors[position]
            sink.expect(entry)
            try fill(position, &sink)
            precondition(
                sink.remaining == 0,
                "tensor \(entry.name) \(entry.shape) was given \(sink.remaining) bytes too few")
        }
        return (try sink.finish(), isSpliced || splice == nil)
    }
}

/// Takes the bytes of one tensor after another for a file that is being written.
package struct TensorSink: ~Copyable {
    private var output: OutputFile
    private var name = ""
    /// Bytes of the present tensor that are still to come.
    package private(set) var remaining = 0

    fileprivate init(path: String) throws {
        output = try OutputFile(path: path)
    }

    /// - Returns: Whether the splice was used.
    fileprivate mutating func begin(
        _ tensors: [TensorEntry], metadata: HeaderMetadata?, splice: HeaderSplice?, source: String
    ) throws -> Bool {
        let plain = try SafetensorsHeader.text(tensors, metadata: metadata, source: source)
        let spliced = splice.flatMap {
            SafetensorsHeader.spliced(plain, by: $0, tensors, metadata, source: source)
        }
        let text = spliced ?? plain
        try output.append(SafetensorsHeader.prefix(of: text.count).raw)
        try output.append(text.raw)
        return spliced != nil
    }

    fileprivate mutating func expect(_ tensor: TensorEntry) {
        name = tensor.name
        // The encoded header has proved that the bytes can be counted.
        remaining = tensor.shape.byteCount ?? 0
    }

    /// Appends bytes of the present tensor.
    ///
    /// Traps when there are more than its shape holds.
    package mutating func append(_ bytes: RawSpan) throws {
        precondition(
            bytes.byteCount <= remaining,
            "tensor \(name) was given \(bytes.byteCount) bytes where \(remaining) are to come")
        remaining -= bytes.byteCount
        try output.append(bytes)
    }

    fileprivate consuming func finish() throws -> StagedFile {
        return try output.stage()
    }
}
