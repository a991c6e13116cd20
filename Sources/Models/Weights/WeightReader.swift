internal import Elements
internal import Tensors

/// Reads tensors by name, each checked against the shape that a config asks for.
struct WeightReader<Source: WeightSource> {
    private let source: Source

    init(_ source: Source) { self.source = source }

    /// A tensor of F32, F16 or BF16.
    ///
    /// - Parameter orQuantized: Whether I8 serves too.
    /// - Throws: `.missingTensor`; `.badTensor` for another shape or type.
    func weights(
        _ name: String, _ dimensions: [Int], orQuantized: Bool = false
    ) throws -> Weights {
        let found = try source.tensor(name)
        guard found.shape.dimensions == dimensions,
            found.shape.type.isTrunkType || orQuantized && found.shape.type == .i8
        else {
            throw CambiumError(
                .badTensor,
                "tensor \(name) is \(found.shape); config asks for \(dimensions) of type F32, F16 or "
                    + "BF16" + (orQuantized ? ", or I8 with scales" : ""))
        }
        guard found.bytes.count == found.shape.byteCount else {
            throw CambiumError(
                .badTensor,
                "tensor \(name) has \(found.bytes.count) bytes; \(found.shape) needs another count")
        }
        return found
    }

    /// The elements of a tensor as floats.
    func values(_ name: String, _ dimensions: [Int]) throws -> [Float] {
        let found = try weights(name, dimensions)
        var values = FloatBuffer(count: dimensions.reduce(1, *))
        var span = values.mutableSpan(0..<values.count)
        convertToFloat(found.bytes.bytes, type: found.shape.type, into: &span)
        return values.array(0..<values.count)
    }

    func vector(_ name: String, _ count: Int) throws -> [Float] {
        try values(name, [count])
    }

    func matrix(_ name: String, _ rows: Int, _ columns: Int) throws -> Matrix {
        let found = try weights(name, [rows, columns])
        return Matrix(rows: rows, columns: columns, bytes: found.bytes, type: found.shape.type)
    }

    /// A matrix whose rows are read where they lie.
    ///
    /// - Parameter isCopied: Whether in memory of its own.
    func rows(
        _ name: String, _ rows: Int, _ columns: Int, isCopied: Bool
    ) throws -> RowMatrix {
        let found = try weights(name, [rows, columns])
        let bytes = isCopied ? found.bytes.alone() : found.bytes
        return RowMatrix(rows: rows, columns: columns, bytes: bytes, type: found.shape.type)
    }
}

extension ElementType {
    /// Whether weights of this type are served: F32, and what widens to it exactly.
    var isTrunkType: Bool { self == .f32 || self == .f16 || self == .bf16 }
}
