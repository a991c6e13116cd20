/// A strict reader of JSON (RFC 8259) that the caller pulls from, value by value.
///
/// Own code because Foundation's decoder takes the last of two equal keys in silence, which in a
/// safetensors header means serving other bytes than another reader would. Refused here: equal
/// keys, text after the value, invalid UTF-8, unpaired surrogates, deep nesting.
///
/// A fault is thrown with the code and the source's name given at the start, and the byte where it
/// lies. Nothing traps, whatever the bytes are.
package struct JSONReader {
    private let bytes: [UInt8]
    private let source: String
    private let code: CambiumError.Code
    /// The byte that is read next.
    private(set) var position = 0

    /// - Parameters:
    ///   - source: What is read, for messages: "the header of model.safetensors".
    ///   - code: The code of faults in the text. Equal keys are always `.duplicateName`.
    package init(_ bytes: [UInt8], source: String, code: CambiumError.Code) {
        self.bytes = bytes
        self.source = source
        self.code = code
    }

    // MARK: Values

    /// Reads an object and calls `member` at each value, which it must read.
    package mutating func object(
        _ member: (inout JSONReader, _ key: String) throws -> Void
    ) throws {
        try expect("{")
        if take("}") { return }
        repeat {
            skipSpace()
            let key = try string()
            try expect(":")
            try member(&self, key)
        } while take(",")
        try expect("}")
    }

    /// Reads an array and calls `element` at each value, which it must read.
    package mutating func array(
        _ element: (inout JSONReader) throws -> Void
    ) throws {
        try expect("[")
        if take("]") { return }
        repeat { try element(&self) } while take(",")
        try expect("]")
    }

    /// Reads a whole number from 0 to the largest `Int`, written without sign, point or exponent.
    package mutating func wholeNumber() throws -> Int {
        let text = try numberText()
        guard let number = Int(text), text.utf8.first != UInt8(ascii: "-") else {
            throw fault("\(quoted(text)) where a whole number from 0 to \(Int.max) is expected")
        }
        return number
    }

    /// Reads a string, its escapes resolved.
    package mutating func string() throws -> String {
        try expect("\"")
        let start = position
        while let byte = peek(), byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\"),
            byte >= 0x20
        {
            position += 1
        }
        if peek() == UInt8(ascii: "\"") {
            defer { position += 1 }
            return try text(bytes[start..<position])
        }
        return try escapedString(from: start)
    }

    /// The characters of a number as they stand, checked against the grammar.
    package mutating func numberText() throws -> String {
        skipSpace()
        let start = position
        if peek() == UInt8(ascii: "-") { position += 1 }
        let leadingZero = peek() == UInt8(ascii: "0")
        let digits = skipDigits()
        guard digits > 0, digits == 1 || !leadingZero else {
            throw fault("\(found(at: start)) where a number is expected")
        }
        if peek() == UInt8(ascii: ".") {
            position += 1
            guard skipDigits() > 0 else { throw fault("a number ends in its point") }
        }
        if let byte = peek(), byte | 0x20 == UInt8(ascii: "e") {
            position += 1
            if let sign = peek(), sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") {
                position += 1
            }
            guard skipDigits() > 0 else { throw fault("a number has an empty exponent") }
        }
        return String(decoding: bytes[start..<position], as: UTF8.self)
    }

    // MARK: Tokens

    /// The next byte that is not white space, without taking it.
    package mutating func next() -> UInt8? {
        skipSpace()
        return peek()
    }

    /// Takes `word` when it comes next.
    package mutating func takeWord(_ word: String) -> Bool {
        skipSpace()
        guard bytes[position...].starts(with: word.utf8) else { return false }
        position += word.utf8.count
        return true
    }

    /// Takes `character`, or throws.
    package mutating func expect(_ character: Unicode.Scalar) throws {
        skipSpace()
        guard peek() == UInt8(ascii: character) else {
            throw fault("\(found(at: position)) where \(character) is expected")
        }
        position += 1
    }

    /// Takes `character` when it comes next.
    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        skipSpace()
        guard peek() == UInt8(ascii: character) else { return false }
        position += 1
        return true
    }

    /// Checks that only white space is left.
    package mutating func end() throws {
        skipSpace()
        guard position == bytes.count else { throw fault("text after the end") }
    }

    /// The error for a fault at the present place.
    package func fault(_ message: String) -> CambiumError {
        CambiumError(code, "\(source) is not valid: \(message), at byte \(position)")
    }

    /// The error for a second member of one name.
    package func duplicate(_ key: String) -> CambiumError {
        CambiumError(
            .duplicateName,
            "\(source) has \(quoted(key)) twice (names that differ only in Unicode normal form "
                + "count as one), at byte \(position)")
    }

    // MARK: Bytes

    private func peek() -> UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func skipSpace() {
        while let byte = peek(), byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 {
            position += 1
        }
    }

    private mutating func skipDigits() -> Int {
        let start = position
        while let byte = peek(), byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") {
            position += 1
        }
        return position - start
    }

    /// What stands at `offset`, for a message.
    private func found(at offset: Int) -> String {
        guard offset < bytes.count else { return "the end" }
        let byte = bytes[offset]
        return byte > 0x20 && byte < 0x7F
            ? String(UnicodeScalar(byte)) : "byte 0x\(String(byte, radix: 16))"
    }

    private func text(_ slice: ArraySlice<UInt8>) throws -> String {
        guard let text = String(validating: slice, as: UTF8.self) else {
            throw fault("a string is not UTF-8")
        }
        return text
    }

    /// Goes on with a string whose plain bytes since `start` have been passed.
    private mutating func escapedString(from start: Int) throws -> String {
        var content = Array(bytes[start..<position])
        while let byte = peek() {
            guard byte >= 0x20 else { throw fault("a control character inside a string") }
            position += 1
            switch byte {
            case UInt8(ascii: "\""): return try text(content[...])
            case UInt8(ascii: "\\"): try escape(into: &content)
            default: content.append(byte)
            }
        }
        throw fault("a string without its closing quote")
    }

    private mutating func escape(into content: inout [UInt8]) throws {
        guard let byte = peek() else { throw fault("a string without its closing quote") }
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): content.append(byte)
        case UInt8(ascii: "b"): content.append(0x08)
        case UInt8(ascii: "f"): content.append(0x0C)
        case UInt8(ascii: "n"): content.append(0x0A)
        case UInt8(ascii: "r"): content.append(0x0D)
        case UInt8(ascii: "t"): content.append(0x09)
        case UInt8(ascii: "u"):
            var units = [try hexUnit()]
            if UTF16.isLeadSurrogate(units[0]) {
                guard bytes[position...].starts(with: "\\u".utf8) else {
                    throw fault("an unpaired surrogate")
                }
                position += 2
                units.append(try hexUnit())
            }
            guard let scalar = String(validating: units, as: UTF16.self) else {
                throw fault("an unpaired surrogate")
            }
            content.append(contentsOf: scalar.utf8)
        default: throw fault("an unknown escape")
        }
    }

    private mutating func hexUnit() throws -> UInt16 {
        var unit: UInt16 = 0
        for _ in 0..<4 {
            guard let byte = peek(), let digit = Character(UnicodeScalar(byte)).hexDigitValue else {
                throw fault("\\u without four hexadecimal digits")
            }
            unit = unit << 4 | UInt16(digit)
            position += 1
        }
        return unit
    }
}
