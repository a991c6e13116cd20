/// The characters that stand for bytes in byte-level vocabularies (GPT-2, encoder.py): a printable byte
/// of Latin-1 for itself, the others for U+0100 and up, in ascending order.
enum ByteAlphabet {
    /// The scalar of each byte.
    static let scalars: [UInt32] = {
        var next: UInt32 = 0x100
        return (UInt32(0)..<256).map { byte in
            switch byte {
            case 0x21...0x7E, 0xA1...0xAC, 0xAE...0xFF: return byte
            default:
                defer { next += 1 }
                return next
            }
        }
    }()

    /// The byte of each scalar below U+0144, and -1 for those that stand for none.
    private static let bytes: [Int16] = {
        var bytes = [Int16](repeating: -1, count: 0x144)
        for (byte, scalar) in scalars.enumerated() { bytes[Int(scalar)] = Int16(byte) }
        return bytes
    }()

    /// The bytes that a token's characters stand for, or nil when one stands for none.
    static func bytes(of token: ArraySlice<UInt8>) -> [UInt8]? {
        var result: [UInt8] = []
        result.reserveCapacity(token.count)
        var at = token.startIndex
        while at < token.endIndex {
            let (scalar, length) = UTF8Text.scalar(token, at)
            guard scalar < bytes.count, bytes[Int(scalar)] >= 0 else { return nil }
            result.append(UInt8(bytes[Int(scalar)]))
            at += length
        }
        return result
    }

    /// The characters that stand for some bytes, in UTF-8.
    static func characters(of bytes: some Sequence<UInt8>) -> [UInt8] {
        var result: [UInt8] = []
        for byte in bytes { UTF8Text.append(scalars[Int(byte)], to: &result) }
        return result
    }
}

/// Scalars of text that is known to be UTF-8.
package enum UTF8Text {
    /// The scalar that starts at a position, and its bytes.
    @inline(__always)
    static func scalar(_ text: ArraySlice<UInt8>, _ at: Int) -> (scalar: UInt32, length: Int) {
        let first = UInt32(text[at])
        if first < 0x80 { return (first, 1) }
        func next(_ offset: Int) -> UInt32 {
            at + offset < text.endIndex ? UInt32(text[at + offset]) & 0x3F : 0
        }
        if first < 0xE0 { return ((first & 0x1F) << 6 | next(1), 2) }
        if first < 0xF0 { return ((first & 0x0F) << 12 | next(1) << 6 | next(2), 3) }
        return ((first & 0x07) << 18 | next(1) << 12 | next(2) << 6 | next(3), 4)
    }

    static func append(_ scalar: UInt32, to text: inout [UInt8]) {
        guard let scalar = Unicode.Scalar(scalar) else { return }
        text.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
    }

    /// How many bytes at the end of some bytes may be the start of a character that is not complete.
    package static func incomplete(_ bytes: [UInt8]) -> Int {
        for length in 1...3 where length <= bytes.count {
            let byte = bytes[bytes.count - length]
            if byte & 0xC0 == 0x80 { continue }
            let wanted = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC2 ? 2 : 1
            return wanted > length && isStart(bytes[(bytes.count - length)...]) ? length : 0
        }
        return 0
    }

    /// Whether some bytes can go on to be a character (Unicode 16.0, table 3-7).
    private static func isStart(_ bytes: ArraySlice<UInt8>) -> Bool {
        guard let first = bytes.first else { return false }
        guard bytes.count > 1 else { return first <= 0xF4 }
        let second = bytes[bytes.startIndex + 1]
        switch first {
        case 0xE0: return second >= 0xA0
        case 0xED: return second <= 0x9F
        case 0xF0: return second >= 0x90
        case 0xF4: return second <= 0x8F
        default: return first <= 0xF4
        }
    }
}
