internal import Elements

/// Writes numbers little-endian and strings length-prefixed: the one encoding of every record.
package struct ByteEncoder {
    package private(set) var bytes: [UInt8] = []

    package init() {}

    /// - Parameter capacity: Bytes that will be appended, so that the buffer grows once.
    package init(capacity: Int) { bytes.reserveCapacity(capacity) }

    package mutating func append<Number: FixedWidthInteger>(_ number: Number) {
        unsafe withUnsafeBytes(of: number.littleEndian) { unsafe bytes.append(contentsOf: $0) }
    }

    package mutating func append(_ id: ObjectID) { id.append(to: &bytes) }

    package mutating func append(raw: [UInt8]) { bytes.append(contentsOf: raw) }

    mutating func append(span: RawSpan) {
        unsafe span.withUnsafeBytes { unsafe bytes.append(contentsOf: $0) }
    }

    /// A 32-bit byte count, then the UTF-8 bytes.
    package mutating func append(_ text: String) {
        append(UInt32(text.utf8.count))
        bytes.append(contentsOf: text.utf8)
    }
}

/// Reads what ``ByteEncoder`` writes; every read is bounds-checked and throws `.corrupt`.
package struct ByteDecoder {
    private let bytes: [UInt8]
    private var offset = 0
    private let what: String

    /// - Parameter what: The record's name for error messages, for example "commit 3fa9…".
    package init(_ bytes: [UInt8], _ what: String) {
        self.bytes = bytes
        self.what = what
    }

    package var remaining: Int { bytes.count - offset }

    package mutating func number<Number: FixedWidthInteger & BitwiseCopyable>(
        _ type: Number.Type = Number.self
    ) throws -> Number {
        try need(Number.bitWidth / 8)
        defer { offset += Number.bitWidth / 8 }
        return bytes.raw.number(at: offset)
    }

    /// A 32-bit count of items that take at least `minimum` bytes each.
    package mutating func count(minimum: Int) throws -> Int {
        let count = Int(try number(UInt32.self))
        guard count <= remaining / max(minimum, 1) else {
            throw CambiumError(
                .corrupt, "\(what) claims \(count) items but has only \(remaining) bytes left")
        }
        return count
    }

    package mutating func id() throws -> ObjectID {
        try need(ObjectID.byteCount)
        defer { offset += ObjectID.byteCount }
        return ObjectID(bytes.raw, at: offset)
    }

    package mutating func text() throws -> String {
        let count = try count(minimum: 1)
        let raw = try take(count)
        guard let text = String(validating: raw, as: UTF8.self) else {
            throw CambiumError(.corrupt, "\(what) holds text that is not UTF-8")
        }
        return text
    }

    package mutating func take(_ count: Int) throws -> [UInt8] {
        try need(count)
        defer { offset += count }
        return Array(bytes[offset..<(offset + count)])
    }

    /// Throws unless everything was read.
    package func end() throws {
        guard remaining == 0 else {
            throw CambiumError(.corrupt, "\(what) has \(remaining) bytes too many")
        }
    }

    private func need(_ count: Int) throws {
        guard count >= 0, count <= remaining else {
            throw CambiumError(
                .corrupt, "\(what) ends \(count - remaining) bytes early; run `cambium verify`")
        }
    }
}
