internal import Crypto
internal import Elements

/// The name of an immutable object: the SHA-256 of its canonical form (docs/format.md).
package struct ObjectID: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The digest as four big-endian words, so that comparing words compares bytes.
    private let words: (UInt64, UInt64, UInt64, UInt64)

    package static let byteCount = 32
    /// Names nothing: it stands for an absent child in an expert array.
    package static let zero = ObjectID(words: (0, 0, 0, 0))

    private init(words: (UInt64, UInt64, UInt64, UInt64)) { self.words = words }

    /// Reads 32 bytes at `offset`.
    ///
    /// Traps when they are out of bounds: check lengths first.
    package init(_ bytes: RawSpan, at offset: Int = 0) {
        precondition(
            offset >= 0 && bytes.byteCount - offset >= Self.byteCount, "an object id needs 32 bytes"
        )
        func word(_ index: Int) -> UInt64 {
            bytes.number(at: offset + 8 * index, as: UInt64.self).byteSwapped
        }
        words = (word(0), word(1), word(2), word(3))
    }

    /// Parses 64 lower- or upper-case hexadecimal digits.
    package init?(hex: String) {
        let digits = Array(hex.utf8)
        guard digits.count == 2 * Self.byteCount else { return nil }
        var bytes: [UInt8] = []
        for index in stride(from: 0, to: digits.count, by: 2) {
            guard let high = hexValue(digits[index]), let low = hexValue(digits[index + 1]) else {
                return nil
            }
            bytes.append(high << 4 | low)
        }
        self.init(bytes.raw)
    }

    /// The digest of `bytes`.
    package init(hashing bytes: [UInt8]) { self.init(hashing: bytes, RawSpan()) }

    /// The digest of several runs of bytes, one after the other.
    package init(hashing header: [UInt8], _ payload: RawSpan) {
        var hash = SHA256()
        unsafe header.withUnsafeBytes { unsafe hash.update(bufferPointer: $0) }
        unsafe payload.withUnsafeBytes { unsafe hash.update(bufferPointer: $0) }
        self = unsafe hash.finalize().withUnsafeBytes { unsafe ObjectID(RawSpan(_unsafeBytes: $0)) }
    }

    /// As ``init(hashing:_:)``, of a payload that `read` passes on part by part.
    package init<Failure: Error>(
        hashing header: [UInt8], parts read: ((RawSpan) -> Void) throws(Failure) -> Void
    ) throws(Failure) {
        var hash = SHA256()
        unsafe header.withUnsafeBytes { unsafe hash.update(bufferPointer: $0) }
        try read { part in
            unsafe part.withUnsafeBytes { unsafe hash.update(bufferPointer: $0) }
        }
        self = unsafe hash.finalize().withUnsafeBytes { unsafe ObjectID(RawSpan(_unsafeBytes: $0)) }
    }

    /// The digest of eight bytes (a number's, little-endian) and then ids: an inner node of a hash
    /// tree.
    package init(hashing prefix: UInt64, _ ids: ArraySlice<ObjectID>) {
        let size = 8 + ids.count * Self.byteCount
        self = unsafe withUnsafeTemporaryAllocation(byteCount: size, alignment: 8) { buffer in
            unsafe buffer.storeBytes(of: prefix.littleEndian, as: UInt64.self)
            var offset = 8
            for id in ids {
                let ordered = id.ordered
                unsafe buffer.storeBytes(of: ordered.0, toByteOffset: offset, as: UInt64.self)
                unsafe buffer.storeBytes(of: ordered.1, toByteOffset: offset + 8, as: UInt64.self)
                unsafe buffer.storeBytes(of: ordered.2, toByteOffset: offset + 16, as: UInt64.self)
                unsafe buffer.storeBytes(of: ordered.3, toByteOffset: offset + 24, as: UInt64.self)
                offset += Self.byteCount
            }
            return unsafe ObjectID(
                hashing: [], RawSpan(_unsafeBytes: UnsafeRawBufferPointer(buffer)))
        }
    }

    package var bytes: [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(Self.byteCount)
        append(to: &result)
        return result
    }

    /// The digest's bytes in order, as words in memory.
    private var ordered: (UInt64, UInt64, UInt64, UInt64) {
        (words.0.bigEndian, words.1.bigEndian, words.2.bigEndian, words.3.bigEndian)
    }

    /// Appends the 32 bytes.
    package func append(to bytes: inout [UInt8]) {
        unsafe withUnsafeBytes(of: ordered) { unsafe bytes.append(contentsOf: $0) }
    }

    /// The first eight bytes as a number: the sort key of the location index.
    package var prefix: UInt64 { words.0 }

    /// The last four bytes, as a number whose little-endian bytes are those of the id.
    ///
    /// Kept beside a location, it tells when another object lies there.
    package var check: UInt32 { UInt32(truncatingIfNeeded: words.3).byteSwapped }

    package var hex: String {
        let digits = Array("0123456789abcdef".utf8)
        var result: [UInt8] = []
        for byte in bytes {
            result.append(digits[Int(byte >> 4)])
            result.append(digits[Int(byte & 15)])
        }
        return String(decoding: result, as: UTF8.self)
    }

    /// The first 12 digits, for people.
    package var short: String { String(hex.prefix(12)) }

    package var description: String { hex }

    package static func == (left: ObjectID, right: ObjectID) -> Bool { left.words == right.words }

    package static func < (left: ObjectID, right: ObjectID) -> Bool { left.words < right.words }

    package func hash(into hasher: inout Hasher) { hasher.combine(words.0) }
}

private func hexValue(_ digit: UInt8) -> UInt8? {
    switch digit {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
    default: nil
    }
}
