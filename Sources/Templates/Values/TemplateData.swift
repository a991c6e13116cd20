package import Elements

/// What a template is given: the values of JSON, members in their order.
package indirect enum TemplateData: Sendable, Equatable {
    case null
    case bool(Bool)
    case integer(Int)
    case number(Double)
    case string(String)
    case array([TemplateData])
    case object([Member])

    /// A member of an object.
    package struct Member: Sendable, Equatable {
        package let name: String
        package let value: TemplateData

        package init(_ name: String, _ value: TemplateData) {
            self.name = name
            self.value = value
        }
    }

    /// Deeper nesting is refused.
    private static let greatestDepth = 64

    /// Parses a whole text.
    ///
    /// - Throws: `code` for what is no JSON; `.duplicateName` for equal names in one object.
    package init(parsing bytes: [UInt8], source: String, code: CambiumError.Code) throws {
        var reader = JSONReader(bytes, source: source, code: code)
        self = try Self.read(&reader, depth: 0)
        try reader.end()
    }

    private static func read(_ reader: inout JSONReader, depth: Int) throws -> TemplateData {
        guard depth < greatestDepth else {
            throw reader.fault("nested deeper than \(greatestDepth)")
        }
        switch reader.next() {
        case UInt8(ascii: "{"):
            var members: [Member] = []
            var names: Set<[UInt8]> = []
            try reader.object { reader, name in
                guard names.insert(Array(name.utf8)).inserted else { throw reader.duplicate(name) }
                members.append(Member(name, try read(&reader, depth: depth + 1)))
            }
            return .object(members)
        case UInt8(ascii: "["):
            var elements: [TemplateData] = []
            try reader.array { elements.append(try read(&$0, depth: depth + 1)) }
            return .array(elements)
        default:
            switch try JSONValue(&reader) {
            case .bool(let bool): return .bool(bool)
            case .integer(let integer): return .integer(integer)
            case .number(let number): return .number(number)
            case .string(let string): return .string(string)
            default: return .null
            }
        }
    }

    /// The member of an object, or nil.
    package subscript(name: String) -> TemplateData? {
        guard case .object(let members) = self else { return nil }
        return members.first { $0.name == name }?.value
    }

    package var string: String? { if case .string(let string) = self { string } else { nil } }
    package var array: [TemplateData]? {
        if case .array(let elements) = self { elements } else { nil }
    }
    package var object: [Member]? {
        if case .object(let members) = self { members } else { nil }
    }
}

extension Value {
    init(_ data: TemplateData) throws {
        switch data {
        case .null: self = .none
        case .bool(let bool): self = .bool(bool)
        case .integer(let integer): self = .integer(integer)
        case .number(let number): self = .number(number)
        case .string(let string): self = .text(string)
        case .array(let elements): self = .list(try Items(elements.map { try Value($0) }))
        case .object(let members):
            self = .dictionary(
                try Mapping(
                    members.compactMap { member in
                        guard let key = Mapping.Key(.text(member.name)) else { return nil }
                        return (key, try Value(member.value))
                    }))
        }
    }
}
