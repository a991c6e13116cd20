/// Which expert each byte of a text should pick: targets for a router that is solved in closed form.
public struct Assignments: Sendable, Equatable {
    /// One for each byte of the text, from 0.
    public let experts: [UInt32]

    /// - Parameter experts: One for each byte of a text, from 0.
    public init(experts: [UInt32]) { self.experts = experts }

    /// Reads decimal numbers with white space (space, tab, line feed, carriage return) between them.
    ///
    /// - Parameters:
    ///   - text: The bytes of the file.
    ///   - name: What errors call it.
    /// - Throws: `usage` for another byte, naming the line, and for a number of more than 32 bits.
    public init(text: [UInt8], name: String) throws {
        var experts: [UInt32] = []
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
                if let known = number { experts.append(known) }
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
        if let number { experts.append(number) }
        self.experts = experts
    }

    /// Checks that there is one for each byte, and that the layer has all of the experts.
    func check(_ text: [UInt8], _ what: String, experts count: Int) throws {
        guard experts.count == text.count else {
            throw CambiumError(
                .usage,
                "\(what) has \(text.count) bytes and \(experts.count) assigned experts; give one for each "
                    + "byte")
        }
        for (index, expert) in experts.enumerated() where expert >= count {
            throw CambiumError(
                .usage,
                "byte \(index) of \(what) is assigned expert \(expert); the layer has \(count), numbered "
                    + "from 0")
        }
    }
}
