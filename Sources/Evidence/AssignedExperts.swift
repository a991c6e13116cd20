internal import Elements

/// Experts that are assigned to the bytes of a text, one to each.
extension [UInt32] {
    /// Reads decimal numbers with white space (space, tab, line feed, carriage return) between them.
    ///
    /// - Parameter name: What errors call the text.
    /// - Throws: `usage` for another byte, naming the line, and for a number of more than 32 bits.
    package init(assignedIn text: [UInt8], name: String) throws {
        self = []
        var line = 1
        var number: UInt32?
        for byte in text {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                let (product, first) = (number ?? 0).multipliedReportingOverflow(by: 10)
                let (sum, second) = product.addingReportingOverflow(UInt32(byte) - 48)
                guard !first, !second else {
                    throw CambiumError(
                        .usage,
                        "\(name), line \(line): a number above \(UInt32.max); give an expert's "
                            + "number for each byte of the text")
                }
                number = sum
            case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\n"), UInt8(ascii: "\r"):
                if let known = number { append(known) }
                number = nil
                if byte == UInt8(ascii: "\n") { line += 1 }
            default:
                let shown =
                    (0x21...0x7e).contains(byte)
                    ? "'\(Character(UnicodeScalar(byte)))'" : "byte \(byte)"
                throw CambiumError(
                    .usage,
                    "\(name), line \(line): \(shown) is no digit; give an expert's number for each "
                        + "byte of the text, with white space between them")
            }
        }
        if let number { append(number) }
    }

    /// Checks that there is one for each byte, and that the layer has all of the experts.
    package func checkAssigned(_ text: [UInt8], _ what: String, experts: Int) throws {
        guard count == text.count else {
            throw CambiumError(
                .usage,
                "\(what) has \(text.count) bytes and \(count) assigned experts; give one for each "
                    + "byte")
        }
        for (index, expert) in enumerated() where expert >= experts {
            throw CambiumError(
                .usage,
                "byte \(index) of \(what) is assigned expert \(expert); the layer has \(experts), "
                    + "numbered from 0")
        }
    }
}
