internal import CZstd
internal import Elements

/// Compresses to zstd frames; owns one `ZSTD_CCtx`.
///
/// A frame says its content's size and ends with a checksum of it (RFC 8878, 3.1.1). The same bytes
/// at the same level give the same frame with the same version of the library, not with another.
///
/// One thread at a time. The context keeps about 1 MB, more at high levels; it is worth
/// reusing.
@safe package struct ZstdCompressor: ~Copyable {
    private let handle: OpaquePointer

    /// - Parameter level: The library's: 1 is fast, 19 is small. A level out of range becomes the
    ///   nearest one. On shuffled floats, 1 is not only faster than 3 and 9 but smaller: the matches
    ///   that the others find in noise cost more than they save.
    /// - Throws: `.tooLarge` when there is no memory for a context.
    package init(level: Int = 1) throws {
        guard let handle = unsafe ZSTD_createCCtx() else {
            throw CambiumError(.tooLarge, "ZSTD_createCCtx: no memory for a compressor")
        }
        do {
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
    /// - Parameters:
    ///   - bytes: The content.
    ///   - piece: Bytes after which a new block begins, at least 1. zstd has one Huffman table for
    ///     a block of up to 128 KiB; pieces that are unlike each other, as the planes of a shuffled
    ///     buffer are, want their own.
    /// - Complexity: One pass; one allocation of what the frame can need at most, which is about
    ///   1.004 times the bytes.
    /// - Throws: `.tooLarge` when there is no memory.
    package mutating func frame(
        of bytes: RawSpan, piece: Int = .max
    ) throws -> [UInt8] {
        precondition(piece > 0, "pieces of \(piece) bytes")
        let count = bytes.byteCount
        let bound = ZSTD_compressBound(count)
        try checked(bound, "ZSTD_compressBound", .tooLarge)
        // What an interrupted call left.
        try checked(
            unsafe ZSTD_CCtx_reset(handle, ZSTD_reset_session_only), "ZSTD_CCtx_reset", .tooLarge)
        try checked(
            unsafe ZSTD_CCtx_setPledgedSrcSize(handle, UInt64(count)),
            "ZSTD_CCtx_setPledgedSrcSize", .tooLarge)
        // A block that a piece ends has a header of 3 bytes (RFC 8878, 3.1.1.2).
        let capacity = bound + (count / piece + 1) * 8
        var code = 0
        let frame = unsafe bytes.withUnsafeBytes { source in
            unsafe [UInt8](unsafeUninitializedCapacity: capacity) { target, initialised in
                var input = unsafe ZSTD_inBuffer(src: source.baseAddress, size: 0, pos: 0)
                var output = unsafe ZSTD_outBuffer(
                    dst: target.baseAddress, size: target.count, pos: 0)
                repeat {
                    unsafe input.size += min(piece, count - input.size)
                    let end = unsafe input.size == count ? ZSTD_e_end : ZSTD_e_flush
                    // Returns the bytes that found no room: none, as there is room for all.
                    code = unsafe ZSTD_compressStream2(handle, &output, &input, end)
                } while unsafe code == 0 && input.size < count
                initialised = unsafe code == 0 ? output.pos : 0
            }
        }
        try checked(code, "ZSTD_compressStream2", .tooLarge)
        guard code == 0 else {
            throw CambiumError(.tooLarge, "ZSTD_compressStream2: no room for \(code) bytes more")
        }
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
    package init() throws {
        guard let handle = unsafe ZSTD_createDCtx() else {
            throw CambiumError(.tooLarge, "ZSTD_createDCtx: no memory for a decompressor")
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
    ) throws -> [UInt8] {
        // Refuses skippable frames and the formats of old versions, which the library may know.
        guard frame.byteCount >= 5, frame.number(at: 0, as: UInt32.self) == ZSTD_MAGICNUMBER,
            frame.number(at: 4, as: UInt8.self) & Self.checksumFlag != 0
        else {
            throw CambiumError(
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
            throw CambiumError(.corrupt, "a zstd frame says \(size) bytes, not \(count)")
        }
        try checked(length, "ZSTD_findFrameCompressedSize", .corrupt)
        guard length == frame.byteCount else {
            throw CambiumError(
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
            throw CambiumError(.corrupt, "a zstd frame gives \(bytes.count) bytes, not \(count)")
        }
        return bytes
    }
}

/// The one funnel from zstd's return values, which are sizes or errors, to typed errors.
private func checked(
    _ result: Int, _ function: StaticString, _ code: CambiumError.Code
) throws {
    guard ZSTD_isError(result) != 0 else { return }
    let text = unsafe String(cString: ZSTD_getErrorName(result))
    throw CambiumError(code, "\(function): \(text)")
}
