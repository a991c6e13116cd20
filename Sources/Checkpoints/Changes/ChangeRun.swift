package import Elements

/// What changes of one tensor, or of a run of it.
package struct ChangeRun: Sendable {
    package enum Content: Sendable {
        /// Some elements, counted row-major, ascending, and their new values one after the other.
        case elements([Int], [UInt8])
        /// All of it: it is new, or has another shape.
        case whole(MappedBytes)
        /// There is no such tensor any more.
        case gone
    }

    /// Its name in the checkpoint.
    package let name: String
    /// The shape that it has now; of one that is gone, that it had.
    package let shape: TensorShape
    package let content: Content

    /// Elements that it gives.
    package var elementCount: Int {
        switch content {
        case .elements(let indices, _): indices.count
        case .whole: shape.elementCount
        case .gone: 0
        }
    }

    /// Changes a copy of the tensor in place.
    ///
    /// - Throws: `bad-shape` for memory of another length than the shape's.
    package func apply(to bytes: inout MutableRawSpan) throws {
        guard bytes.byteCount == shape.byteCount else {
            throw CambiumError(
                .badShape,
                "the memory of \(name) has \(bytes.byteCount) bytes; its shape is \(shape)")
        }
        switch content {
        case .gone: return
        case .whole(let new): bytes.replace(at: 0, by: new.bytes)
        case .elements(let indices, let values):
            let range = 0..<bytes.byteCount
            let isDone = bytes.replace(
                elements: indices, in: range, by: values.raw, width: shape.type.bitWidth / 8)
            precondition(isDone, "\(name) has no element \(indices.last ?? 0)")
        }
    }
}
