internal import Elements

extension Parser {
    /// Expressions that stand within each other while they are read.
    private static let greatestNesting = 60

    mutating func expression(withConditional: Bool = true) throws -> Expression {
        nesting += 1
        defer { nesting -= 1 }
        guard nesting <= Self.greatestNesting else { throw tooDeep }
        return withConditional ? try conditional() : try disjunction()
    }

    private var tooDeep: CambiumError {
        CambiumError(
            .tooHard, "line \(token.line): expressions nested deeper than \(Self.greatestNesting)")
    }

    private func make(_ kind: Expression.Kind, _ line: Int) throws -> Expression {
        try Expression(kind, line: line)
    }

    private mutating func conditional() throws -> Expression {
        let line = token.line
        var value = try disjunction()
        while takes(name: "if") {
            let test = try disjunction()
            let otherwise = takes(name: "else") ? try expression() : nil
            value = try make(.conditional(test, then: value, otherwise: otherwise), line)
        }
        return value
    }

    private mutating func disjunction() throws -> Expression {
        let line = token.line
        var left = try conjunction()
        while takes(name: "or") { left = try make(.or(left, try conjunction()), line) }
        return left
    }

    private mutating func conjunction() throws -> Expression {
        let line = token.line
        var left = try negation()
        while takes(name: "and") { left = try make(.and(left, try negation()), line) }
        return left
    }

    private mutating func negation() throws -> Expression {
        let line = token.line
        var count = 0
        while takes(name: "not") { count += 1 }
        guard count <= Self.greatestNesting else { throw tooDeep }
        var value = try comparison()
        for _ in 0..<count { value = try make(.not(value), line) }
        return value
    }

    private mutating func comparison() throws -> Expression {
        let line = token.line
        let first = try sum()
        var others: [(String, Expression)] = []
        while true {
            if case .sign(let sign) = token.kind, ["==", "!=", "<", "<=", ">", ">="].contains(sign)
            {
                place += 1
                others.append((sign, try sum()))
            } else if takes(name: "in") {
                others.append(("in", try sum()))
            } else if token.kind == .name("not"), next.kind == .name("in") {
                place += 2
                others.append(("not in", try sum()))
            } else {
                break
            }
        }
        return others.isEmpty ? first : try make(.comparison(first, others), line)
    }

    private mutating func sum() throws -> Expression {
        let line = token.line
        var left = try concatenation()
        while case .sign(let sign) = token.kind, sign == "+" || sign == "-" {
            place += 1
            left = try make(.binary(sign, left, try concatenation()), line)
        }
        return left
    }

    private mutating func concatenation() throws -> Expression {
        let line = token.line
        var parts = [try product()]
        while takes("~") { parts.append(try product()) }
        return parts.count == 1 ? parts[0] : try make(.concatenation(parts), line)
    }

    private mutating func product() throws -> Expression {
        let line = token.line
        var left = try power()
        while case .sign(let sign) = token.kind, ["*", "/", "//", "%"].contains(sign) {
            place += 1
            left = try make(.binary(sign, left, try power()), line)
        }
        return left
    }

    private mutating func power() throws -> Expression {
        let line = token.line
        var left = try unary()
        while takes("**") { left = try make(.binary("**", left, try unary()), line) }
        return left
    }

    private mutating func unary(withFilters: Bool = true) throws -> Expression {
        nesting += 1
        defer { nesting -= 1 }
        guard nesting <= Self.greatestNesting else { throw tooDeep }
        let line = token.line
        var value: Expression
        if takes("-") {
            value = try make(.negative(try unary(withFilters: false)), line)
        } else if takes("+") {
            value = try make(.positive(try unary(withFilters: false)), line)
        } else {
            value = try primary()
        }
        value = try postfix(value)
        return withFilters ? try filtersAndTests(value) : value
    }

    private mutating func primary() throws -> Expression {
        let line = token.line
        let first = take()
        switch first.kind {
        case .name(let name):
            switch name {
            case "true", "True": return try make(.bool(true), line)
            case "false", "False": return try make(.bool(false), line)
            case "none", "None": return try make(.none, line)
            case "and", "or", "not", "in", "is", "if", "else":
                throw CambiumError.badTemplate("'\(name)' where a value is expected", line: line)
            default: return try make(.name(name), line)
            }
        case .text(var text):
            while case .text(let more) = token.kind {
                text += more
                place += 1
            }
            return try make(.text(text), line)
        case .integer(let integer): return try make(.integer(integer), line)
        case .number(let number): return try make(.number(number), line)
        case .sign("("):
            let value = try tuple(inParentheses: true)
            try expect(.sign(")"))
            return value
        case .sign("["):
            var values: [Expression] = []
            while token.kind != .sign("]") {
                if !values.isEmpty { try expect(.sign(",")) }
                if token.kind == .sign("]") { break }
                values.append(try expression())
            }
            try expect(.sign("]"))
            return try make(.list(values), line)
        case .sign("{"):
            var pairs: [(Expression, Expression)] = []
            while token.kind != .sign("}") {
                if !pairs.isEmpty { try expect(.sign(",")) }
                if token.kind == .sign("}") { break }
                let key = try expression()
                try expect(.sign(":"))
                pairs.append((key, try expression()))
            }
            try expect(.sign("}"))
            return try make(.dictionary(pairs), line)
        default:
            throw CambiumError.badTemplate(
                "\(first.spelling) where a value is expected", line: line)
        }
    }

