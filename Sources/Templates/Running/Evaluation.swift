internal import Elements

extension Interpreter {
    func evaluate(_ expression: Expression, _ scope: Scope) throws -> Value {
        try deeper {
            try spend(1)
            return try compute(expression, scope)
        }
    }

    private func compute(_ expression: Expression, _ scope: Scope) throws -> Value {
        line = expression.line
        switch expression.kind {
        case .none: return .none
        case .bool(let bool): return .bool(bool)
        case .integer(let integer): return .integer(integer)
        case .number(let number): return .number(number)
        case .text(let text): return .text(Text(text))
        case .name(let name):
            return try find(name, scope) ?? .undefined(Value.Absence(name: name))
        case .list(let parts):
            try spend(parts.count, each: Cost.element)
            return .list(try Value.Items(parts.map { try evaluate($0, scope) }))
        case .tuple(let parts):
            try spend(parts.count, each: Cost.element)
            return .tuple(try Value.Items(parts.map { try evaluate($0, scope) }))
        case .dictionary(let pairs): return try dictionary(pairs, scope)
        case .attribute(let value, let name):
            return try attribute(name, of: try evaluate(value, scope))
        case .subscripted(let value, let index): return try subscripted(value, index, scope)
        case .slice: throw failure("a slice outside of []")
        case .call: return try evaluate(call: expression, scope, caller: nil)
        case .filter(let value, let name, let arguments):
            let value =
                if let value { try evaluate(value, scope) } else {
                    try find(Self.filteredBlock, scope) ?? Value.none
                }
            let given = try self.given(arguments, scope)
            line = expression.line
            return try filter(name, value, given)
        case .test(let value, let name, let arguments):
            let value = try evaluate(value, scope)
            let given = try self.given(arguments, scope)
            line = expression.line
            return .bool(try test(name, value, given))
        case .negative(let value): return try negative(try evaluate(value, scope))
        case .positive(let value): return try positive(try evaluate(value, scope))
        case .binary(let sign, let left, let right):
            let (left, right) = (try evaluate(left, scope), try evaluate(right, scope))
            line = expression.line
            return try binary(sign, left, right)
        case .concatenation(let parts):
            var text: [Unicode.Scalar] = []
            for part in parts {
                let part = try self.text(of: try evaluate(part, scope)).scalars
                try spend(part.count)
                text += part
            }
            return .text(Text(text))
        case .comparison(let first, let others): return try comparison(first, others, scope)
        case .and(let left, let right):
            let left = try evaluate(left, scope)
            return left.isTrue ? try evaluate(right, scope) : left
        case .or(let left, let right):
            let left = try evaluate(left, scope)
            return left.isTrue ? left : try evaluate(right, scope)
        case .not(let value): return .bool(try !evaluate(value, scope).isTrue)
        case .conditional(let test, let then, let otherwise):
            if try evaluate(test, scope).isTrue { return try evaluate(then, scope) }
            if let otherwise { return try evaluate(otherwise, scope) }
            return .undefined(
                Value.Absence(
                    "the inline if-expression on line \(expression.line) evaluated to false and no else "
                        + "section was defined."))
        }
    }

    private func dictionary(_ pairs: [(Expression, Expression)], _ scope: Scope) throws -> Value {
        .dictionary(
            try mapping(
                pairs.map { name, value in
                    (try key(try evaluate(name, scope)), try evaluate(value, scope))
                }))
    }

    func key(_ value: Value) throws -> Mapping.Key {
        try spend(value.text?.count ?? 0)
        guard let key = Mapping.Key(value) else {
            switch value {
            case .tuple, .function, .macro, .namespace, .range, .loop, .iterator:
                throw refusal("a \(value.typeName) as a key")
            default: break
            }
            throw failure("unhashable type: '\(value.typeName)'")
        }
        return key
    }

    private func comparison(
        _ first: Expression, _ others: [(String, Expression)], _ scope: Scope
    ) throws -> Value {
        var left = try evaluate(first, scope)
        for (sign, expression) in others {
            let right = try evaluate(expression, scope)
            guard try compare(sign, left, right) else { return .bool(false) }
            left = right
        }
        return .bool(true)
    }

