/// What a template does.
struct Statement: Sendable {
    indirect enum Kind: Sendable {
        case text([Unicode.Scalar])
        case output(Expression)
        case choice([(test: Expression, body: [Statement])], otherwise: [Statement])
        case loop(Loop)
        case assignment(Target, Expression)
        /// `{% set name %}…{% endset %}`, with a filter behind the name.
        case captured(Target, filter: Expression?, body: [Statement])
        case macro(MacroDefinition)
        case callBlock(Expression, MacroDefinition)
        case filterBlock(Expression, body: [Statement])
        case with([(Target, Expression)], body: [Statement])
        /// `{% generation %}`: what an assistant wrote; here it is text like other text.
        case generation([Statement])
        case leave
        case proceed
    }

    let kind: Kind
    let line: Int
}

/// What is set.
indirect enum Target: Sendable {
    case name(String)
    case attribute(String, String)
    case several([Target])
}

struct Loop: Sendable {
    let target: Target
    let items: Expression
    let test: Expression?
    let body: [Statement]
    let otherwise: [Statement]
}

/// A macro, or the body of a call block.
struct MacroDefinition: Sendable {
    struct Parameter: Sendable {
        let name: String
        let standard: Expression?
    }

    let name: String
    let parameters: [Parameter]
    let body: [Statement]
    /// Whether it takes what its parameters have no place for, and a block from its caller.
    let takesMore, takesNamed, takesCaller: Bool

    init(_ name: String, _ parameters: [Parameter], _ body: [Statement]) {
        self.name = name
        self.parameters = parameters
        self.body = body
        var names: Set<String> = []
        Self.collect(body, &names)
        for parameter in parameters { parameter.standard.map { Self.collect($0, &names) } }
        takesMore = names.contains("varargs")
        takesNamed = names.contains("kwargs")
        takesCaller = names.contains("caller")
    }

    private static func collect(_ body: [Statement], _ names: inout Set<String>) {
        for statement in body {
            switch statement.kind {
            case .text, .leave, .proceed: break
            case .output(let value), .assignment(_, let value): collect(value, &names)
            case .choice(let branches, let otherwise):
                for branch in branches {
                    collect(branch.test, &names)
                    collect(branch.body, &names)
                }
                collect(otherwise, &names)
            case .loop(let loop):
                collect(loop.items, &names)
                loop.test.map { collect($0, &names) }
                collect(loop.body, &names)
                collect(loop.otherwise, &names)
            case .captured(_, let filter, let body):
                filter.map { collect($0, &names) }
                collect(body, &names)
            case .macro(let inner): collect(inner.body, &names)
            case .callBlock(let call, let inner):
                collect(call, &names)
                collect(inner.body, &names)
            case .filterBlock(let filter, let body):
                collect(filter, &names)
                collect(body, &names)
            case .with(let pairs, let body):
                for pair in pairs { collect(pair.1, &names) }
                collect(body, &names)
            case .generation(let body): collect(body, &names)
            }
        }
    }

    private static func collect(_ expression: Expression, _ names: inout Set<String>) {
        if case .name(let name) = expression.kind { names.insert(name) }
        for part in expression.parts { collect(part, &names) }
    }
}
