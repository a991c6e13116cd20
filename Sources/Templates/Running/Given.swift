/// What a call passes.
struct Given {
    var values: [Value] = []
    var named: [String: Value] = [:]
    /// The names, as they came.
    var order: [String] = []
    /// The block of a `{% call %}`.
    var caller: Value?

    mutating func add(_ name: String, _ value: Value, _ interpreter: Interpreter) throws {
        guard named.updateValue(value, forKey: name) == nil else {
            throw interpreter.failure("got multiple values for keyword argument '\(name)'")
        }
        order.append(name)
    }
}

/// Takes a call's values by the names of a function's parameters.
struct Parameters {
    private var found: [String: Value] = [:]
    private let interpreter: Interpreter
    private let function: String

    /// - Throws: For more values than parameters, and for a name that is none.
    init(_ given: Given, _ function: String, _ names: [String], _ interpreter: Interpreter) throws {
        self.interpreter = interpreter
        self.function = function
        guard given.values.count <= names.count else {
            throw interpreter.failure(
                "\(function) takes at most \(names.count) argument(s), \(given.values.count) were given"
            )
        }
        for (name, value) in zip(names, given.values) { found[name] = value }
        for name in given.order {
            guard names.contains(name) else {
                throw interpreter.failure("\(function) has no argument '\(name)'")
            }
            guard found.updateValue(given.named[name] ?? .none, forKey: name) == nil else {
                throw interpreter.failure("\(function) got multiple values for argument '\(name)'")
            }
        }
    }

    subscript(name: String) -> Value? { found[name] }

    func required(_ name: String) throws -> Value {
        guard let value = found[name] else {
            throw interpreter.failure("\(function) needs its argument '\(name)'")
        }
        return value
    }

    func isTrue(_ name: String, _ standard: Bool = false) -> Bool {
        found[name]?.isTrue ?? standard
    }

    func integer(_ name: String, _ standard: Int) throws -> Int {
        guard let value = found[name] else { return standard }
        guard let integer = value.integer else {
            throw interpreter.failure(
                "\(function) needs a whole number for '\(name)', not a \(value.typeName)")
        }
        return integer
    }

    /// Nil where it is missing or none.
    func optionalInteger(_ name: String) throws -> Int? {
        if case .none? = found[name] { return nil }
        return found[name] == nil ? nil : try integer(name, 0)
    }

    /// Nil where it is missing or none.
    func text(_ name: String) throws -> Text? {
        switch found[name] {
        case nil, .some(.none): return nil
        case .text(let text): return text
        case .some(let other):
            throw interpreter.failure(
                "\(function) needs a string for '\(name)', not a \(other.typeName)")
        }
    }
}
