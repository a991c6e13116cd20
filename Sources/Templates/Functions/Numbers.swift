internal import Elements
internal import Glibc

extension Interpreter {
    /// The filters that make or change numbers.
    func number(_ name: String, _ value: Value, _ given: Given) throws -> Value {
        func parameters(_ names: String...) throws -> Parameters {
            try Parameters(given, "the filter '\(name)'", names, self)
        }
        if case .undefined(let absence) = value { throw failure(absence.message) }
        switch name {
        case "int":
            let found = try parameters("default", "base")
            try spend(value.text?.count ?? 0, each: Cost.number)
            return try whole(value, try found.integer("base", 10)) ?? found["default"]
                ?? .integer(0)
        case "float":
            let found = try parameters("default")
            try spend(value.text?.count ?? 0, each: Cost.number)
            if let number = value.double { return .number(number) }
            return value.text.flatMap(\.number).map { .number($0) } ?? found["default"]
                ?? .number(0)
        case "abs":
            if case .number(let number) = value { return .number(number.magnitude) }
            if let integer = value.integer {
                return integer < 0 ? try negative(value) : .integer(integer)
            }
            throw failure("bad operand type for abs(): '\(value.typeName)'")
        default:
            let found = try parameters("precision", "method")
            return try rounded(
                value, try found.integer("precision", 0),
                try found.text("method")?.string ?? "common")
        }
    }

    private func whole(_ value: Value, _ base: Int) throws -> Value? {
        switch value {
        case .number(let number):
            guard number.isFinite else { return nil }
            guard let integer = Int(exactly: number.rounded(.towardZero)) else {
                throw refusal("a number of more than 64 bits")
            }
            return .integer(integer)
        case .text(let text):
            guard base == 10 else {
                guard (2...36).contains(base) else { return nil }
                var digits = text.stripped().string
                let prefix = [16: "0x", 8: "0o", 2: "0b"][base]
                if let prefix, digits.lowercased().hasPrefix(prefix) { digits.removeFirst(2) }
                return Int(digits, radix: base).map { .integer($0) }
            }
            if let integer = text.integer { return .integer(integer) }
            if let number = text.number { return try whole(.number(number), 10) }
            return nil
        default: return value.integer.map { .integer($0) }
        }
    }

    private func rounded(_ value: Value, _ precision: Int, _ method: String) throws -> Value {
        guard ["common", "ceil", "floor"].contains(method) else {
            throw failure("method must be common, ceil or floor")
        }
        guard let number = value.double else {
            throw failure("type \(value.typeName) doesn't define __round__ method")
        }
        guard (-300...300).contains(precision), number.isFinite else {
            throw refusal("such a precision")
        }
        if method == "common" {
            if case .number = value {
            } else {
                guard precision >= 0 else { throw refusal("a negative precision") }
                return .integer(value.integer ?? 0)
            }
            guard precision >= 0 else { throw refusal("a negative precision") }
            return .number(Double(try decimals(number, precision)) ?? number)
        }
        let factor = pow(10, Double(precision))
        let scaled = number * factor
        return .number((method == "ceil" ? scaled.rounded(.up) : scaled.rounded(.down)) / factor)
    }

    /// As Python's `form % arguments`.
    func format(_ form: Text, _ arguments: Value) throws -> Text {
        try spend(form.count)
        var result: [Unicode.Scalar] = []
        var rest = form.scalars[...]
        var queue: ArraySlice<Value> =
            if case .tuple(let items) = arguments { items.values[...] } else { [arguments] }
        var usedNames = false
        while let scalar = rest.popFirst() {
            guard scalar == "%" else {
                result.append(scalar)
                continue
            }
            var name: Text?
            if rest.first == "(" {
                rest.removeFirst()
                let found = rest.prefix { $0 != ")" }
                name = Text(found)
                rest = rest[found.endIndex...].dropFirst()
                usedNames = true
            }
            let flags = rest.prefix { "-0+ #".unicodeScalars.contains($0) }
            rest = rest[flags.endIndex...]
            let width = number(&rest)
            var precision: Int?
            if rest.first == "." {
                rest.removeFirst()
                precision = number(&rest) ?? 0
            }
            guard let letter = rest.popFirst() else { throw failure("incomplete format") }
            if letter == "%" {
                result.append("%")
                continue
            }
            guard (width ?? 0) <= 10_000, (precision ?? 0) <= 300 else {
                throw refusal("such a width")
            }
            var value: Value
            if let name {
                value = try item(.text(name), of: arguments)
            } else {
                guard let next = queue.popFirst() else {
                    throw failure("not enough arguments for format string")
                }
                value = next
            }
            if value.isUndefined { value = .text("") }
            let text = try formatted(letter, value, precision, flags)
            try spend(Cost.number + text.count)
            let fills = flags.contains("0") && letter != "s" && letter != "r"
            try spend(width ?? 0)
            if flags.contains("-") {
                result += text.padded(to: width ?? 0, .right, " ").scalars
            } else if fills, let sign = text.scalars.first, sign == "-" || sign == "+" {
                result += [sign]
                result +=
                    Text(text.scalars.dropFirst()).padded(to: (width ?? 0) - 1, .left, "0").scalars
            } else {
                result += text.padded(to: width ?? 0, .left, fills ? "0" : " ").scalars
            }
        }
        var isMapping = false
        if case .dictionary = arguments { isMapping = true }
        guard queue.isEmpty || usedNames || isMapping else {
            throw failure("not all arguments converted during string formatting")
        }
        return Text(result)
    }

    /// The digits of a number far from 1 are found by many long multiplications.
    private func decimals(_ number: Double, _ count: Int) throws -> String {
        let power = abs(Int(number.exponentBitPattern) - 1075)
        try spend(Cost.number + count + power * power / 64)
        return number.decimals(count)
    }

