/// A number of bytes as people write it: with K, M, G or T for powers of 1024.
package struct ByteSize: Sendable {
    package let bytes: Int

    package init?(_ text: String) {
        let units: [Character: Int] = ["K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40]
        var digits = text.uppercased()
        if digits.hasSuffix("IB") {
            digits.removeLast(2)
        } else if digits.hasSuffix("B") {
            digits.removeLast()
        }
        var unit = 1
        if let last = digits.last, let known = units[last] {
            unit = known
            digits.removeLast()
        }
        guard let number = Double(digits), number > 0, number.isFinite,
            number * Double(unit) < 0x1p62
        else { return nil }
        bytes = Int(number * Double(unit))
    }
}
