/// A fast checksum of an object's bytes, against damage and not against intent: several times the speed of the memory that
/// they lie in, where SHA-256 takes half of it.
///
/// Eight lanes take a little-endian word of each 64 bytes in turn: h ← rotl((h ⊕ word) · P, 29), from h = lane · P + 1.
/// Bytes that fill no 64 are filled up with zeros. Then the lanes, from the first on, and the number of bytes are taken
/// in by one more h in the same way, from 0. Each step is one-to-one, so a single word that differs always shows.
package enum PayloadChecksum {
    /// An odd number with its bits well mixed: 2^64 over the golden ratio.
    private static let factor: UInt64 = 0x9E37_79B9_7F4A_7C15

    package static func of(_ bytes: RawSpan) -> UInt64 {
        unsafe bytes.withUnsafeBytes { unsafe of($0) }
    }

    @inline(__always)
    private static func step(_ lane: UInt64, _ word: UInt64) -> UInt64 {
        let mixed = (lane ^ word) &* factor
        return mixed << 29 | mixed >> 35
    }

    private static func of(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        var (a, b, c, d) = (1 as UInt64, factor &+ 1, 2 &* factor &+ 1, 3 &* factor &+ 1)
        var (e, f, g, h) = (
            4 &* factor &+ 1, 5 &* factor &+ 1, 6 &* factor &+ 1, 7 &* factor &+ 1
        )
        func take(_ block: UnsafeRawPointer) {
            func word(_ lane: Int) -> UInt64 {
                unsafe UInt64(
                    littleEndian: block.loadUnaligned(fromByteOffset: lane * 8, as: UInt64.self))
            }
            a = step(a, word(0))
            b = step(b, word(1))
            c = step(c, word(2))
            d = step(d, word(3))
            e = step(e, word(4))
            f = step(f, word(5))
            g = step(g, word(6))
            h = step(h, word(7))
        }
        let whole = bytes.count & ~63
        if let base = bytes.baseAddress {
            var offset = 0
            while offset < whole {
                unsafe take(base + offset)
                offset &+= 64
            }
        }
        if whole < bytes.count {
            var rest: [64 of UInt8] = .init(repeating: 0)
            for offset in whole..<bytes.count { rest[offset - whole] = unsafe bytes[offset] }
            let span = rest.span
            unsafe span.withUnsafeBytes { block in
                if let base = block.baseAddress { unsafe take(base) }
            }
        }
        var sum: UInt64 = 0
        for lane in [a, b, c, d, e, f, g, h, UInt64(bytes.count)] { sum = step(sum, lane) }
        return sum
    }
}
