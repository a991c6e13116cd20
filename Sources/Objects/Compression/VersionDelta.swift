internal import Elements

/// The difference of two versions of the same payload, small numbers where little changed.
///
/// Each element's bits, taken as an unsigned number, minus its predecessor's, wrapping; then zigzag,
/// so that small differences of either sign are small numbers: `z = (d << 1) ^ (d >> (w − 1))`, with
/// an arithmetic shift. Bit patterns of floats of one sign are ordered as their values are, so a
/// small step is a small number; NaNs and infinities are patterns as any other. Bytes at the end
/// that do not fill an element are elements of one byte.
///
/// After shuffle and zstd, fp32 steps take 2 to 5 % of the raw bytes less than their XOR does, and
/// bf16 steps up to 4 % (FM-Delta, NeurIPS 2024, also subtracts).
///
/// - Complexity: O(bytes), one allocation of the same size.
package enum VersionDelta {
    /// - Parameters:
    ///   - bytes: The new version.
    ///   - predecessor: The old version, of the same length.
    /// - Throws: `.corrupt` when the lengths differ.
    package static func difference(
        _ bytes: RawSpan, from predecessor: RawSpan, _ width: ElementWidth
    ) throws -> [UInt8] {
        try combined(bytes, predecessor, width, restoring: false)
    }

    /// The new version: the inverse of ``difference(_:from:_:)``.
    ///
    /// - Throws: `.corrupt` when the lengths differ.
    package static func restored(
        _ difference: RawSpan, onto predecessor: RawSpan, _ width: ElementWidth
    ) throws -> [UInt8] {
        try combined(difference, predecessor, width, restoring: true)
    }

    private static func combined(
        _ bytes: RawSpan, _ predecessor: RawSpan, _ width: ElementWidth, restoring: Bool
    ) throws -> [UInt8] {
        let count = bytes.byteCount
        guard predecessor.byteCount == count else {
            throw CambiumError(
                .corrupt,
                "a version of \(count) bytes cannot differ from its predecessor of "
                    + "\(predecessor.byteCount) bytes; run `cambium verify`")
        }
        return unsafe bytes.withUnsafeBytes { new in
            unsafe predecessor.withUnsafeBytes { old in
                unsafe [UInt8](unsafeUninitializedCapacity: count) { target, initialised in
                    if let new = new.baseAddress, let old = old.baseAddress,
                        let target = UnsafeMutableRawPointer(target.baseAddress)
                    {
                        let whole = count - count % width.byteCount
                        let range = 0..<whole
                        switch width {
                        case .one: unsafe write(new, old, target, range, restoring, UInt8.self)
                        case .two: unsafe write(new, old, target, range, restoring, UInt16.self)
                        case .four: unsafe write(new, old, target, range, restoring, UInt32.self)
                        case .eight: unsafe write(new, old, target, range, restoring, UInt64.self)
                        }
                        unsafe write(new, old, target, whole..<count, restoring, UInt8.self)
                    }
                    initialised = count
                }
            }
        }
    }

    /// Writes the bytes in `range`, a multiple of the word's size, of the result.
    private static func write<Word: FixedWidthInteger & UnsignedInteger & BitwiseCopyable>(
        _ bytes: UnsafeRawPointer, _ predecessor: UnsafeRawPointer,
        _ target: UnsafeMutableRawPointer, _ range: Range<Int>, _ restoring: Bool, _: Word.Type
    ) {
        let size = MemoryLayout<Word>.size
        for index in 0..<(range.count / size) {
            let offset = range.lowerBound &+ index &* size
            let old = unsafe Word(
                littleEndian: predecessor.loadUnaligned(fromByteOffset: offset, as: Word.self))
            let given = unsafe Word(
                littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: Word.self))
            let result =
                restoring ? old &+ unzigzagged(given) : zigzagged(given &- old)
            unsafe target.storeBytes(
                of: result.littleEndian, toByteOffset: offset, as: Word.self)
        }
    }

    static func zigzagged<Word: FixedWidthInteger & UnsignedInteger>(_ word: Word) -> Word {
        let sign = word &>> Word(truncatingIfNeeded: Word.bitWidth - 1)
        return (word &<< 1) ^ (0 &- sign)
    }

    static func unzigzagged<Word: FixedWidthInteger & UnsignedInteger>(
        _ word: Word
    ) -> Word {
        (word &>> 1) ^ (0 &- (word & 1))
    }
}
