/// Numbers as people read them.
package enum Quantity {
    /// A count with thousands separators: `4,096`.
    package static func count(_ value: Int) -> String {
        let digits = Array(String(value.magnitude))
        var text = value < 0 ? "-" : ""
        for (index, digit) in digits.enumerated() {
            if index > 0, (digits.count - index).isMultiple(of: 3) { text += "," }
            text.append(digit)
        }
        return text
    }

    /// A count of things: `1 expert`, `4,096 experts`.
    package static func count(_ value: Int, _ thing: String, _ plural: String? = nil) -> String {
        "\(count(value)) \(value == 1 ? thing : plural ?? thing + "s")"
    }

    /// A size in binary units: `512 bytes`, `11.0 MiB`.
    package static func bytes(_ value: Int) -> String {
        guard value.magnitude >= 1024 else { return count(value, "byte") }
        var amount = Double(value)
        for unit in ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"] {
            amount /= 1024
            // 1023.95 would be printed as 1024.0.
            if amount.magnitude < 1023.95 || unit == "EiB" { return "\(fixed(amount, 1)) \(unit)" }
        }
        return count(value, "byte")
    }

    /// A share: `85.4 %`; never 100 % or 0 % unless it is.
    package static func share(_ part: Int, of whole: Int) -> String {
        guard whole > 0 else { return "0 %" }
        if part == whole { return "100 %" }
        if part == 0 { return "0 %" }
        let percent = 100 * Double(part) / Double(whole)
        return "\(fixed(min(99.9, max(0.1, percent)), 1)) %"
    }

    /// A number with a fixed count of decimals, rounded half away from zero: `2.149`.
    package static func fixed(_ value: Double, _ decimals: Int) -> String {
        guard value.isFinite else { return "\(value)" }
        let scale = (0..<decimals).reduce(1.0) { product, _ in product * 10 }
        let scaled = (value.magnitude * scale).rounded()
        guard scaled < 1e15 else { return "\(value)" }
        let units = Int(scaled)
        let sign = value < 0 && units > 0 ? "-" : ""
        guard decimals > 0 else { return sign + String(units) }
        let digits = String(units)
        let padded = String(repeating: "0", count: max(0, decimals + 1 - digits.count)) + digits
        return sign + padded.dropLast(decimals) + "." + padded.suffix(decimals)
    }

    /// A number with about four significant digits: `0.01234`, `12.34`, `1.234e-06`.
    package static func significant(_ value: Double) -> String {
        guard value.isFinite else { return "\(value)" }
        switch value.magnitude {
        case 0: return "0"
        case ..<0.0001: return scientific(value)
        case ..<0.01: return fixed(value, 6)
        case ..<1: return fixed(value, 4)
        case ..<100: return fixed(value, 2)
        case ..<100_000: return fixed(value, 1)
        default: return scientific(value)
        }
    }

    /// A number that somebody recorded: whole as it is, else to six significant digits, or to the whole number
    /// where it has more in front of the point: `30`, `0.93`, `7.67554`.
    package static func recorded(_ value: Double) -> String {
        var (scale, size) = (1.0, value.magnitude)
        guard size.isFinite, size >= 1e-17 else { return value == 0 ? "0" : "\(value)" }
        // Powers of ten are exact up to 10^22, so that the quotient is the number nearest to its digits.
        while size < 99_999.95 { (scale, size) = (scale * 10, size * 10) }
        let isWhole = value.rounded() == value
        let rounded = isWhole ? value : (value * scale).rounded() / scale
        return Int(exactly: rounded).map(String.init) ?? "\(rounded)"
    }

    /// Ascending numbers with runs drawn together: `0-127, 130`.
    package static func ranges(_ numbers: [Int]) -> String {
        var runs: [ClosedRange<Int>] = []
        for number in numbers {
            if let last = runs.last, last.upperBound + 1 == number {
                runs[runs.count - 1] = last.lowerBound...number
            } else {
                runs.append(number...number)
            }
        }
        return runs.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)" }
            .joined(separator: ", ")
    }

    private static func scientific(_ value: Double) -> String {
        var (mantissa, exponent) = (value, 0)
        while mantissa.magnitude >= 9.995 { (mantissa, exponent) = (mantissa / 10, exponent + 1) }
        while mantissa.magnitude < 0.9995 { (mantissa, exponent) = (mantissa * 10, exponent - 1) }
        return "\(fixed(mantissa, 2))e\(exponent)"
    }
}
