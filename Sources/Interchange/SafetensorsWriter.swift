internal import Elements

/// Writes safetensors files: streamed, durable, and byte for byte what Python's
/// `safetensors.save_file` (0.8) writes for the same tensors.
///
/// With two or more metadata entries, Python writes them in a random order; here the order given
/// holds.
package enum SafetensorsWriter {
    /// Writes `tensors` to a temporary file beside `path`, flushes it and renames it to `path`.
    ///
    /// - Parameters:
    ///   - tensors: In any order: the file's order is the format's own.
    ///   - metadata: Nil writes no `__metadata__`.
    ///   - fill: Called once per tensor, in the order of the file, with the tensor's position in
    ///     `tensors`. It appends exactly the tensor's bytes to the sink, in as many pieces as it likes.
    /// - Throws: What `fill` throws; or, carried, `.unsupported`, `.duplicateName`, `.tooLarge`,
    ///   `.diskFull`, `.notFound` for a missing directory, `.io`. Nothing is left behind, and a file
    ///   that was at `path` is untouched.
    package static func write<Failure: CarriesInterchangeError>(
        _ tensors: [TensorEntry], metadata: HeaderMetadata? = nil, to path: String,
        fill: (_ tensor: Int, _ sink: inout TensorSink<Failure>) throws(Failure) -> Void
    ) throws(Failure) {
        let order = SafetensorsHeader.fileOrder(tensors)
        var sink = try TensorSink<Failure>(path: path)
        try sink.begin(order.map { tensors[$0] }, metadata: metadata, source: path)
        for position in order {
            let entry = tensors[position]
            sink.expect(entry)
            try fill(position, &sink)
            precondition(
                sink.remaining == 0,
                "tensor \(entry.name) \(entry.shape) was given \(sink.remaining) bytes too few")
        }
        try sink.finish()
    }
}

/// Takes the bytes of one tensor after another for a file that is being written.
package struct TensorSink<Failure: CarriesInterchangeError>: ~Copyable {
    private var output: OutputFile
    private var name = ""
    /// Bytes of the present tensor that are still to come.
    package private(set) var remaining = 0

    fileprivate init(path: String) throws(Failure) {
        do throws(InterchangeError) {
            output = try OutputFile(path: path)
        } catch {
            throw Failure(error)
        }
    }

    fileprivate mutating func begin(
        _ tensors: [TensorEntry], metadata: HeaderMetadata?, source: String
    ) throws(Failure) {
        do throws(InterchangeError) {
            let header = try SafetensorsHeader.encode(tensors, metadata: metadata, source: source)
            try output.append(header.raw)
        } catch {
            throw Failure(error)
        }
    }

    fileprivate mutating func expect(_ tensor: TensorEntry) {
        name = tensor.name
        // The encoded header has proved that the bytes can be counted.
        remaining = tensor.shape.byteCount ?? 0
    }

    /// Appends bytes of the present tensor.
    ///
    /// Traps when there are more than its shape holds.
    package mutating func append(_ bytes: RawSpan) throws(Failure) {
        precondition(
            bytes.byteCount <= remaining,
            "tensor \(name) was given \(bytes.byteCount) bytes where \(remaining) are to come")
        remaining -= bytes.byteCount
        do throws(InterchangeError) {
            try output.append(bytes)
        } catch {
            throw Failure(error)
        }
    }

    fileprivate consuming func finish() throws(Failure) {
        do throws(InterchangeError) {
            try output.publish()
        } catch {
            throw Failure(error)
        }
    }
}
