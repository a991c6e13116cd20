extension Value {
    /// As Python's `repr()`, into a budget of characters.
    func spell(into text: inout [Unicode.Scalar], _ interpreter: Interpreter) throws {
        try interpreter.spend(1)
        switch self {
        case .undefined: text += "Undefined".unicodeScalars
        case .none: text += "None".unicodeScalars
        case .bool(let bool): text += (bool ? "True" : "False").unicodeScalars
        case .integer(let integer):
            try interpreter.spend(Cost.number)
            text += "\(integer)".unicodeScalars
        case .number(let number):
            try interpreter.spend(Cost.number)
            text += number.pythonText.unicodeScalars
        case .text(let content):
            try interpreter.spend(content.count, each: Cost.escape)
            if content.isSafe { text += "Markup(".unicodeScalars }
            content.quote(into: &text)
            if content.isSafe { text.append(")") }
        case .list(let items): try spell("[", items.values, "]", into: &text, interpreter)
        case .tuple(let items):
            let end = items.values.count == 1 ? ",)" : ")"
            try spell("(", items.values, end, into: &text, interpreter)
        case .view(let view):
            try spell("\(view.kind)([", view.items.values, "])", into: &text, interpreter)
        case .dictionary(let mapping):
            text.append("{")
            try interpreter.spend(mapping.keys.count, each: Cost.element)
            for (index, (key, value)) in mapping.pairs.enumerated() {
                if index > 0 { text += ", ".unicodeScalars }
                try key.value.spell(into: &text, interpreter)
                text += ": ".unicodeScalars
                try value.spell(into: &text, interpreter)
            }
            text.append("}")
        case .range(let span):
            text +=
                (span.step == 1
                ? "range(\(span.start), \(span.end))"
                : "range(\(span.start), \(span.end), \(span.step))").unicodeScalars
        case .iterator, .namespace, .loop, .macro, .function:
            throw interpreter.refusal("text of a \(typeName)")
        }
    }

    private func spell(
        _ start: String, _ values: [Value], _ end: String, into text: inout [Unicode.Scalar],
        _ interpreter: Interpreter
    ) throws {
        text += start.unicodeScalars
        for (index, value) in values.enumerated() {
            if index > 0 { text += ", ".unicodeScalars }
            try value.spell(into: &text, interpreter)
        }
        text += end.unicodeScalars
    }
}

extension Text {
    /// As Python's `repr()` of a string.
    func quote(into text: inout [Unicode.Scalar]) {
        let quote: Unicode.Scalar = scalars.contains("'") && !scalars.contains("\"") ? "\"" : "'"
        text.append(quote)
        for scalar in scalars {
            switch scalar {
            case quote, "\\": text += ["\\", scalar]
            case "\n": text += "\\n".unicodeScalars
            case "\r": text += "\\r".unicodeScalars
            case "\t": text += "\\t".unicodeScalars
            case _ where scalar.isPrintable: text.append(scalar)
            default:
                let (letter, width) =
                    scalar.value < 0x100
                    ? ("x", 2) : scalar.value < 0x10000 ? ("u", 4) : ("U", 8)
                text += "\\\(letter)\(scalar.value.hex(width))".unicodeScalars
            }
        }
        text.append(quote)
    }
}

extension UInt32 {
    func hex(_ width: Int) -> String {
        let digits = String(self, radix: 16)
        return String(repeating: "0", count: Swift.max(0, width - digits.count)) + digits
    }
}

extension Double {
    /// As Python's `repr()` writes a number: the shortest digits that give it back.
    var pythonText: String {
        if isNaN { return "nan" }
        if isInfinite { return self < 0 ? "-inf" : "inf" }
        if self == 0 { return sign == .minus ? "-0.0" : "0.0" }
        // Swift finds the same digits and sets the point elsewhere.
        var digits = ""
        var exponent = 0
        let parts = "\(magnitude)".split(separator: "e")
        let whole = parts[0].split(separator: ".", omittingEmptySubsequences: false)
        digits = whole.joined()
        exponent = whole[0].count + (parts.count > 1 ? Int(parts[1]) ?? 0 : 0)
        let leading = digits.prefix { $0 == "0" }.count
        digits.removeFirst(leading)
        exponent -= leading
        while digits.last == "0", digits.count > 1 { digits.removeLast() }
        let minus = self < 0 ? "-" : ""
        if exponent > 16 || exponent < -3 {
            let rest = digits.dropFirst()
            let power = exponent - 1
            let text = "\(power.magnitude)"
            return minus + digits.prefix(1) + (rest.isEmpty ? "" : "." + rest)
                + "e" + (power < 0 ? "-" : "+") + (text.count < 2 ? "0" : "") + text
        }
        if exponent <= 0 {
            return minus + "0." + String(repeating: "0", count: -exponent) + digits
        }
        if digits.count <= exponent {
            return minus + digits + String(repeating: "0", count: exponent - digits.count) + ".0"
        }
        return minus + digits.prefix(exponent) + "." + digits.dropFirst(exponent)
    }
}
