/// Appends `string` as a JSON string, escaped as serde_json escapes it.
///
/// Escaped are `"`, `\` and the control characters below U+0020, by the short forms where there are
/// any. All else stays UTF-8.
package func appendJSON(_ string: String, to text: inout [UInt8]) {
    text.append(UInt8(ascii: "\""))
    for byte in string.utf8 {
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"):
            text.append(UInt8(ascii: "\\"))
            text.append(byte)
        case 0x08: text.append(contentsOf: "\\b".utf8)
        case 0x09: text.append(contentsOf: "\\t".utf8)
        case 0x0A: text.append(contentsOf: "\\n".utf8)
        case 0x0C: text.append(contentsOf: "\\f".utf8)
        case 0x0D: text.append(contentsOf: "\\r".utf8)
        case 0..<0x20:
            let digits = String(byte, radix: 16)
            text.append(contentsOf: (digits.utf8.count == 1 ? "\\u000" : "\\u00").utf8)
            text.append(contentsOf: digits.utf8)
        default: text.append(byte)
        }
    }
    text.append(UInt8(ascii: "\""))
}

/// Appends a whole number in decimal.
package func appendJSON(_ number: Int, to text: inout [UInt8]) {
    text.append(contentsOf: String(number).utf8)
}
