/// A JSON text with the place of each value in it, and values as they are spelled: numbers are compared by their
/// characters, and only white space and the order of members do not count.
package struct SpelledJSON {
    package indirect enum Value: Hashable {
        /// A number, true, false or null.
        case word(String)
        case string(String)
        case array([Value])
        case object([String: Value])
    }

    struct Member {
        let key: String
        /// Where what precedes the key begins: behind the brace, or behind the value before.
        let start: Int
        let content: SpelledJSON
    }

    package let value: Value
    let range: Range<Int>
    /// Those of an object, in order.
    let members: [Member]

    /// Deeper nesting is refused, as ``JSONValue`` does.
    private static let greatestDepth = 128

    /// Parses a whole text.
    ///
    /// - Throws: `.duplicateName` for equal keys in one object, else `code`.
    package init(parsing bytes: [UInt8], source: String, code: CambiumError.Code) throws {
        var reader = JSONReader(bytes, source: source, code: code)
        try self.init(&reader, depth: 0)
        try reader.end()
    }

    private init(_ reader: inout JSONReader, depth: Int) throws {
        guard depth < Self.greatestDepth else {
            throw reader.fault("nested deeper than \(Self.greatestDepth)")
        }
        let first = reader.next()
        let start = reader.position
        var found: [Member] = []
        switch first {
        case UInt8(ascii: "{"):
            var before = start + 1
            var values: [String: Value] = [:]
            try reader.object { reader, key in
                let content = try SpelledJSON(&reader, depth: depth + 1)
                guard values.updateValue(content.value, forKey: key) == nil else {
                    throw reader.duplicate(key)
                }
                found.append(Member(key: key, start: before, content: content))
                before = reader.position
            }
            value = .object(values)
        case UInt8(ascii: "["):
            var values: [Value] = []
            try reader.array { values.append(try SpelledJSON(&$0, depth: depth + 1).value) }
            value = .array(values)
        case UInt8(ascii: "\""): value = .string(try reader.string())
        default:
            let words = ["true", "false", "null", "NaN", "Infinity", "-Infinity"]
            if let word = words.first(where: { reader.takeWord($0) }) {
                value = .word(word)
            } else {
                value = .word(try reader.numberText())
            }
        }
        range = start..<reader.position
        members = found
    }

    var isObject: Bool { if case .object = value { true } else { false } }

    subscript(key: String) -> SpelledJSON? { members.first { $0.key == key }?.content }
}
