extension Text {
    var uppercased: Text {
        Text(scalars.flatMap { Array($0.properties.uppercaseMapping.unicodeScalars) })
    }

    var lowercased: Text {
        var result: [Unicode.Scalar] = []
        for (index, scalar) in scalars.enumerated() { result += lowercase(scalar, at: index) }
        return Text(result)
    }

    /// The first character in title case, the others small.
    var capitalized: Text {
        guard let first = scalars.first else { return self }
        var result = Array(first.properties.titlecaseMapping.unicodeScalars)
        for (index, scalar) in scalars.enumerated().dropFirst() {
            result += lowercase(scalar, at: index)
        }
        return Text(result)
    }

    /// Every word's first letter in title case, as Python's `str.title`.
    var titlecased: Text {
        var result: [Unicode.Scalar] = []
        var isBehindCased = false
        for (index, scalar) in scalars.enumerated() {
            result +=
                isBehindCased
                ? lowercase(scalar, at: index)
                : Array(scalar.properties.titlecaseMapping.unicodeScalars)
            isBehindCased = scalar.properties.isCased
        }
        return Text(result)
    }

    var swappedCase: Text {
        var result: [Unicode.Scalar] = []
        for (index, scalar) in scalars.enumerated() {
            result +=
                scalar.properties.isUppercase
                ? lowercase(scalar, at: index)
                : Array(
                    (scalar.properties.isLowercase
                        ? scalar.properties.uppercaseMapping : String(Character(scalar)))
                        .unicodeScalars)
        }
        return Text(result)
    }

    /// As Python's `str.isupper` and `str.islower`.
    var isUpper: Bool {
        scalars.contains { $0.properties.isUppercase }
            && !scalars.contains {
                $0.properties.isLowercase || $0.properties.generalCategory == .titlecaseLetter
            }
    }

    var isLower: Bool {
        scalars.contains { $0.properties.isLowercase }
            && !scalars.contains {
                $0.properties.isUppercase || $0.properties.generalCategory == .titlecaseLetter
            }
    }

    /// A capital sigma at the end of a word has a form of its own.
    private func lowercase(_ scalar: Unicode.Scalar, at place: Int) -> [Unicode.Scalar] {
        guard scalar == "\u{3A3}" else {
            return Array(scalar.properties.lowercaseMapping.unicodeScalars)
        }
        let before = scalars[..<place].last { !$0.properties.isCaseIgnorable }
        let behind = scalars[(place + 1)...].first { !$0.properties.isCaseIgnorable }
        let isFinal =
            before?.properties.isCased == true && behind?.properties.isCased != true
        return [isFinal ? "\u{3C2}" : "\u{3C3}"]
    }
}