    func evaluate(call expression: Expression, _ scope: Scope, caller: Value?) throws -> Value {
        guard case .call(let function, let arguments) = expression.kind else {
            throw failure("a call block without a call")
        }
        let callee = try evaluate(function, scope)
        var given = try self.given(arguments, scope)
        given.caller = caller
        line = expression.line
        return try call(callee, given)
    }

    func call(_ callee: Value, _ given: Given) throws -> Value {
        try spend(Cost.call)
        switch callee {
        case .macro(let macro): return try macro.call(given, self)
        case .function(let function):
            guard given.caller == nil else { throw refusal("{% call %} of \(function.name)") }
            return try function.call(self, given)
        case .undefined(let absence): throw failure(absence.message)
        default: throw failure("'\(callee.typeName)' object is not callable")
        }
    }

    func given(_ arguments: Expression.Arguments, _ scope: Scope) throws -> Given {
        var given = Given()
        given.values = try arguments.values.map { try evaluate($0, scope) }
        for (name, value) in arguments.named {
            try given.add(name, try evaluate(value, scope), self)
        }
        if let spread = arguments.spread {
            let more = try elements(of: try evaluate(spread, scope))
            try spend(more.count, each: Cost.element)
            given.values += more
        }
        if let spread = arguments.namedSpread {
            let value = try evaluate(spread, scope)
            guard case .dictionary(let mapping) = value else {
                throw failure("argument after ** must be a mapping, not \(value.typeName)")
            }
            try spend(mapping.keys.count, each: Cost.member)
            for (key, value) in mapping.pairs {
                try spend(key.length)
                guard let name = key.value.text else { throw failure("keywords must be strings") }
                try given.add(name.string, value, self)
            }
        }
        return given
    }

    // MARK: Parts of values

    private func subscripted(
        _ value: Expression, _ index: Expression, _ scope: Scope
    ) throws -> Value {
        let line = self.line
        let value = try evaluate(value, scope)
        guard case .slice(let start, let end, let step) = index.kind else {
            let index = try evaluate(index, scope)
            self.line = line
            return try item(index, of: value)
        }
        func bound(_ expression: Expression?) throws -> Int? {
            guard let expression else { return nil }
            let value = try evaluate(expression, scope)
            if case .none = value { return nil }
            guard let integer = value.integer else {
                throw failure("slice indices must be integers or None, not \(value.typeName)")
            }
            return integer
        }
        let (from, to, by) = (try bound(start), try bound(end), try bound(step))
        self.line = line
        return try slice(value, from, to, by)
    }

    func slice(_ value: Value, _ start: Int?, _ end: Int?, _ step: Int?) throws -> Value {
        guard step != 0 else { throw failure("slice step cannot be zero") }
        func places(_ count: Int) throws -> Span {
            let step = step ?? 1
            func bounded(_ place: Int, _ low: Int, _ high: Int) -> Int {
                min(max(place < 0 ? place + count : place, low), high)
            }
            let (low, high) = step > 0 ? (0, count) : (-1, count - 1)
            let first = start.map { bounded($0, low, high) } ?? (step > 0 ? 0 : count - 1)
            let last = end.map { bounded($0, low, high) } ?? (step > 0 ? count : -1)
            let distance = step > 0 ? last - first : first - last
            guard distance > 0 else { return Span(start: first, end: last, step: step, count: 0) }
            let size = step.magnitude > UInt(Int32.max) ? Int(Int32.max) : abs(step)
            let number = (distance + size - 1) / size
            try spend(number)
            return Span(start: first, end: last, step: step, count: number)
        }
        func taken<Element>(_ elements: [Element]) throws -> [Element] {
            let places = try places(elements.count)
            return (0..<places.count).map { elements[places.start + $0 * places.step] }
        }
        func several(_ elements: [Value]) throws -> [Value] {
            try spend(elements.count, each: Cost.element)
            return elements
        }
        switch value {
        case .text(let text): return .text(Text(try taken(text.scalars)))
        case .list(let items): return .list(try Value.Items(several(taken(items.values))))
        case .tuple(let items): return .tuple(try Value.Items(several(taken(items.values))))
        case .range(let span):
            let places = try places(span.count)
            return .range(
                Span(
                    start: span.start + span.step * places.start,
                    end: span.start + span.step * places.end, step: span.step * places.step,
                    count: places.count))
        case .undefined(let absence): throw failure(absence.message)
        default: throw failure("'\(value.typeName)' object has no slices")
        }
    }
}
