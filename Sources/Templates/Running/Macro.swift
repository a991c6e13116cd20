/// A macro with the names that it sees.
final class Macro {
    let definition: MacroDefinition
    private let scope: Interpreter.Scope

    init(_ definition: MacroDefinition, _ scope: Interpreter.Scope) {
        self.definition = definition
        self.scope = scope
    }

    func call(_ given: Given, _ interpreter: Interpreter) throws -> Value {
        let name = definition.name
        var named = given.named
        let inner = Interpreter.Scope(scope)
        try interpreter.spend(definition.parameters.count + given.order.count, each: Cost.call)
        for (index, parameter) in definition.parameters.enumerated() {
            if index < given.values.count {
                guard named[parameter.name] == nil else {
                    throw interpreter.failure(
                        "macro '\(name)' got two values for argument '\(parameter.name)'")
                }
                inner.values[parameter.name] = given.values[index]
            } else if let value = named.removeValue(forKey: parameter.name) {
                inner.values[parameter.name] = value
            } else if parameter.standard == nil {
                inner.values[parameter.name] = .undefined(
                    Value.Absence("parameter '\(parameter.name)' was not provided"))
            } else {
                inner.values[parameter.name] = nil
            }
        }
        let rest = given.values.dropFirst(definition.parameters.count)
        let caller = named.removeValue(forKey: "caller") ?? given.caller
        if definition.takesCaller {
            inner.values["caller"] = caller ?? .undefined(Value.Absence("No caller defined"))
        } else if caller != nil {
            throw interpreter.failure("macro '\(name)' takes no block from its caller")
        }
        if definition.takesMore {
            inner.values["varargs"] = .tuple(try Value.Items(Array(rest)))
        } else if !rest.isEmpty {
            throw interpreter.failure(
                "macro '\(name)' takes not more than \(definition.parameters.count) argument(s)")
        }
        if definition.takesNamed {
            let order = given.order.filter { named[$0] != nil }
            inner.values["kwargs"] = .dictionary(
                try interpreter.mapping(
                    order.compactMap { name in
                        Mapping.Key(.text(name)).map { ($0, named[name] ?? .none) }
                    }))
        } else if let first = given.order.first(where: { named[$0] != nil }) {
            throw interpreter.failure("macro '\(name)' takes no keyword argument '\(first)'")
        }
        // Standard values may use the parameters in front of them.
        for (index, parameter) in definition.parameters.enumerated() {
            guard index >= given.values.count, inner.values[parameter.name] == nil,
                let standard = parameter.standard
            else { continue }
            inner.values[parameter.name] = try interpreter.evaluate(standard, inner)
        }
        let line = interpreter.line
        defer { interpreter.line = line }
        return .text(
            try interpreter.captured {
                _ = try interpreter.execute(definition.body, inner)
            })
    }
}
