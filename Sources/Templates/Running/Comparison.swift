extension Interpreter {
    func compare(_ sign: String, _ left: Value, _ right: Value) throws -> Bool {
        switch sign {
        case "==": try equals(left, right)
        case "!=": try !equals(left, right)
        case "<": try isLess(left, right, sign)
        case ">": try isLess(right, left, sign, isTurned: true)
        case "<=": try isLessOrEqual(left, right, sign)
        case ">=": try isLessOrEqual(right, left, sign, isTurned: true)
        case "in": try contains(left, in: right)
        default: try !contains(left, in: right)
        }
    }

    func equals(_ left: Value, _ right: Value) throws -> Bool {
        try spend(1)
        if let left = left.integer, let right = right.integer { return left == right }
        if let left = left.double, let right = right.double { return Self.areEqual(left, right) }
        switch (left, right) {
        case (.undefined, .undefined), (.none, .none): return true
        case (.text(let left), .text(let right)):
            try spend(min(left.count, right.count))
            return left == right
        case (.list(let left), .list(let right)), (.tuple(let left), .tuple(let right)):
            guard left.values.count == right.values.count else { return false }
            for (one, other) in zip(left.values, right.values) where try !equals(one, other) {
                return false
            }
            return true
        case (.dictionary(let left), .dictionary(let right)):
            guard left.keys.count == right.keys.count else { return false }
            try spend(left.keys.count, each: Cost.part)
            for (key, value) in left.pairs {
                try spend(key.length)
                guard let other = right[key], try equals(value, other) else { return false }
            }
            return true
        case (.range(let left), .range(let right)):
            return left.count == right.count && (left.count == 0 || left.start == right.start)
                && (left.count < 2 || left.step == right.step)
        case (.namespace(let left), .namespace(let right)): return left === right
        case (.macro(let left), .macro(let right)): return left === right
        case (.loop(let left), .loop(let right)): return left === right
        case (.iterator(let left), .iterator(let right)): return left === right
        case (.view, .view), (.function, .function):
            throw refusal("comparing a \(left.typeName) with a \(right.typeName)")
        default: return false
        }
    }

    private static func areEqual(_ left: Double, _ right: Double) -> Bool { left == right }

    func isLess(_ left: Value, _ right: Value) throws -> Bool { try isLess(left, right, "<") }

    private func isLess(
        _ left: Value, _ right: Value, _ sign: String, isTurned: Bool = false
    ) throws -> Bool {
        try spend(1)
        if let left = left.integer, let right = right.integer { return left < right }
        if let left = left.double, let right = right.double { return left < right }
        switch (left, right) {
        case (.text(let left), .text(let right)):
            try spend(min(left.count, right.count))
            return left.precedes(right)
        case (.list(let left), .list(let right)), (.tuple(let left), .tuple(let right)):
            for (one, other) in zip(left.values, right.values) where try !equals(one, other) {
                return try isLess(one, other, sign, isTurned: isTurned)
            }
            return left.values.count < right.values.count
        case (.undefined(let absence), _), (_, .undefined(let absence)):
            throw failure(absence.message)
        default:
            let (first, second) = isTurned ? (right, left) : (left, right)
            throw failure(
                "'\(sign)' not supported between instances of '\(first.typeName)' and "
                    + "'\(second.typeName)'")
        }
    }

    private func isLessOrEqual(
        _ left: Value, _ right: Value, _ sign: String, isTurned: Bool = false
    ) throws -> Bool {
        if let left = left.double, let right = right.double, left.isNaN || right.isNaN {
            return false
        }
        return try !isLess(right, left, sign, isTurned: !isTurned)
    }

    func contains(_ item: Value, in container: Value) throws -> Bool {
        switch container {
        case .text(let text):
            guard let part = item.text else {
                throw failure("'in <string>' requires string as left operand, not \(item.typeName)")
            }
            try spendSearch(text, part)
            return text.firstPlace(of: part) != nil
        case .dictionary(let mapping): return mapping[try key(item)] != nil
        case .iterator(let supply):
            while let next = supply.next() {
                if try equals(next, item) { return true }
            }
            return false
        case .none, .bool, .integer, .number, .namespace, .macro, .function, .loop:
            throw failure("argument of type '\(container.typeName)' is not iterable")
        default:
            for element in try elements(of: container) where try equals(element, item) {
                return true
            }
            return false
        }
    }
}
