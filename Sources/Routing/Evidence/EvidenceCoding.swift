internal import Elements

/// What the records of evidence are written with: numbers and names, and their checked reading.

/// Bytes of a name, at most.
private let longestName = 255

/// - Throws: `.badInput` for a name that is empty and may not be, is long, or has control characters.
func checkEvidenceName(
    _ name: String, _ what: String, mayBeEmpty: Bool
) throws {
    guard mayBeEmpty || !name.isEmpty else {
        throw CambiumError(.badInput, "the \(what)'s name is empty")
    }
    guard name.utf8.count <= longestName else {
        throw CambiumError(
            .badInput,
            "the \(what)'s name has \(name.utf8.count) bytes; at most \(longestName) are kept")
    }
    guard name.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7f }) else {
        throw CambiumError(.badInput, "the \(what)'s name has control characters")
    }
}

/// A name behind its length in a byte.
func appendName(_ name: String, to bytes: inout [UInt8]) {
    bytes.append(UInt8(name.utf8.count))
    bytes += Array(name.utf8)
}

/// Little-endian 64-bit numbers.
func appendIntegers(_ numbers: [Int64], to bytes: inout [UInt8]) {
    bytes.reserveCapacity(bytes.count + 8 * numbers.count)
    for number in numbers { appendBytes(of: UInt64(bitPattern: number), to: &bytes) }
}

/// Numbers near to 0 in few bytes, whatever their sign.
///
/// 0, -1, 1, -2 and 2 become the numbers 0, 1, 2, 3 and 4.
func appendSigned(_ numbers: [Int64], to bytes: inout [UInt8]) {
    for number in numbers {
        appendNumber(UInt64(bitPattern: (number << 1) ^ (number >> 63)), to: &bytes)
    }
}

private func appendBytes<Number: FixedWidthInteger>(of number: Number, to bytes: inout [UInt8]) {
    for shift in 0..<Number.bitWidth / 8 {
        bytes.append(UInt8(truncatingIfNeeded: number >> Number(8 * shift)))
    }
}

/// LEB128: seven bits a byte, the least first; the highest bit says that more follow.
func appendNumber(_ number: UInt64, to bytes: inout [UInt8]) {
    var rest = number
    while rest >= 0x80 {
        bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
        rest >>= 7
    }
    bytes.append(UInt8(rest))
}

/// Reads numbers and checks that they are there.
struct NumberReader {
    private let bytes: [UInt8]
    private var position = 0

    /// Bytes that were not read yet.
    var rest: Int { bytes.count - position }

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    mutating func take(_ count: Int) throws -> ArraySlice<UInt8> {
        guard count <= bytes.count - position else {
            throw CambiumError(
                .badInput,
                "evidence of \(bytes.count) bytes ends within what begins at byte \(position)")
        }
        defer { position += count }
        return bytes[position..<position + count]
    }

    mutating func byte() throws -> UInt8 {
        let part = try take(1)
        return part[part.startIndex]
    }

    mutating func number() throws -> UInt64 {
        let start = position
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 70, by: 7) {
            let byte = try byte()
            let bits = UInt64(byte & 0x7f)
            guard shift < 63 || bits < 2, (bits << shift) >> shift == bits else { break }
            value |= bits << shift
            if byte & 0x80 == 0 {
                // Only the shortest form, so that equal content has equal bytes.
                if byte == 0, shift > 0 { break }
                return value
            }
        }
        throw CambiumError(
            .badInput, "the number at byte \(start) of the evidence is not in its shortest form")
    }

    /// A number of up to 32 bits.
    mutating func small() throws -> UInt32 {
        let number = try number()
        guard let small = UInt32(exactly: number) else {
            throw CambiumError(.badInput, "\(number) in the evidence is more than 32 bits")
        }
        return small
    }

    /// A name behind its length.
    mutating func name() throws -> String {
        let length = Int(try byte())
        guard let name = String(validating: try take(length), as: UTF8.self) else {
            throw CambiumError(.badInput, "a name in the evidence is not UTF-8")
        }
        return name
    }

    /// Little-endian 64-bit numbers.
    mutating func integers(_ count: Int) throws -> [Int64] {
        try need(count, 8)
        let start = position
        position += 8 * count
        let span = bytes.raw
        return (0..<count).map { span.number(at: start + 8 * $0) }
    }

    /// How many of something follow, each of which takes a byte or more.
    mutating func count(_ what: String) throws -> Int {
        let number = try number()
        // No room is made for what a false number claims.
        guard let count = Int(exactly: number), count <= rest else {
            throw CambiumError(
                .badInput, "\(number) \(what) in the \(rest) bytes of evidence that are left")
        }
        return count
    }

    /// What `appendSigned` wrote.
    mutating func signed(_ count: Int) throws -> [Int64] {
        try need(count, 1)
        var numbers: [Int64] = []
        numbers.reserveCapacity(count)
        for _ in 0..<count {
            let code = try number()
            numbers.append(Int64(bitPattern: code >> 1) ^ -Int64(bitPattern: code & 1))
        }
        return numbers
    }

    /// Little-endian floats.
    mutating func floats(_ count: Int) throws -> [Float] {
        try need(count, 4)
        let start = position
        position += 4 * count
        let span = bytes.raw
        return (0..<count).map { Float(bitPattern: span.number(at: start + 4 * $0)) }
    }

    private func need(_ count: Int, _ size: Int) throws {
        guard count >= 0, count <= rest / size else {
            throw CambiumError(
                .badInput,
                "evidence of \(bytes.count) bytes ends within what begins at byte \(position)")
        }
    }

    func end() throws {
        guard position == bytes.count else {
            throw CambiumError(
                .badInput, "\(bytes.count - position) bytes too many at the end of the evidence")
        }
    }
}
