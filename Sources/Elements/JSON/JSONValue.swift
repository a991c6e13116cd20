/// A JSON value held in memory: for config.json and the shard index, not for large headers.
package enum JSONValue: Sendable, Equatable {
    case null
    case bool(Bool)
    case integer(Int)
    case number(Double)
    case string(String)
    case array([JSONValue])
    case object([String: JSONValue])

    /// Deeper nesting is refused, so that a file of brackets cannot exhaust the stack.
    ///
    /// The limit is that of serde_json.
    private static let greatestDepth = 128

    /// Parses a whole text.
    ///
    /// Python writes non-finite numbers as `NaN`, `Infinity` and `-Infinity`, and real config files
    /// hold them, so they are read although RFC 8259 lacks them.
    ///
    /// - Throws: `.duplicateName` for equal keys in one object, else `code`.
    package init(
        parsing bytes: [UInt8], source: String, code: CambiumError.Code
    ) throws {
        var reader = JSONReader(bytes, source: source, code: code)
        try self.init(&reader)
        try reader.end()
    }

    /// Reads one value.
    package init(_ reader: inout JSONReader) throws {
        self = try Self.value(&reader, depth: 0)
    }

    private static func value(
        _ reader: inout JSONReader, depth: Int
    ) throws -> JSONValue {
        guard depth < greatestDepth else {
            throw reader.fault("nested deeper than \(greatestDepth)")
        }
        switch reader.next() {
        case UInt8(ascii: "{"):
            var members: [String: JSONValue] = [:]
            try reader.object { reader, key in
                let value = try value(&reader, depth: depth + 1)
                guard members.updateValue(value, forKey: key) == nil else {
                    throw reader.duplicate(key)
                }
            }
            return .object(members)
        case UInt8(ascii: "["):
            var elements: [JSONValue] = []
            try reader.array { reader in
                elements.append(try value(&reader, depth: depth + 1))
            }
            return .array(elements)
        case UInt8(ascii: "\""): return .string(try reader.string())
        default: return try scalar(&reader)
        }
    }

    private static func scalar(_ reader: inout JSONReader) throws -> JSONValue {
        if reader.takeWord("true") { return .bool(true) }
        if reader.takeWord("false") { return .bool(false) }
        if reader.takeWord("null") { return .null }
        if reader.takeWord("NaN") { return .number(.nan) }
        if reader.takeWord("Infinity") { return .number(.infinity) }
        if reader.takeWord("-Infinity") { return .number(-.infinity) }
        let text = try reader.numberText()
        if let integer = Int(text) { return .integer(integer) }
        guard let number = Double(text) else { throw reader.fault("\(quoted(text)) is no number") }
        return .number(number)
    }

    /// The member of an object, or nil.
    package subscript(key: String) -> JSONValue? {
        if case .object(let members) = self { members[key] } else { nil }
    }

    package var string: String? { if case .string(let string) = self { string } else { nil } }
    package var integer: Int? { if case .integer(let integer) = self { integer } else { nil } }
    package var array: [JSONValue]? {
        if case .array(let elements) = self { elements } else { nil }
    }
    package var bool: Bool? { if case .bool(let bool) = self { bool } else { nil } }
    package var object: [String: JSONValue]? {
        if case .object(let members) = self { members } else { nil }
    }
    /// A number, whole or not.
    package var number: Double? {
        switch self {
        case .integer(let integer): Double(integer)
        case .number(let number): number
        default: nil
        }
    }
    /// A whole number, however it is written: `16`, `16.0`, `1.6e1`.
    package var whole: Int? { integer ?? number.flatMap { Int(exactly: $0) } }
}

extension JSONValue: ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral,
    ExpressibleByBooleanLiteral, ExpressibleByStringLiteral,
    ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    package init(integerLiteral value: Int) { self = .integer(value) }
    package init(floatLiteral value: Double) { self = .number(value) }
    package init(booleanLiteral value: Bool) { self = .bool(value) }
    package init(stringLiteral value: String) { self = .string(value) }
    package init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
    package init(dictionaryLiteral elements: (String, JSONValue)...) {
        self = .object(Dictionary(elements, uniquingKeysWith: { $1 }))
    }
}
