internal import Elements

/// Makes statements of a template's tokens, as Jinja reads them.
struct Parser {
    /// Blocks within blocks; more would exhaust the stack.
    private static let greatestDepth = 60

    let tokens: [Token]
    var place = 0
    /// Expressions that are being read within each other.
    var nesting = 0
    private var depth = 0
    /// Whether `break` and `continue` have a loop here.
    private var isInLoop = false

    /// - Throws: `.badTokenizer` for what is no template, `.unsupported` for what is one and not done here.
    static func statements(of text: String) throws -> [Statement] {
        var parser = Parser(tokens: try Lexer.tokens(of: text))
        let body = try parser.body(until: [])
        return body
    }

    private init(tokens: [Token]) { self.tokens = tokens }

    var token: Token { tokens[min(place, tokens.count - 1)] }
    var next: Token { tokens[min(place + 1, tokens.count - 1)] }

    // MARK: Tokens

    mutating func take() -> Token {
        defer { place += 1 }
        return token
    }

    mutating func takes(_ sign: String) -> Bool {
        guard token.kind == .sign(sign) else { return false }
        place += 1
        return true
    }

    mutating func takes(name: String) -> Bool {
        guard token.kind == .name(name) else { return false }
        place += 1
        return true
    }

    mutating func expect(_ kind: Token.Kind) throws {
        guard token.kind == kind else {
            throw fault(
                "\(token.spelling) where \(Token(kind: kind, line: 0).spelling) is expected")
        }
        place += 1
    }

    mutating func expectName() throws -> String {
        guard case .name(let name) = token.kind else {
            throw fault("\(token.spelling) where a name is expected")
        }
        place += 1
        return name
    }

    func fault(_ message: String) -> CambiumError { .badTemplate(message, line: token.line) }

    // MARK: Statements

    /// Reads statements up to a block of one of some names, whose name comes next then; up to the end without names.
    private mutating func body(until ends: [String]) throws -> [Statement] {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.greatestDepth else {
            throw CambiumError(
                .tooHard,
                "line \(token.line): blocks nested deeper than \(Self.greatestDepth)")
        }
        var statements: [Statement] = []
        while true {
            let line = token.line
            switch token.kind {
            case .data(let text):
                place += 1
                statements.append(Statement(kind: .text(text), line: line))
            case .variableStart:
                place += 1
                statements.append(Statement(kind: .output(try tuple()), line: line))
                try expect(.variableEnd)
            case .blockStart:
                place += 1
                if case .name(let name) = token.kind, ends.contains(name) { return statements }
                let kind = try statement()
                try expect(.blockEnd)
                statements.append(Statement(kind: kind, line: line))
            default:
                guard ends.isEmpty else {
                    throw fault(
                        "the template ends where {% \(ends.joined(separator: " or ")) %} is missing"
                    )
                }
                return statements
            }
        }
    }

    /// Reads the body of a block to its end, up to the block's own.
    private mutating func block(_ end: String) throws -> [Statement] {
        try expect(.blockEnd)
        let statements = try body(until: [end])
        place += 1
        return statements
    }

    /// As ``block(_:)``, where `break` has no loop to leave.
    private mutating func closed(_ end: String) throws -> [Statement] {
        let outer = isInLoop
        isInLoop = false
        defer { isInLoop = outer }
        return try block(end)
    }

