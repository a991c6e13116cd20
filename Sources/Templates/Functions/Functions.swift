internal import Elements

/// The functions that every template sees.
enum Functions {
    static var global: [String: Value] {
        var values: [String: Value] = [:]
        func add(_ name: String, _ call: @escaping (Interpreter, Given) throws -> Value) {
            values[name] = .function(Function(name: name, call: call))
        }
        add("range", range)
        add("dict", dictionary)
        add("namespace") { interpreter, given in
            let namespace = try interpreter.makeNamespace()
            guard case .dictionary(let mapping) = try dictionary(interpreter, given) else {
                return .none
            }
            for (key, value) in mapping.pairs {
                guard let name = key.value.text?.string, !name.hasPrefix("_") else {
                    throw interpreter.failure(
                        "a namespace's names are strings that do not begin with '_'")
                }
                namespace.values[name] = value
            }
            return .namespace(namespace)
        }
        add("raise_exception") { interpreter, given in
            let parameters = try Parameters(given, "raise_exception", ["message"], interpreter)
            let message = try interpreter.text(of: try parameters.required("message")).string
            throw CambiumError(
                .badInput,
                "line \(interpreter.line): the template refuses the conversation: \(message)")
        }
        add("strftime_now") { interpreter, given in
            let parameters = try Parameters(given, "strftime_now", ["format"], interpreter)
            guard let form = try parameters.text("format") else {
                throw interpreter.failure("strftime_now needs a format")
            }
            return .text(try interpreter.clock.text(form, interpreter))
        }
        for name in ["lipsum", "cycler", "joiner"] {
            add(name) { interpreter, _ in throw interpreter.refusal("the function \(name)") }
        }
        return values
    }

    /// The greatest that Jinja's sandbox makes.
    private static let greatestRange = 100_000

    private static func range(_ interpreter: Interpreter, _ given: Given) throws -> Value {
        guard given.named.isEmpty, (1...3).contains(given.values.count) else {
            throw interpreter.failure("range takes 1 to 3 numbers")
        }
        let numbers = try given.values.map { value in
            guard let integer = value.integer else {
                throw interpreter.failure(
                    "'\(value.typeName)' object cannot be interpreted as an integer")
            }
            return integer
        }
        let (start, end) = numbers.count == 1 ? (0, numbers[0]) : (numbers[0], numbers[1])
        let step = numbers.count == 3 ? numbers[2] : 1
        guard step != 0 else { throw interpreter.failure("range() arg 3 must not be zero") }
        let (distance, overflow) =
            step > 0
            ? end.subtractingReportingOverflow(start) : start.subtractingReportingOverflow(end)
        let isEmpty = step > 0 ? end <= start : end >= start
        guard !isEmpty else { return .range(Span(start: start, end: end, step: step, count: 0)) }
        let size = step.magnitude
        let count = overflow ? UInt.max : (UInt(distance) - 1) / size + 1
        guard count <= UInt(greatestRange) else {
            throw CambiumError(
                .tooHard,
                "line \(interpreter.line): a range of more than \(greatestRange) numbers")
        }
        return .range(Span(start: start, end: end, step: step, count: Int(count)))
    }

    /// `dict(…)`, which `namespace(…)` takes its names by as well.
    private static func dictionary(_ interpreter: Interpreter, _ given: Given) throws -> Value {
        var pairs: [(key: Mapping.Key, value: Value)] = []
        guard given.values.count < 2 else { throw interpreter.failure("dict takes one value") }
        if case .dictionary(let mapping)? = given.values.first {
            pairs = mapping.pairs
        } else if let value = given.values.first {
            for element in try interpreter.elements(of: value) {
                let parts = try interpreter.elements(of: element)
                guard parts.count == 2 else {
                    throw interpreter.failure("dict takes pairs, not \(parts.count) values")
                }
                pairs.append((try interpreter.key(parts[0]), parts[1]))
            }
        }
        for name in given.order {
            guard let key = Mapping.Key(.text(name)) else { continue }
            pairs.append((key, given.named[name] ?? .none))
        }
        return .dictionary(try interpreter.mapping(pairs))
    }
}
