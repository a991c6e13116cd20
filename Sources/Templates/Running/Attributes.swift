internal import Elements

extension Interpreter {
    /// `value.name`: an attribute, or else an item.
    func attribute(_ name: String, of value: Value) throws -> Value {
        if case .undefined(let absence) = value { throw failure(absence.message) }
        if let found = try ownAttribute(name, of: value) { return found }
        if case .dictionary(let mapping) = value, let key = Mapping.Key(.text(name)),
            let found = mapping[key]
        {
            return found
        }
        return missing(name, of: value)
    }

    /// `value[index]`: an item, or else an attribute.
    func item(_ index: Value, of value: Value) throws -> Value {
        switch value {
        case .undefined(let absence): throw failure(absence.message)
        case .dictionary(let mapping):
            try spend(index.text?.count ?? 0)
            if let key = Mapping.Key(index), let found = mapping[key] { return found }
        case .text(let text):
            if let place = index.integer.flatMap({ Self.place($0, text.count) }) {
                return .text(Text([text.scalars[place]]))
            }
        case .list(let items), .tuple(let items):
            if let place = index.integer.flatMap({ Self.place($0, items.values.count) }) {
                return items.values[place]
            }
        case .range(let span):
            if let place = index.integer.flatMap({ Self.place($0, span.count) }) {
                return span[place]
            }
        default: break
        }
        guard let name = index.text?.string else {
            return .undefined(
                Value.Absence("\(value.typeName) object has no element \(try spelled(index))"))
        }
        return try ownAttribute(name, of: value) ?? missing(name, of: value)
    }

    private static func place(_ index: Int, _ count: Int) -> Int? {
        let place = index < 0 ? index + count : index
        return (0..<count).contains(place) ? place : nil
    }

    func spelled(_ value: Value) throws -> String {
        var text: [Unicode.Scalar] = []
        try value.spell(into: &text, self)
        return Text(text).string
    }

    private func missing(_ name: String, of value: Value) -> Value {
        let owner =
            switch value {
            case .none: "None"
            default: "'\(value.typeName) object'"
            }
        return .undefined(Value.Absence("\(owner) has no attribute '\(name)'"))
    }

    /// An attribute that the type has in Python.
    private func ownAttribute(_ name: String, of value: Value) throws -> Value? {
        switch value {
        case .namespace(let namespace): return namespace.values[name]
        case .loop(let loop): return loop.attribute(name)
        case .macro(let macro):
            switch name {
            case "name": return .text(macro.definition.name)
            case "arguments", "catch_kwargs", "catch_varargs", "caller":
                throw refusal("the attribute '\(name)' of a macro")
            default: return nil
            }
        default: return try method(name, of: value)
        }
    }

    private func method(_ name: String, of value: Value) throws -> Value? {
        let type = value.typeName
        if Methods.changing[type]?.contains(name) == true {
            throw failure(
                "access to attribute '\(name)' of '\(type)' object changes it, which no template may"
            )
        }
        guard Methods.names[type]?.contains(name) == true else {
            if Methods.refused[type]?.contains(name) == true {
                throw refusal("the method '\(name)' of a \(type)")
            }
            return nil
        }
        return .function(
            Function(name: name) { interpreter, given in
                switch value {
                case .text(let text): try interpreter.call(name, of: text, given)
                case .dictionary(let mapping): try interpreter.call(name, of: mapping, given)
                default: try interpreter.call(name, of: value.sequence ?? [], value, given)
                }
            })
    }
}
