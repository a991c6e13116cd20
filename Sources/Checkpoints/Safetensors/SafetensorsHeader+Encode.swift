internal import Elements

extension SafetensorsHeader {
    /// The order in which the reference implementation lays tensors out: the wider dtype first (in
    /// the order of its `Dtype` enumeration), then by the bytes of the name.
    ///
    /// - Returns: Positions in `tensors`.
    static func fileOrder(_ tensors: [TensorEntry]) -> [Int] {
        tensors.indices.sorted { left, right in
            let (leftRank, rightRank) = (
                tensors[left].shape.type.fileRank, tensors[right].shape.type.fileRank
            )
            guard leftRank == rightRank else { return leftRank > rightRank }
            return isBefore(tensors[left].name, tensors[right].name)
        }
    }

    /// The JSON and the padding that begin a file, byte for byte as the reference implementation
    /// (safetensors 0.8) writes them for tensors in this order.
    ///
    /// - Parameter tensors: In the order of the file.
    /// - Throws: `.unsupported` for a name or a shape that the format cannot hold,
    ///   `.duplicateName`, or `.tooLarge`.
    static func text(
        _ tensors: [TensorEntry], metadata: HeaderMetadata?, source: String
    ) throws -> [UInt8] {
        var json: [UInt8] = [UInt8(ascii: "{")]
        if let metadata {
            json.append(contentsOf: "\"\(metadataKey)\":{".utf8)
            for (position, entry) in metadata.entries.enumerated() {
                if position > 0 { json.append(UInt8(ascii: ",")) }
                appendJSON(entry.key, to: &json)
                json.append(UInt8(ascii: ":"))
                appendJSON(entry.value, to: &json)
            }
            json.append(UInt8(ascii: "}"))
        }
        var names: Set<String> = [metadataKey]
        var offset = 0
        for tensor in tensors {
            let count = try byteCount(of: tensor, names: &names, source: source)
            let (end, overflow) = offset.addingReportingOverflow(count)
            guard !overflow else {
                throw CambiumError(
                    .unsupported, "the tensors of \(source) take more bytes than can be counted")
            }
            if json.count > 1 { json.append(UInt8(ascii: ",")) }
            append(tensor, offset..<end, to: &json)
            offset = end
        }
        json.append(UInt8(ascii: "}"))
        // The data starts at a multiple of 8.
        while json.count % prefixLength != 0 { json.append(UInt8(ascii: " ")) }
        guard json.count <= greatestLength else {
            throw CambiumError(
                .tooLarge,
                "the header of \(source) would be \(json.count) bytes, but safetensors allows "
                    + "\(greatestLength); write several files")
        }
        return json
    }

    /// The bytes that announce a header of so many bytes.
    static func prefix(of count: Int) -> [UInt8] {
        (0..<prefixLength).map { UInt8(truncatingIfNeeded: count >> ($0 * 8)) }
    }

    private static func append(_ tensor: TensorEntry, _ range: Range<Int>, to json: inout [UInt8]) {
        appendJSON(tensor.name, to: &json)
        json.append(contentsOf: ":{\"dtype\":\"".utf8)
        json.append(contentsOf: tensor.shape.type.name.utf8)
        json.append(contentsOf: "\",\"shape\":[".utf8)
        for (position, dimension) in tensor.shape.dimensions.enumerated() {
            if position > 0 { json.append(UInt8(ascii: ",")) }
            appendJSON(dimension, to: &json)
        }
        json.append(contentsOf: "],\"data_offsets\":[".utf8)
        appendJSON(range.lowerBound, to: &json)
        json.append(UInt8(ascii: ","))
        appendJSON(range.upperBound, to: &json)
        json.append(contentsOf: "]}".utf8)
    }

    private static func byteCount(
        of tensor: TensorEntry, names: inout Set<String>, source: String
    ) throws -> Int {
        let subject = "tensor \(quoted(tensor.name)) cannot be written to \(source): its name"
        if let reason = reasonToRefuse(name: tensor.name) {
            throw CambiumError(.unsupported, "\(subject) \(reason)")
        }
        guard names.insert(tensor.name).inserted else {
            throw CambiumError(.duplicateName, "\(subject) is taken")
        }
        guard let count = tensor.shape.byteCount else {
            throw CambiumError(
                .unsupported,
                "tensor \(quoted(tensor.name)) cannot be written to \(source): \(tensor.shape) does "
                    + "not fill a countable whole of bytes")
        }
        return count
    }
}

extension ElementType {
    /// The place in the reference implementation's `Dtype` enumeration (safetensors 0.8, tensor.rs).
    fileprivate var fileRank: Int {
        switch self {
        case .bool: 0
        case .f4: 1
        case .f6e2m3: 2
        case .f6e3m2: 3
        case .u8: 4
        case .i8: 5
        case .f8e5m2: 6
        case .f8e4m3: 7
        case .f8e8m0: 8
        case .f8e4m3fnuz: 9
        case .f8e5m2fnuz: 10
        case .i16: 11
        case .u16: 12
        case .f16: 13
        case .bf16: 14
        case .i32: 15
        case .u32: 16
        case .f32: 17
        case .c64: 18
        case .f64: 19
        case .i64: 20
        case .u64: 21
        }
    }
}