    private func number(_ rest: inout ArraySlice<Unicode.Scalar>) -> Int? {
        let digits = rest.prefix { ("0"..."9").contains($0) }
        rest = rest[digits.endIndex...]
        return digits.isEmpty ? nil : Int(Text(digits).string) ?? .max
    }

    private func formatted(
        _ letter: Unicode.Scalar, _ value: Value, _ precision: Int?,
        _ flags: ArraySlice<Unicode.Scalar>
    ) throws -> Text {
        func signed(_ text: String) -> Text {
            let sign =
                text.hasPrefix("-")
                ? "" : flags.contains("+") ? "+" : flags.contains(" ") ? " " : ""
            return Text(sign + text)
        }
        switch letter {
        case "s":
            let text = try text(of: value)
            return precision.map { Text(text.scalars.prefix($0)) } ?? text
        case "r":
            let text = Text(try spelled(value))
            return precision.map { Text(text.scalars.prefix($0)) } ?? text
        case "d", "i", "u":
            guard precision == nil else { throw refusal("a precision of %d") }
            if case .number(let number) = value,
                let integer = Int(exactly: number.rounded(.towardZero))
            {
                return signed("\(integer)")
            }
            guard let integer = value.integer else {
                throw failure("%\(letter) format: a real number is required, not \(value.typeName)")
            }
            return signed("\(integer)")
        case "f", "F":
            guard let number = value.double else {
                throw failure("must be real number, not \(value.typeName)")
            }
            guard number.isFinite else { return signed(number.pythonText) }
            return signed(try decimals(number, precision ?? 6))
        case "x", "X", "o":
            guard let integer = value.integer, precision == nil, !flags.contains("#") else {
                throw refusal("%\(letter) of this value")
            }
            return signed(String(integer, radix: letter == "o" ? 8 : 16, uppercase: letter == "X"))
        default: throw refusal("%\(letter) in a format")
        }
    }
}

extension Text {
    /// As Python's `int()` of a string.
    var integer: Int? { Int(digits) }

    /// As Python's `float()` of a string.
    var number: Double? {
        let text = digits
        let name = text.lowercased().drop { $0 == "+" || $0 == "-" }
        if ["inf", "infinity", "nan"].contains(name) {
            let number = name == "nan" ? Double.nan : .infinity
            return text.hasPrefix("-") ? -number : number
        }
        guard text.allSatisfy({ $0.isNumber && $0.isASCII || "+-.eE".contains($0) }) else {
            return nil
        }
        return Double(text)
            ?? (text.hasSuffix(".") ? Double(text + "0") : nil)
            ?? Double(text.replacingFirstPoint)
    }

    /// Without white space around it and lines between digits.
    private var digits: String {
        let stripped = stripped().scalars
        var result = ""
        for (index, scalar) in stripped.enumerated() {
            if scalar == "_", index > 0, index + 1 < stripped.count,
                stripped[index - 1].properties.numericType == .decimal,
                stripped[index + 1].properties.numericType == .decimal
            {
                continue
            }
            result.unicodeScalars.append(scalar)
        }
        return result
    }
}

extension String {
    /// With a 0 in front of a point that begins a number, and behind one that ends its digits.
    fileprivate var replacingFirstPoint: String {
        guard let point = firstIndex(of: ".") else { return self }
        let (before, behind) = (self[..<point], self[index(after: point)...])
        let left = before.last?.isNumber == true ? before : before + "0"
        let right = behind.first?.isNumber == true ? behind : "0" + behind
        guard before.last?.isNumber == true || behind.first?.isNumber == true else { return self }
        return left + "." + right
    }
}

extension Double {
    /// With so many digits behind the point: the exact value, rounded, halves to the even digit.
    func decimals(_ count: Int) -> String {
        // The significand as digits, lowest first; then doubled, or as often times five with the point moved.
        var digits = String(significandBitPattern | (isNormal ? 1 << 52 : 0)).reversed().map {
            $0.wholeNumberValue ?? 0
        }
        let power = (isNormal ? Int(exponentBitPattern) - 1023 : -1022) - 52
        func multiply(by factor: Int) {
            var carry = 0
            for index in digits.indices {
                let product = digits[index] * factor + carry
                (digits[index], carry) = (product % 10, product / 10)
            }
            while carry > 0 {
                digits.append(carry % 10)
                carry /= 10
            }
        }
        if self == 0 {
            digits = [0]
        } else {
            for _ in 0..<abs(power) { multiply(by: power > 0 ? 2 : 5) }
        }
        var behind = self == 0 ? 0 : max(0, -power)
        if behind > count {
            let cut = behind - count
            while digits.count <= cut { digits.append(0) }
            let first = digits[cut - 1]
            let isAbove = first > 5 || first == 5 && digits[..<(cut - 1)].contains { $0 != 0 }
            let isHalf = first == 5 && !isAbove
            digits.removeFirst(cut)
            if isAbove || isHalf && digits[0] % 2 == 1 {
                var index = 0
                while true {
                    if index == digits.count { digits.append(0) }
                    digits[index] += 1
                    if digits[index] < 10 { break }
                    digits[index] = 0
                    index += 1
                }
            }
            behind = count
        }
        while behind < count {
            digits.insert(0, at: 0)
            behind += 1
        }
        while digits.count <= count { digits.append(0) }
        while digits.count > count + 1, digits.last == 0 { digits.removeLast() }
        let text = digits.reversed().map(String.init).joined()
        let sign = self.sign == .minus ? "-" : ""
        return sign + text.dropLast(count) + (count > 0 ? "." + text.suffix(count) : "")
    }
}
