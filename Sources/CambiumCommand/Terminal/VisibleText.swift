/// Text as it may go to a terminal: what others wrote (names, messages, authors, paths) cannot steer it.
enum VisibleText {
    /// Text with its control characters spelled out, and with our own colours.
    ///
    /// Line breaks and tabs stay. Everything that is printed as text passes here, in `Terminal.write`.
    static func of(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: { isUnsafe($0) || $0 == Style.mark }) else {
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
            if isUnsafe(scalar) || scalar == Style.mark {
                result.append(contentsOf: spelled(scalar).unicodeScalars)
            } else {
                result.append(scalar)
            }
            index = next
        }
        return String(result)
    }

    /// JSON with what its encoder leaves as it is (DEL, C1, directions) spelled `\u…` as well.
    static func json(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: isUnsafe) else { return text }
        var result = ""
        for scalar in text.unicodeScalars {
            if isUnsafe(scalar) {
                for unit in String(scalar).utf16 { result += "\\u" + hexadecimal(unit, digits: 4) }
            } else {
                result.unicodeScalars.append(scalar)
            }
        }
        return result
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

    /// Whether a character moves the cursor, changes a terminal's state or the order of what is read.
    static func isUnsafe(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x09, 0x0A: false
        case 0x00...0x1F, 0x7F...0x9F: true
        // Marks, embeddings, overrides and isolates of direction; separators of lines.
        case 0x061C, 0x200B, 0x200E, 0x200F, 0x2028...0x202E, 0x2060...0x206F, 0xFEFF: true
        case 0xFFF9...0xFFFB, 0xE0000...0xE007F: true
        default: false
        }
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
