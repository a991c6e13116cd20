internal import Reporting

/// Text as it may go to a terminal: what others wrote (names, messages, authors, paths) cannot steer it.
enum VisibleText {
    /// Text with its control characters spelled out, and with our own colours.
    ///
    /// Line breaks and tabs stay. Everything that is printed as text passes here, in `Terminal.write`.
    static func of(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: { $0.isSteering || $0 == Style.mark }) else {
            return text
        }
        var result = String.UnicodeScalarView()
        let scalars = text.unicodeScalars
        var index = scalars.startIndex
        while index < scalars.endIndex {
            let scalar = scalars[index]
            let next = scalars.index(after: index)
            if scalar == Style.mark, let end = Style.endOfCode(in: scalars, from: next) {
                result.append("\u{1B}")
                result.append("[")
                result.append(contentsOf: scalars[next..<end])
                index = end
                continue
            }
            if scalar.isSteering || scalar == Style.mark {
                result.append(contentsOf: spelled(scalar).unicodeScalars)
            } else {
                result.append(scalar)
            }
            index = next
        }
        return String(result)
    }

    /// Bytes for a person's eyes: as ``of(_:)``, of bytes that need not be UTF-8.
    static func bytes(_ bytes: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count)
        for (index, byte) in bytes.enumerated() {
            let isControl = byte < 0x20 && byte != 0x0A && byte != 0x09 || byte == 0x7F
            // In UTF-8, C1 controls are C2 80 to C2 9F; alone, some terminals take them as they are.
            let isContinued = index > 0 && bytes[index - 1] >= 0x80
            let isC1 =
                (0x80...0x9F).contains(byte)
                && (!isContinued || bytes[index - 1] == 0xC2)
            if isC1, isContinued, result.last == 0xC2 { result.removeLast() }
            if isControl || isC1 {
                result += Array(("\\x" + hexadecimal(byte, digits: 2)).utf8)
            } else {
                result.append(byte)
            }
        }
        return result
    }

    private static func spelled(_ scalar: Unicode.Scalar) -> String {
        scalar.value < 0x100
            ? "\\x" + hexadecimal(scalar.value, digits: 2)
            : "\\u{" + hexadecimal(scalar.value, digits: 4) + "}"
    }

    private static func hexadecimal(_ number: some BinaryInteger, digits: Int) -> String {
        let text = String(number, radix: 16)
        return String(repeating: "0", count: max(0, digits - text.count)) + text
    }
}
