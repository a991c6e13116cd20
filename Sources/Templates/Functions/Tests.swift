internal import Elements

/// What stands behind `is`.
enum Tests {
    static let all: Set<String> = [
        "boolean", "callable", "defined", "divisibleby", "eq", "equalto", "==", "escaped", "even",
        "odd", "false", "true", "filter", "float", "ge", "gt", "greaterthan", "in", "integer",
        "iterable", "le", "lower", "lessthan", "lt", "mapping", "ne", "none", "number", "sameas",
        "sequence", "string", "test", "undefined", "upper", ">", ">=", "<", "<=", "!=",
    ]
}

extension Interpreter {
    func test(_ name: String, _ value: Value, _ given: Given) throws -> Bool {
        try spend(value.text?.count ?? 0)
        func other() throws -> Value {
            guard given.values.count == 1, given.named.isEmpty else {
                throw failure("the test '\(name)' takes one value")
            }
            return given.values[0]
        }
        func alone() throws {
            guard given.values.isEmpty, given.named.isEmpty else {
                throw failure("the test '\(name)' takes no value")
            }
        }
        switch name {
        case "eq", "equalto", "==": return try compare("==", value, other())
        case "ne", "!=": return try compare("!=", value, other())
        case "lt", "lessthan", "<": return try compare("<", value, other())
        case "le", "<=": return try compare("<=", value, other())
        case "gt", "greaterthan", ">": return try compare(">", value, other())
        case "ge", ">=": return try compare(">=", value, other())
        case "in": return try contains(value, in: other())
        case "sameas": return try isSame(value, other())
        case "divisibleby":
            return try equals(try binary("%", value, try other()), .integer(0))
        case "filter", "test":
            try alone()
            guard let text = value.text?.string else { return false }
            return name == "filter" ? Filters.all.contains(text) : Tests.all.contains(text)
        default:
            try alone()
            return try plainTest(name, value)
        }
    }

    private func plainTest(_ name: String, _ value: Value) throws -> Bool {
        switch name {
        case "defined": return !value.isUndefined
        case "undefined": return value.isUndefined
        case "none": if case .none = value { return true }
        case "boolean": if case .bool = value { return true }
        case "true": if case .bool(true) = value { return true }
        case "false": if case .bool(false) = value { return true }
        case "integer": if case .integer = value { return true }
        case "float": if case .number = value { return true }
        case "number": return value.double != nil
        case "string": return value.text != nil
        case "mapping": if case .dictionary = value { return true }
        case "escaped": return value.text?.isSafe ?? false
        case "even", "odd":
            let rest = try binary("%", value, .integer(2))
            return try equals(rest, .integer(name == "odd" ? 1 : 0))
        case "lower": return try text(of: value).isLower
        case "upper": return try text(of: value).isUpper
        case "iterable":
            switch value {
            case .none, .bool, .integer, .number, .namespace, .macro, .function: return false
            default: return true
            }
        case "sequence":
            switch value {
            case .text, .list, .tuple, .dictionary, .range, .undefined: return true
            default: return false
            }
        case "callable":
            switch value {
            case .macro, .function: return true
            case .undefined: return true
            default: return false
            }
        default: throw refusal("the test '\(name)'")
        }
        return false
    }

    private func isSame(_ left: Value, _ right: Value) throws -> Bool {
        switch (left, right) {
        case (.none, .none): return true
        case (.bool(let left), .bool(let right)): return left == right
        case (.namespace(let left), .namespace(let right)): return left === right
        case (.none, _), (_, .none), (.bool, _), (_, .bool): return false
        default: throw refusal("sameas of a \(left.typeName) and a \(right.typeName)")
        }
    }
}
