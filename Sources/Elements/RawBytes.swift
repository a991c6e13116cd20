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
