internal import FoundationEssentials

/// The JSON that `--json` prints and the C interface gives: one line per object, keys in order, so that equal is equal.
package enum JSONText {
    /// The version of all objects; it changes when a field goes or changes its meaning.
    package static let schema = 1

    /// One line of JSON, without a line break.
    ///
    /// Numbers that are not finite become strings.
    package static func encode(_ value: some Encodable) -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.nonConformingFloatEncodingStrategy = .convertToString(
            positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
        do {
            return spelled(String(decoding: try encoder.encode(value), as: UTF8.self))
        } catch {
            preconditionFailure("\(type(of: value)) cannot be encoded: \(error)")
        }
    }

    /// JSON with what its encoder leaves as it is (DEL, C1, directions) spelled `\u…` as well.
    package static func spelled(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: \.isSteering) else { return text }
        var result = ""
        for scalar in text.unicodeScalars {
            if scalar.isSteering {
                for unit in String(scalar).utf16 {
                    let digits = String(unit, radix: 16)
                    result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
                }
            } else {
                result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}

extension Unicode.Scalar {
    /// Whether it moves a terminal's cursor, changes its state or the order of what is read.
    package var isSteering: Bool {
        switch value {
        case 0x09, 0x0A: false
        case 0x00...0x1F, 0x7F...0x9F: true
        // Marks, embeddings, overrides and isolates of direction; separators of lines.
        case 0x061C, 0x200B, 0x200E, 0x200F, 0x2028...0x202E, 0x2060...0x206F, 0xFEFF: true
        case 0xFFF9...0xFFFB, 0xE0000...0xE007F: true
        default: false
        }
    }
}
