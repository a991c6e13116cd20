@_spi(_Unicode) internal import Swift

/// Unicode's normal forms (UAX #15).
///
/// The canonical ones are those of Swift's library, which compares texts by them; of the compatibility ones it lacks
/// the decompositions alone.
enum NormalForm {
    static func of(_ text: String, _ form: Normalizer.Form) -> String {
        var scalars = String.UnicodeScalarView()
        switch form {
        case .nfc: scalars.append(contentsOf: text._nfc)
        case .nfd: scalars.append(contentsOf: text._nfd)
        case .nfkc: scalars.append(contentsOf: decomposed(text)._nfc)
        case .nfkd: scalars.append(contentsOf: decomposed(text)._nfd)
        }
        return String(scalars)
    }

    /// Each character's compatibility decomposition in its place; their marks are not in order yet.
    private static func decomposed(_ text: String) -> String {
        var scalars = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            if let new = decompositions[scalar] {
                scalars.append(contentsOf: new)
            } else {
                scalars.append(scalar)
            }
        }
        return String(scalars)
    }

    private static let decompositions: [Unicode.Scalar: [Unicode.Scalar]] = {
        func scalar(_ digits: Substring, plus offset: UInt32 = 0) -> Unicode.Scalar {
            let code = UInt32(digits, radix: 16).flatMap { Unicode.Scalar($0 + offset) }
            guard let code else { preconditionFailure("\(digits) is no code point") }
            return code
        }
        var all: [Unicode.Scalar: [Unicode.Scalar]] = [:]
        for word in CompatibilityTable.text.split(whereSeparator: \.isWhitespace) {
            let sides = word.split(separator: "=")
            let codes = sides[0].split(separator: "+")
            guard codes.count > 1 else {
                all[scalar(codes[0])] = sides[1].split(separator: ",").map { scalar($0) }
                continue
            }
            for offset in 0..<(UInt32(codes[1], radix: 16) ?? 0) {
                all[scalar(codes[0], plus: offset)] = [scalar(sides[1], plus: offset)]
            }
        }
        return all
    }()
}