    private mutating func statement() throws -> Statement.Kind {
        let line = token.line
        let name = try expectName()
        switch name {
        case "if": return try choice()
        case "for": return .loop(try loop())
        case "set": return try assignment()
        case "macro":
            let name = try expectName()
            let parameters = try parameters()
            return .macro(MacroDefinition(name, parameters, try closed("endmacro")))
        case "call":
            let parameters = token.kind == .sign("(") ? try parameters() : []
            let call = try expression()
            guard case .call = call.kind else { throw fault("{% call %} without a call") }
            return .callBlock(
                call, MacroDefinition("caller", parameters, try closed("endcall")))
        case "filter":
            let filter = try filters(of: nil, startsInline: true)
            return .filterBlock(filter, body: try closed("endfilter"))
        case "with":
            var pairs: [(Target, Expression)] = []
            while token.kind != .blockEnd {
                if !pairs.isEmpty { try expect(.sign(",")) }
                let target = try target()
                try expect(.sign("="))
                pairs.append((target, try expression()))
            }
            return .with(pairs, body: try block("endwith"))
        case "generation": return .generation(try closed("endgeneration"))
        case "print": return .output(try tuple())
        case "break", "continue":
            guard isInLoop else {
                throw CambiumError.badTemplate("{% \(name) %} outside of a loop", line: line)
            }
            return name == "break" ? .leave : .proceed
        case "include", "import", "from", "extends", "block", "autoescape", "do", "trans", "debug":
            throw CambiumError(.unsupported, "line \(line): {% \(name) %} is not supported")
        default: throw CambiumError.badTemplate("there is no {% \(name) %}", line: line)
        }
    }

    private mutating func choice() throws -> Statement.Kind {
        var branches: [(test: Expression, body: [Statement])] = []
        var otherwise: [Statement] = []
        var test = try tuple(withConditional: false)
        while true {
            try expect(.blockEnd)
            branches.append((test, try body(until: ["elif", "else", "endif"])))
            if takes(name: "elif") {
                test = try tuple(withConditional: false)
                continue
            }
            if takes(name: "else") {
                otherwise = try block("endif")
            } else {
                place += 1
            }
            return .choice(branches, otherwise: otherwise)
        }
    }

    private mutating func loop() throws -> Loop {
        let target = try target()
        guard takes(name: "in") else { throw fault("\(token.spelling) where 'in' is expected") }
        let items = try tuple(withConditional: false, until: "recursive")
        let test = takes(name: "if") ? try expression() : nil
        guard token.kind != .name("recursive") else {
            throw CambiumError(
                .unsupported, "line \(token.line): recursive loops are not supported")
        }
        try expect(.blockEnd)
        let outer = isInLoop
        isInLoop = true
        let content = try body(until: ["endfor", "else"])
        isInLoop = outer
        var otherwise: [Statement] = []
        if takes(name: "else") { otherwise = try block("endfor") } else { place += 1 }
        return Loop(target: target, items: items, test: test, body: content, otherwise: otherwise)
    }

    private mutating func assignment() throws -> Statement.Kind {
        let target = try target(allowsAttribute: true)
        if takes("=") { return .assignment(target, try tuple()) }
        let filter =
            token.kind == .sign("|") ? try filters(of: nil, startsInline: false) : nil
        return .captured(target, filter: filter, body: try closed("endset"))
    }

    private mutating func target(allowsAttribute: Bool = false) throws -> Target {
        var targets: [Target] = []
        var isTuple = false
        repeat {
            if isTuple, token.kind == .name("in") || token.kind == .sign("=") { break }
            if takes("(") {
                targets.append(try target())
                try expect(.sign(")"))
            } else {
                let name = try expectName()
                if allowsAttribute, takes(".") {
                    targets.append(.attribute(name, try expectName()))
                } else {
                    guard !["true", "false", "none", "True", "False", "None"].contains(name) else {
                        throw fault("'\(name)' cannot be set")
                    }
                    targets.append(.name(name))
                }
            }
            isTuple = isTuple || token.kind == .sign(",")
        } while takes(",")
        return isTuple ? .several(targets) : targets[0]
    }

    private mutating func parameters() throws -> [MacroDefinition.Parameter] {
        var parameters: [MacroDefinition.Parameter] = []
        try expect(.sign("("))
        while token.kind != .sign(")") {
            if !parameters.isEmpty { try expect(.sign(",")) }
            let name = try expectName()
            guard !parameters.contains(where: { $0.name == name }) else {
                throw fault("two parameters of the name '\(name)'")
            }
            let standard = takes("=") ? try expression() : nil
            if standard == nil, parameters.last?.standard != nil {
                throw fault("a parameter without a value behind one with")
            }
            parameters.append(MacroDefinition.Parameter(name: name, standard: standard))
        }
        try expect(.sign(")"))
        return parameters
    }
}
