internal import Elements
internal import Glibc

extension Interpreter {
    func negative(_ value: Value) throws -> Value {
        if case .number(let number) = value { return .number(-number) }
        guard let integer = value.integer else { throw unfit("unary -", value) }
        let (result, overflow) = 0.subtractingReportingOverflow(integer)
        return try whole(result, overflow)
    }

    func positive(_ value: Value) throws -> Value {
        if case .number = value { return value }
        guard let integer = value.integer else { throw unfit("unary +", value) }
        return .integer(integer)
    }

    private func unfit(_ sign: String, _ value: Value) -> CambiumError {
        if case .undefined(let absence) = value { return failure(absence.message) }
        return failure("bad operand type for \(sign): '\(value.typeName)'")
    }

    private func whole(_ result: Int, _ overflow: Bool) throws -> Value {
        guard !overflow else { throw refusal("a number of more than 64 bits") }
        return .integer(result)
    }

    func binary(_ sign: String, _ left: Value, _ right: Value) throws -> Value {
        if let left = left.integer, let right = right.integer {
            return try integers(sign, left, right)
        }
        if let left = left.double, let right = right.double {
            return try numbers(sign, left, right)
        }
        switch (sign, left, right) {
        case ("+", .text(let left), .text(let right)):
            guard !left.isSafe, !right.isSafe else {
                throw refusal("joining text that the filter 'safe' marked by +; use ~, which")
            }
            try spend(left.count + right.count)
            return .text(Text(left.scalars + right.scalars))
        case ("+", .list(let left), .list(let right)):
            try spend(left.values.count + right.values.count, each: Cost.element)
            return .list(try Value.Items(left.values + right.values))
        case ("+", .tuple(let left), .tuple(let right)):
            try spend(left.values.count + right.values.count, each: Cost.element)
            return .tuple(try Value.Items(left.values + right.values))
        case ("%", .text(let form), _): return .text(try format(form, right))
        case ("*", let value, _) where right.integer != nil && value.isRepeatable:
            return try repeated(value, right.integer ?? 0)
        case ("*", _, let value) where left.integer != nil && value.isRepeatable:
            return try repeated(value, left.integer ?? 0)
        case (_, .undefined(let absence), _), (_, _, .undefined(let absence)):
            throw failure(absence.message)
        case ("+", .text, _):
            throw failure("can only concatenate str (not \"\(right.typeName)\") to str")
        default:
            throw failure(
                "unsupported operand type(s) for \(sign): '\(left.typeName)' and '\(right.typeName)'"
            )
        }
    }

    private func repeated(_ value: Value, _ count: Int) throws -> Value {
        func copies<Element>(_ elements: [Element], _ cost: Int) throws -> [Element] {
            guard count > 0, !elements.isEmpty else { return [] }
            let (size, overflow) = elements.count.multipliedReportingOverflow(by: count)
            try spend(overflow ? .max : size, each: cost)
            return Array((0..<count).lazy.map { _ in elements }.joined())
        }
        switch value {
        case .text(let text): return .text(Text(try copies(text.scalars, 1)))
        case .list(let items): return .list(try Value.Items(copies(items.values, Cost.element)))
        case .tuple(let items): return .tuple(try Value.Items(copies(items.values, Cost.element)))
        default: return .none
        }
    }

    private func integers(_ sign: String, _ left: Int, _ right: Int) throws -> Value {
        switch sign {
        case "+":
            let (result, overflow) = left.addingReportingOverflow(right)
            return try whole(result, overflow)
        case "-":
            let (result, overflow) = left.subtractingReportingOverflow(right)
            return try whole(result, overflow)
        case "*":
            let (result, overflow) = left.multipliedReportingOverflow(by: right)
            return try whole(result, overflow)
        case "/":
            guard right != 0 else { throw failure("division by zero") }
            return .number(Double(left) / Double(right))
        case "//", "%":
            guard right != 0 else { throw failure("integer division or modulo by zero") }
            let (quotient, overflow) = left.dividedReportingOverflow(by: right)
            guard !overflow else { return sign == "%" ? .integer(0) : try whole(0, true) }
            let rest = left % right
            let below = rest != 0 && (rest < 0) != (right < 0)
            return .integer(sign == "//" ? quotient - (below ? 1 : 0) : rest + (below ? right : 0))
        default:
            guard right >= 0 else {
                guard left != 0 else { throw failure("zero to a negative power") }
                return .number(pow(Double(left), Double(right)))
            }
            var (result, overflow) = (1, false)
            guard left.magnitude > 1 else {
                return .integer(left == -1 ? (right % 2 == 0 ? 1 : -1) : right == 0 ? 1 : left)
            }
            guard right < 64 else { return try whole(0, true) }
            for _ in 0..<right {
                (result, overflow) = result.multipliedReportingOverflow(by: left)
                if overflow { return try whole(0, true) }
            }
            return .integer(result)
        }
    }

    private func numbers(_ sign: String, _ left: Double, _ right: Double) throws -> Value {
        switch sign {
        case "+": return .number(left + right)
        case "-": return .number(left - right)
        case "*": return .number(left * right)
        case "/":
            guard right != 0 else { throw failure("float division by zero") }
            return .number(left / right)
        case "//", "%":
            guard right != 0 else { throw failure("float floor division by zero") }
            var rest = fmod(left, right)
            var quotient = (left - rest) / right
            if rest != 0, (rest < 0) != (right < 0) {
                rest += right
                quotient -= 1
            }
            if rest == 0 { rest = right.sign == .minus ? -0.0 : 0.0 }
            if sign == "%" { return .number(rest) }
            guard quotient != 0 else { return .number((left / right).sign == .minus ? -0.0 : 0.0) }
            let floor = quotient.rounded(.down)
            return .number(quotient - floor > 0.5 ? floor + 1 : floor)
        default:
            guard left != 0 || right >= 0 else {
                throw failure("0.0 cannot be raised to a negative power")
            }
            guard left >= 0 || right == right.rounded(.down) else {
                throw refusal("a complex number")
            }
            let result = pow(left, right)
            guard result.isFinite || !left.isFinite || !right.isFinite else {
                throw failure("a power beyond all numbers")
            }
            return .number(result)
        }
    }
}

extension Value {
    fileprivate var isRepeatable: Bool {
        switch self {
        case .text, .list, .tuple: true
        default: false
        }
    }
}
