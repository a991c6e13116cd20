internal import CZstd
internal import Elements

/// Compresses to zstd frames; owns one `ZSTD_CCtx`.
///
/// A frame says its content's size and ends with a checksum of it (RFC 8878, 3.1.1). The same bytes
/// at the same level give the same frame with the same version of the library, not with another.
///
/// One thread at a time. The context keeps about 1 MB at level 3, more at higher levels; it is worth
/// reusing.
@safe package struct ZstdCompressor: ~Copyable {
    private let handle: OpaquePointer

    /// - Parameter level: The library's: 1 is fast, 19 is small. A level out of range becomes the
    ///   nearest one.
    /// - Throws: `.tooLarge` when there is no memory for a context.
    package init(level: Int = 3) throws(ObjectError) {
        guard let handle = unsafe ZSTD_createCCtx() else {
            throw ObjectError(.tooLarge, "ZSTD_createCCtx: no memory for a compressor")
        }
        do throws(ObjectError) {
            let clamped = Int32(clamping: level)
            try checked(
                unsafe ZSTD_CCtx_setParameter(handle, ZSTD_c_compressionLevel, clamped),
                "ZSTD_CCtx_setParameter", .tooLarge)
            try checked(
                unsafe ZSTD_CCtx_setParameter(handle, ZSTD_c_checksumFlag, 1),
                "ZSTD_CCtx_setParameter", .tooLarge)
        } catch {
            // Returns an error only for a static context, which this is not.
            _ = unsafe ZSTD_freeCCtx(handle)
            throw error
        }
        unsafe self.handle = handle
    }

    deinit { _ = unsafe ZSTD_freeCCtx(handle) }

    /// One frame that holds `bytes`.
    ///
    /// - Complexity: One pass and one allocation of what the frame can need at most, which is about
    ///   1.004 times the bytes.
    /// - Throws: `.tooLarge` when there is no memory.
    package mutating func frame(of bytes: RawSpan) throws(ObjectError) -> [UInt8] {
        var code = 0
        let bound = ZSTD_compressBound(bytes.byteCount)
        try checked(bound, "ZSTD_compressBound", .tooLarge)
        let frame = unsafe bytes.withUnsafeBytes { source in
            unsafe [UInt8](unsafeUninitializedCapacity: bound) { target, initialised in
                code = unsafe ZSTD_compress2(
                    handle, target.baseAddress, target.count, source.baseAddress, source.count)
                initialised = ZSTD_isError(code) == 0 ? code : 0
            }
        }
        try checked(code, "ZSTD_compress2", .tooLarge)
        return frame
    }
}

/// Decompresses zstd frames of a known size; owns one `ZSTD_DCtx`.
///
/// One thread at a time. The context keeps about 160 kB; it is worth reusing.
@safe package struct ZstdDecompressor: ~Copyable {
    /// Bit 2 of the byte after the magic number: a content checksum follows (RFC 8878, 3.1.1.1.1).
    private static let checksumFlag: UInt8 = 1 << 2

    private let handle: OpaquePointer

    /// - Throws: `.tooLarge` when there is no memory for a context.
    package init() throws(ObjectError) {
        guard let handle = unsafe ZSTD_createDCtx() else {
            throw ObjectError(.tooLarge, "ZSTD_createDCtx: no memory for a decompressor")
        }
        unsafe self.handle = handle
    }

    // Returns an error only for a static context, which this is not.
    deinit { _ = unsafe ZSTD_freeDCtx(handle) }

    /// The content of `frame`, checked against the frame's checksum.
    ///
    /// - Parameters:
    ///   - frame: Exactly one frame, as ``ZstdCompressor`` makes it; it may be anything.
    ///   - count: The bytes that it must hold. No more is ever allocated or written.
    /// - Throws: `.corrupt` when the bytes are not one frame with a checksum, or are damaged, or
    ///   say or give another size.
    package mutating func content(
        of frame: RawSpan, count: Int
    ) throws(ObjectError) -> [UInt8] {
        // Refuses skippable frames and the formats of old versions, which the library may know.
        guard frame.byteCount >= 5, frame.number(at: 0, as: UInt32.self) == ZSTD_MAGICNUMBER,
            frame.number(at: 4, as: UInt8.self) & Self.checksumFlag != 0
        else {
            throw ObjectError(
                .corrupt, "\(frame.byteCount) bytes are not a zstd frame with a checksum")
        }
        let (size, length) = unsafe frame.withUnsafeBytes { source in
            unsafe (
                ZSTD_getFrameContentSize(source.baseAddress, source.count),
                ZSTD_findFrameCompressedSize(source.baseAddress, source.count)
            )
        }
        // Also refuses "unknown" and "error", which are numbers near 2^64.
        guard size == UInt64(count) else {
            throw ObjectError(.corrupt, "a zstd frame says \(size) bytes, not \(count)")
        }
        try checked(length, "ZSTD_findFrameCompressedSize", .corrupt)
        guard length == frame.byteCount else {
            throw ObjectError(
                .corrupt, "a zstd frame of \(length) bytes is stored as \(frame.byteCount)")
        }
        var code = 0
        let bytes = unsafe frame.withUnsafeBytes { source in
            unsafe [UInt8](unsafeUninitializedCapacity: count) { target, initialised in
                // Capacity may be more than was asked for.
                code = unsafe ZSTD_decompressDCtx(
                    handle, target.baseAddress, count, source.baseAddress, source.count)
                initialised = ZSTD_isError(code) == 0 ? code : 0
            }
        }
        try checked(code, "ZSTD_decompressDCtx", .corrupt)
        guard bytes.count == count else {
            throw ObjectError(.corrupt, "a zstd frame gives \(bytes.count) bytes, not \(count)")
        }
        return bytes
    }
}

/// The one funnel from zstd's return values, which are sizes or errors, to typed errors.
private func checked(
    _ result: Int, _ function: StaticString, _ code: ObjectError.Code
) throws(ObjectError) {
    guard ZSTD_isError(result) != 0 else { return }
    let text = unsafe String(cString: ZSTD_getErrorName(result))
    throw ObjectError(code, "\(function): \(text)")
}