    /// A value, or several with commas between.
    mutating func tuple(
        withConditional: Bool = true, until end: String? = nil, inParentheses: Bool = false
    ) throws -> Expression {
        let line = token.line
        var values: [Expression] = []
        var isTuple = false
        while true {
            if !values.isEmpty { try expect(.sign(",")) }
            if endsTuple(end) { break }
            values.append(try expression(withConditional: withConditional))
            guard token.kind == .sign(",") else { break }
            isTuple = true
        }
        if !isTuple {
            if let value = values.first { return value }
            guard inParentheses else { throw fault("\(token.spelling) where a value is expected") }
        }
        return try make(.tuple(values), line)
    }

    private func endsTuple(_ end: String?) -> Bool {
        switch token.kind {
        case .variableEnd, .blockEnd, .sign(")"): true
        case .name(let name): name == end
        default: false
        }
    }

    // MARK: Behind a value

    private mutating func postfix(_ start: Expression) throws -> Expression {
        var value = start
        while true {
            let line = token.line
            if takes(".") {
                switch take().kind {
                case .name(let name): value = try make(.attribute(value, name), line)
                case .integer(let index):
                    value = try make(.subscripted(value, try make(.integer(index), line)), line)
                default: throw CambiumError.badTemplate("'.' without a name behind it", line: line)
                }
            } else if takes("[") {
                value = try make(.subscripted(value, try subscripted()), line)
            } else if token.kind == .sign("(") {
                value = try make(.call(value, try arguments()), line)
            } else {
                return value
            }
        }
    }

    private mutating func subscripted() throws -> Expression {
        let line = token.line
        var parts: [Expression] = []
        while token.kind != .sign("]") {
            if !parts.isEmpty { try expect(.sign(",")) }
            parts.append(try slice())
        }
        try expect(.sign("]"))
        guard let first = parts.first else { throw fault("[] without a value in it") }
        guard parts.count > 1 else { return first }
        for part in parts {
            if case .slice = part.kind {
                throw CambiumError(.unsupported, "line \(line): several slices at once")
            }
        }
        return try make(.tuple(parts), line)
    }

    private mutating func slice() throws -> Expression {
        let line = token.line
        var parts: [Expression?] = []
        if takes(":") {
            parts = [nil]
        } else {
            let value = try expression()
            guard takes(":") else { return value }
            parts = [value]
        }
        for _ in 0..<2 {
            switch token.kind {
            case .sign(":"): parts.append(nil)
            case .sign("]"), .sign(","): parts.append(nil)
            default: parts.append(try expression())
            }
            if parts.count == 3 { break }
            if !takes(":") {
                parts.append(nil)
                break
            }
        }
        return try make(.slice(parts[0], parts[1], parts[2]), line)
    }

    mutating func arguments() throws -> Expression.Arguments {
        var found = Expression.Arguments()
        var needsComma = false
        try expect(.sign("("))
        while token.kind != .sign(")") {
            if needsComma {
                try expect(.sign(","))
                if token.kind == .sign(")") { break }
            }
            needsComma = true
            if takes("**") {
                guard found.namedSpread == nil else { throw fault("'**' twice in a call") }
                found.namedSpread = try expression()
            } else if takes("*") {
                guard found.spread == nil, found.namedSpread == nil else {
                    throw fault("'*' behind another in a call")
                }
                found.spread = try expression()
            } else if case .name(let name) = token.kind, next.kind == .sign("=") {
                guard found.namedSpread == nil else { throw fault("a value behind '**'") }
                place += 2
                found.named.append((name, try expression()))
            } else {
                guard found.named.isEmpty, found.spread == nil, found.namedSpread == nil else {
                    throw fault("a value without a name behind one with")
                }
                found.values.append(try expression())
            }
        }
        try expect(.sign(")"))
        return found
    }

    private mutating func filtersAndTests(_ start: Expression) throws -> Expression {
        var value = start
        while true {
            let line = token.line
            if token.kind == .sign("|") {
                value = try filters(of: value, startsInline: false)
            } else if takes(name: "is") {
                value = try test(of: value, line)
            } else if token.kind == .sign("(") {
                value = try make(.call(value, try arguments()), line)
            } else {
                return value
            }
        }
    }

    private mutating func longName() throws -> String {
        var name = try expectName()
        while takes(".") { name += "." + (try expectName()) }
        return name
    }

    mutating func filters(of start: Expression?, startsInline: Bool) throws -> Expression {
        var (value, isFirst) = (start, startsInline)
        while isFirst || takes("|") {
            isFirst = false
            let line = token.line
            let name = try longName()
            guard Filters.all.contains(name) else {
                throw CambiumError.badTemplate("there is no filter '\(name)'", line: line)
            }
            let arguments = token.kind == .sign("(") ? try arguments() : Expression.Arguments()
            value = try make(.filter(value, name, arguments), line)
        }
        guard let value else { throw fault("\(token.spelling) where a filter is expected") }
        return value
    }

    private mutating func test(of value: Expression, _ line: Int) throws -> Expression {
        let isNegated = takes(name: "not")
        let name = try longName()
        guard Tests.all.contains(name) else {
            throw CambiumError.badTemplate("there is no test '\(name)'", line: line)
        }
        var arguments = Expression.Arguments()
        if token.kind == .sign("(") {
            arguments = try self.arguments()
        } else if startsArgument {
            guard token.kind != .name("is") else {
                throw fault("tests with 'is' cannot be chained")
            }
            arguments.values = [try postfix(try primary())]
        }
        let test = try make(.test(value, name, arguments), line)
        return isNegated ? try make(.not(test), line) : test
    }

    private var startsArgument: Bool {
        switch token.kind {
        case .name(let name): !["else", "or", "and"].contains(name)
        case .text, .integer, .number, .sign("["), .sign("{"): true
        default: false
        }
    }
}
