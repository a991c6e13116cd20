import Elements
import Models

/// Bytes on the heap, as `MappedBytes`.
@safe final class HeapBytes: Sendable {
    // Written in the initialiser only.
    nonisolated(unsafe) private let buffer: UnsafeMutableRawBufferPointer
    nonisolated(unsafe) private let start: UnsafeMutableRawBufferPointer

    /// - Parameter offset: Where the bytes start after an aligned address.
    init(_ bytes: [UInt8], offset: Int = 0) {
        let memory = UnsafeMutableRawBufferPointer.allocate(
            byteCount: bytes.count + offset, alignment: 64)
        unsafe buffer = UnsafeMutableRawBufferPointer(rebasing: memory[offset...])
        unsafe buffer.copyBytes(from: bytes)
        unsafe start = memory
    }

    deinit { unsafe start.deallocate() }

    var mapped: MappedBytes {
        unsafe MappedBytes(UnsafeRawBufferPointer(buffer), owner: self)
    }
}

/// Experts one after another in memory, at an address that is not aligned.
final class MemoryExperts: ExpertTable {
    let parts: [TensorShape]
    let count: Int
    private let bytes: MappedBytes

    /// - Parameter shape: [2, width], of a neuron.
    init(_ bytes: [UInt8], shape: TensorShape) {
        let row = TensorShape(shape.type, [shape.dimensions[1]])
        parts = [row, row] + (shape.type == .i8 ? [TensorShape(.f32, [2])] : [])
        self.bytes = HeapBytes(bytes, offset: 2).mapped
        let size = parts.reduce(0) { $0 + ($1.byteCount ?? 0) }
        count = size == 0 ? 0 : bytes.count / size
    }

    func find(
        _ ordinals: Span<UInt32>, _ addresses: inout ExpertAddresses
    ) throws {
        unsafe addresses.fill { rows, _ in
            unsafe rows.removeAll()
            for index in ordinals.indices {
                let start = Int(ordinals[index]) * expertBytes
                unsafe bytes.withUnsafeBytes { bytes in
                    guard let base = bytes.baseAddress else { return }
                    unsafe rows.append(base + start)
                }
            }
        }
    }
}
