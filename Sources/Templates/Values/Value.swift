internal import Elements

/// What a template computes with: the values of Python that templates meet.
enum Value {
    case undefined(Absence)
    case none
    case bool(Bool)
    case integer(Int)
    case number(Double)
    case text(Text)
    case list(Items)
    case tuple(Items)
    case dictionary(Mapping)
    /// The keys, values or pairs of a dictionary.
    case view(View)
    case range(Span)
    /// What a filter gives one after the other, and once.
    case iterator(Supply)
    case namespace(Namespace)
    case loop(LoopState)
    case macro(Macro)
    case function(Function)

    /// Why there is no value.
    struct Absence {
        let message: String
        init(_ message: String) { self.message = message }
        init(name: String) { message = "'\(name)' is undefined" }
    }

    /// A view of a dictionary, with the name that Python gives its type.
    struct View {
        let kind: String
        let items: Items
    }

    /// Values in order, with how deep they are nested.
    struct Items {
        /// Deeper ones would exhaust the stack when they are compared, written or freed.
        static let greatestDepth = 100
        let values: [Value]
        let depth: Int

        init(_ values: [Value]) throws {
            self.values = values
            depth = try Self.depth(values)
        }

        static func depth(_ values: some Sequence<Value>) throws -> Int {
            let depth = 1 + (values.lazy.map(\.depth).max() ?? 0)
            guard depth <= greatestDepth else {
                throw CambiumError(.tooHard, "values nested deeper than \(greatestDepth)")
            }
            return depth
        }
    }

    /// How deep values are nested in it.
    var depth: Int {
        switch self {
        case .list(let items), .tuple(let items): items.depth
        case .view(let view): view.items.depth
        case .dictionary(let mapping): mapping.depth
        case .iterator(let supply): supply.depth
        default: 0
        }
    }

    static func text(_ string: String) -> Value { .text(Text(string)) }

    /// As Python's `bool()`.
    var isTrue: Bool {
        switch self {
        case .undefined, .none: false
        case .bool(let bool): bool
        case .integer(let integer): integer != 0
        case .number(let number): number != 0
        case .text(let text): !text.scalars.isEmpty
        case .list(let items), .tuple(let items): !items.values.isEmpty
        case .view(let view): !view.items.values.isEmpty
        case .dictionary(let mapping): !mapping.keys.isEmpty
        case .range(let span): span.count > 0
        case .loop(let loop): !loop.items.isEmpty
        case .iterator, .namespace, .macro, .function: true
        }
    }

    var isUndefined: Bool { if case .undefined = self { true } else { false } }

    /// The name of its type in Python, for messages.
    var typeName: String {
        switch self {
        case .undefined: "Undefined"
        case .none: "NoneType"
        case .bool: "bool"
        case .integer: "int"
        case .number: "float"
        case .text: "str"
        case .list: "list"
        case .tuple: "tuple"
        case .dictionary: "dict"
        case .view(let view): view.kind
        case .range: "range"
        case .iterator: "generator"
        case .namespace: "Namespace"
        case .loop: "LoopContext"
        case .macro: "Macro"
        case .function: "function"
        }
    }

    /// Whole numbers, `true` and `false` among them.
    var integer: Int? {
        switch self {
        case .integer(let integer): integer
        case .bool(let bool): bool ? 1 : 0
        default: nil
        }
    }

    var double: Double? {
        if case .number(let number) = self { return number }
        return integer.map(Double.init)
    }

    var text: Text? { if case .text(let text) = self { text } else { nil } }

    /// Values that can be counted and reached by a number.
    var sequence: [Value]? {
        switch self {
        case .list(let items), .tuple(let items): items.values
        case .range(let span): span.values
        default: nil
        }
    }
}

/// A dictionary, in the order in which its keys were added.
struct Mapping {
    let keys: [Key]
    let values: [Value]
    let depth: Int
    private let places: [Key: Int]

    /// Of equal keys the last value counts, at the first one's place.
    init(_ pairs: [(key: Key, value: Value)]) throws {
        var keys: [Key] = []
        var values: [Value] = []
        var places: [Key: Int] = [:]
        for (key, value) in pairs {
            if let place = places[key] {
                values[place] = value
            } else {
                places[key] = keys.count
                keys.append(key)
                values.append(value)
            }
        }
        (self.keys, self.values, self.places) = (keys, values, places)
        depth = try Value.Items.depth(values)
    }

    subscript(key: Key) -> Value? { places[key].map { values[$0] } }

    var pairs: [(key: Key, value: Value)] { zip(keys, values).map { ($0, $1) } }

    func items() throws -> [Value] {
        try pairs.map { .tuple(try Value.Items([$0.key.value, $0.value])) }
    }

    /// A key: 1, 1.0 and true are one, as in Python.
    struct Key: Hashable {
        private enum Form: Hashable {
            case undefined, none, integer(Int), number(Double), text(Text)
        }
        let value: Value
        private let form: Form

        /// Nil for what cannot be a key.
        init?(_ value: Value) {
            self.value = value
            switch value {
            case .undefined: form = .undefined
            case .none: form = .none
            case .text(let text): form = .text(text)
            case .number(let number):
                form = Int(exactly: number).map(Form.integer) ?? .number(number)
            default:
                guard let integer = value.integer else { return nil }
                form = .integer(integer)
            }
        }

        /// Characters of a text.
        var length: Int { value.text?.count ?? 0 }

        static func == (left: Key, right: Key) -> Bool { left.form == right.form }
        func hash(into hasher: inout Hasher) { hasher.combine(form) }
    }
}

/// Whole numbers at equal distances: Python's `range`.
struct Span {
    let start: Int
    /// The bound that it was made with.
    let end: Int
    let step: Int
    let count: Int

    var values: [Value] { (0..<count).map { .integer(start + step * $0) } }

    subscript(place: Int) -> Value { .integer(start + step * place) }
}

/// Values that come one after the other and are gone then.
final class Supply {
    private var rest: ArraySlice<Value>
    let depth: Int

    init(_ values: [Value]) throws {
        rest = values[...]
        depth = try Value.Items.depth(values)
    }

    func next() -> Value? { rest.popFirst() }

    func takeAll() -> [Value] {
        defer { rest = [] }
        return Array(rest)
    }
}

/// What `namespace()` makes: names that inner blocks may set.
final class Namespace {
    var values: [String: Value] = [:]
}

/// A function of the language itself, or a value's method.
struct Function {
    let name: String
    let call: (Interpreter, Given) throws -> Value
}
