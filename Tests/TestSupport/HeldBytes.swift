package import Elements

/// Bytes in memory of their own, as a stand-in for a mapped record.
@safe package final class HeldBytes: @unchecked Sendable {
    // Written once here and only read afterwards.
    private let buffer: UnsafeMutableRawBufferPointer

    package init(_ bytes: [UInt8]) {
        unsafe buffer = .allocate(byteCount: bytes.count, alignment: 64)
        unsafe buffer.copyBytes(from: bytes)
    }

    deinit { unsafe buffer.deallocate() }

    package var mapped: MappedBytes {
        unsafe MappedBytes(UnsafeRawBufferPointer(buffer), owner: self)
    }
}
