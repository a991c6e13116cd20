internal import Elements

/// Reads the members of a safetensors header, one at a time.
struct HeaderDecoder {
    private(set) var tensors: [SafetensorsHeader.Tensor] = []
    private(set) var metadata: HeaderMetadata?
    private var names: Set<String> = []
    private let source: String

    init(source: String) { self.source = source }

    /// Reads the value of the member `key`, where `reader` stands.
    mutating func member(_ key: String, _ reader: inout JSONReader) throws {
        guard names.insert(key).inserted else { throw reader.duplicate(key) }
        if key == SafetensorsHeader.metadataKey {
            metadata = try Self.metadata(&reader)
        } else {
            tensors.append(try tensor(key, &reader))
        }
    }

    private static func metadata(_ reader: inout JSONReader) throws -> HeaderMetadata? {
        // The reference implementation takes null for none.
        if reader.takeWord("null") { return nil }
        var entries: [HeaderMetadata.Entry] = []
        var keys: Set<String> = []
        try reader.object { reader, key in
            guard keys.insert(key).inserted else { throw reader.duplicate(key) }
            guard reader.next() == UInt8(ascii: "\"") else {
                throw reader.fault("__metadata__ member \(quoted(key)) is not text")
            }
            entries.append(.init(key: key, value: try reader.string()))
        }
        return HeaderMetadata(entries: entries)
    }

    private func tensor(
        _ name: String, _ reader: inout JSONReader
    ) throws -> SafetensorsHeader.Tensor {
        if let reason = reasonToRefuse(name: name) {
            throw reader.fault("tensor name \(quoted(name)) \(reason)")
        }
        var typeName: String?
        var dimensions: [Int]?
        var offsets: [Int]?
        try reader.object { reader, field in
            switch field {
            case "dtype":
                guard typeName == nil else { throw reader.duplicate(field) }
                typeName = try reader.string()
            case "shape":
                guard dimensions == nil else { throw reader.duplicate(field) }
                dimensions = try Self.wholeNumbers(&reader)
            case "data_offsets":
                guard offsets == nil else { throw reader.duplicate(field) }
                offsets = try Self.wholeNumbers(&reader)
            default:
                throw reader.fault("tensor \(quoted(name)) has the unknown field \(quoted(field))")
            }
        }
        guard let typeName, let dimensions, let offsets else {
            throw reader.fault("tensor \(quoted(name)) lacks its dtype, shape or data_offsets")
        }
        return try place(name, typeName, dimensions, offsets)
    }

    private static func wholeNumbers(_ reader: inout JSONReader) throws -> [Int] {
        var numbers: [Int] = []
        try reader.array { reader in
            numbers.append(try reader.wholeNumber())
        }
        return numbers
    }

    /// Checks what a tensor's fields say against one another.
    private func place(
        _ name: String, _ typeName: String, _ dimensions: [Int], _ offsets: [Int]
    ) throws -> SafetensorsHeader.Tensor {
        let subject = "tensor \(quoted(name)) of \(source)"
        guard let type = ElementType(name: typeName) else {
            throw CambiumError(
                .unknownType,
                "\(subject) has dtype \(quoted(typeName)), which safetensors 0.8 does not know; "
                    + "convert it to a known one")
        }
        let shape = TensorShape(type, dimensions)
        guard offsets.count == 2, offsets[0] <= offsets[1] else {
            throw CambiumError(
                .badHeader, "\(subject) has data_offsets \(offsets), not [begin, end]")
        }
        guard let byteCount = shape.byteCount else {
            throw CambiumError(
                .badHeader, "\(subject) is \(shape), which does not fill a countable whole of bytes"
            )
        }
        guard byteCount == offsets[1] - offsets[0] else {
            throw CambiumError(
                .badHeader,
                "\(subject) is \(shape), which takes \(byteCount) bytes, but its data_offsets "
                    + "\(offsets) span \(offsets[1] - offsets[0])")
        }
        return .init(name: name, shape: shape, range: offsets[0]..<offsets[1])
    }
}
