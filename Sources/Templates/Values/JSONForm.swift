/// How the filter `tojson` writes: as Python's `json.dumps`.
struct JSONForm {
    var escapesAll = false
    /// What lines are indented by; nil for all in one line.
    var indent: Text?
    var itemSeparator = Text(", ")
    var keySeparator = Text(": ")
    var sortsKeys = false

    func text(of value: Value, _ interpreter: Interpreter) throws -> Text {
        var text: [Unicode.Scalar] = []
        try write(value, level: 0, into: &text, interpreter)
        return Text(text)
    }

    private func write(
        _ value: Value, level: Int, into text: inout [Unicode.Scalar], _ interpreter: Interpreter
    ) throws {
        try interpreter.spend(1)
        switch value {
        case .none: text += "null".unicodeScalars
        case .bool(let bool): text += (bool ? "true" : "false").unicodeScalars
        case .integer(let integer):
            try interpreter.spend(Cost.number)
            text += "\(integer)".unicodeScalars
        case .number(let number):
            try interpreter.spend(Cost.number)
            text += number.jsonText.unicodeScalars
        case .text(let content): try write(content, into: &text, interpreter)
        case .list(let items), .tuple(let items):
            try write("[", items.values, "]", level: level, into: &text, interpreter) {
                try write($0, level: level + 1, into: &$1, interpreter)
            }
        case .dictionary(let mapping):
            try interpreter.spend(mapping.keys.count, each: Cost.element)
            var pairs = mapping.pairs
            if sortsKeys {
                try pairs.sort { try interpreter.isLess($0.key.value, $1.key.value) }
            }
            try write("{", pairs, "}", level: level, into: &text, interpreter) { pair, text in
                switch pair.key.value {
                case .text(let name): try write(name, into: &text, interpreter)
                case let other:
                    text.append("\"")
                    try write(other, level: level, into: &text, interpreter)
                    text.append("\"")
                }
                try interpreter.spend(keySeparator.count)
                text += keySeparator.scalars
                try write(pair.value, level: level + 1, into: &text, interpreter)
            }
        default:
            throw interpreter.failure(
                "Object of type \(value.typeName) is not JSON serializable")
        }
    }

    private func write<Element>(
        _ start: Unicode.Scalar, _ elements: [Element], _ end: Unicode.Scalar, level: Int,
        into text: inout [Unicode.Scalar], _ interpreter: Interpreter,
        each: (Element, inout [Unicode.Scalar]) throws -> Void
    ) throws {
        text.append(start)
        for (index, element) in elements.enumerated() {
            if index > 0 {
                try interpreter.spend(itemSeparator.count)
                text += itemSeparator.scalars
            }
            try breakLine(level + 1, into: &text, interpreter)
            try each(element, &text)
        }
        if !elements.isEmpty { try breakLine(level, into: &text, interpreter) }
        text.append(end)
    }

    private func breakLine(
        _ level: Int, into text: inout [Unicode.Scalar], _ interpreter: Interpreter
    ) throws {
        guard let indent else { return }
        try interpreter.spend(indent.count * level)
        text.append("\n")
        for _ in 0..<level { text += indent.scalars }
    }

    private func write(
        _ content: Text, into text: inout [Unicode.Scalar], _ interpreter: Interpreter
    ) throws {
        try interpreter.spend(content.count)
        text.append("\"")
        for scalar in content.scalars {
            switch scalar {
            case "\"", "\\": text += ["\\", scalar]
            case "\n": text += "\\n".unicodeScalars
            case "\r": text += "\\r".unicodeScalars
            case "\t": text += "\\t".unicodeScalars
            case "\u{8}": text += "\\b".unicodeScalars
            case "\u{C}": text += "\\f".unicodeScalars
            case _ where scalar.value < 0x20 || escapesAll && scalar.value > 0x7E:
                try interpreter.spend(Cost.escape)
                for unit in UTF16.encode(scalar).map(Array.init) ?? [] {
                    text += "\\u\(UInt32(unit).hex(4))".unicodeScalars
                }
            default: text.append(scalar)
            }
        }
        text.append("\"")
    }
}

extension Double {
    fileprivate var jsonText: String {
        isNaN ? "NaN" : isInfinite ? (self < 0 ? "-Infinity" : "Infinity") : pythonText
    }
}
