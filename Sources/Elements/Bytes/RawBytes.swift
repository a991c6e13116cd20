internal import Glibc

extension [UInt8] {
    /// The array's bytes, borrowed.
    ///
    /// `Span.bytes` counts as unsafe for types with padding; bytes have none.
    package var raw: RawSpan {
        @_lifetime(borrow self) get {
            let bytes = unsafe span.bytes
            return bytes
        }
    }
}

extension RawSpan {
    /// The little-endian number at `offset`, which need not be aligned.
    ///
    /// Traps out of bounds.
    @inlinable
    package func number<Number: FixedWidthInteger & BitwiseCopyable>(
        at offset: Int, as type: Number.Type = Number.self
    ) -> Number {
        unsafe Number(littleEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: Number.self))
    }

    /// A copy of the bytes in `range`.
    ///
    /// Traps out of bounds.
    package func copy(_ range: Range<Int>) -> [UInt8] {
        unsafe extracting(range).withUnsafeBytes { unsafe Array($0) }
    }
}

extension RawSpan {
    /// Whether both hold the same bytes; at the speed of memory, many of them on all cores.
    ///
    /// The corresponding function is `memcmp`.
    package func hasSameBytes(as other: RawSpan) -> Bool {
        guard byteCount == other.byteCount else { return false }
        return unsafe withUnsafeBytes { left in
            unsafe other.withUnsafeBytes { right in
                guard let first = left.baseAddress, let second = right.baseAddress else {
                    return true
                }
                let part = 1 << 20
                guard left.count >= 4 * part else {
                    return unsafe memcmp(first, second, left.count) == 0
                }
                // Both stay borrowed until all threads are done.
                let (start, other) = (UInt(bitPattern: first), UInt(bitPattern: second))
                let count = left.count
                return concurrentMap((count + part - 1) / part, grain: 1) { number in
                    let offset = UInt(number * part)
                    guard let left = unsafe UnsafeRawPointer(bitPattern: start + offset),
                        let right = unsafe UnsafeRawPointer(bitPattern: other + offset)
                    else { return false }
                    return unsafe memcmp(left, right, min(part, count - number * part)) == 0
                }.allSatisfy { $0 }
            }
        }
    }
}

extension [Float] {
    /// The elements one after the other, little-endian.
    package var littleEndianBytes: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(4 * count)
        for value in self {
            for shift in 0..<4 {
                bytes.append(UInt8(truncatingIfNeeded: value.bitPattern >> UInt32(8 * shift)))
            }
        }
        return bytes
    }
}
