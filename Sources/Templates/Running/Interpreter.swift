internal import Elements

/// Runs a template's statements within bounds: steps, depth and characters.
final class Interpreter {
    /// What a run may take: a template comes with a model from anywhere.
    struct Bounds {
        /// Statements, values and characters that are made, all together.
        var work = Template.standardWork
        /// Characters of the result.
        var output = 16_000_000
        /// Statements and expressions within each other, through macros.
        var depth = 400
    }

    /// Names that a block sees: its own, and those around it.
    final class Scope {
        var values: [String: Value] = [:]
        let parent: Scope?
        /// Scopes around it.
        let depth: Int
        /// Whether it is emptied at the end of the run.
        fileprivate var isKept = false

        init(_ parent: Scope?) {
            self.parent = parent
            depth = (parent?.depth ?? -1) + 1
        }

        fileprivate func find(_ name: String) -> Value? {
            var scope: Scope? = self
            while let found = scope {
                if let value = found.values[name] { return value }
                scope = found.parent
            }
            return nil
        }
    }

    /// How a statement ended.
    enum Flow { case normal, leave, proceed }

    private let bounds: Bounds
    let clock: TemplateClock
    private var work = 0
    private var depth = 0
    private var output: [Unicode.Scalar] = []
    /// Where the run is, for messages.
    var line = 1
    /// Whatever could refer to itself; emptied at the end.
    private var scopes: [Scope] = []
    private var namespaces: [Namespace] = []

    init(_ bounds: Bounds, clock: TemplateClock) {
        self.bounds = bounds
        self.clock = clock
    }

    /// What the statements write.
    func run(_ body: [Statement], _ variables: [String: Value]) throws -> Text {
        defer {
            for scope in scopes { scope.values = [:] }
            for namespace in namespaces { namespace.values = [:] }
        }
        let global = Scope(nil)
        global.values = Functions.global
        let scope = Scope(global)
        scope.values = variables
        _ = try execute(body, scope)
        return Text(output)
    }

    /// Has a scope emptied at the end: a macro that sees it may be one of its values, or of one that it sees.
    private func keep(_ scope: Scope) {
        guard !scope.isKept else { return }
        scope.isKept = true
        scopes.append(scope)
    }

    /// What a name means in a scope.
    func find(_ name: String, _ scope: Scope) throws -> Value? {
        try spend(scope.depth / 4)
        return scope.find(name)
    }

    func makeNamespace() throws -> Namespace {
        try spend(100)
        let namespace = Namespace()
        namespaces.append(namespace)
        return namespace
    }

    // MARK: Bounds and failures

    func spend(_ amount: Int) throws {
        // Amounts come from templates, and may be any number.
        guard amount <= bounds.work - work else {
            throw CambiumError(
                .tooHard, "line \(line): the template takes more than \(bounds.work) steps")
        }
        work += max(0, amount)
    }

    /// Looking for a text in another one.
    func spendSearch(_ text: Text, _ part: Text) throws {
        let (size, overflow) = text.count.multipliedReportingOverflow(by: part.count)
        try spend(text.count + (overflow ? Int(Int32.max) : size / 64))
    }

    func deeper<Result>(_ body: () throws -> Result) throws -> Result {
        depth += 1
        defer { depth -= 1 }
        guard depth <= bounds.depth else {
            throw CambiumError(.tooHard, "line \(line): macros nested deeper than the template may")
        }
        return try body()
    }

    func failure(_ message: String) -> CambiumError {
        CambiumError(.badTokenizer, "line \(line): \(message)")
    }

    func refusal(_ what: String) -> CambiumError {
        CambiumError(.unsupported, "line \(line): \(what) is not supported")
    }

    // MARK: Output

    func write(_ text: some Collection<Unicode.Scalar>) throws {
        try spend(text.count)
        guard output.count + text.count <= bounds.output else {
            throw CambiumError(
                .tooHard, "line \(line): the template writes more than \(bounds.output) characters")
        }
        output += text
    }

    /// What something writes, kept from the output.
    func captured(_ body: () throws -> Void) throws -> Text {
        let outer = output
        output = []
        defer { output = outer }
        try body()
        return Text(output)
    }

    func text(of value: Value) throws -> Text {
        switch value {
        case .undefined: return Text([])
        case .text(let text): return text
        default:
            var text: [Unicode.Scalar] = []
            try value.spell(into: &text, self)
            return Text(text)
        }
    }

    // MARK: Statements

    func execute(_ body: [Statement], _ scope: Scope) throws -> Flow {
        for statement in body {
            let flow = try deeper { try execute(statement, scope) }
            if flow != .normal { return flow }
        }
        return .normal
    }

    private func execute(_ statement: Statement, _ scope: Scope) throws -> Flow {
        line = statement.line
        try spend(1)
        switch statement.kind {
        case .text(let text): try write(text)
        case .output(let expression):
            try write(try text(of: try evaluate(expression, scope)).scalars)
        case .choice(let branches, let otherwise):
            for branch in branches where try evaluate(branch.test, scope).isTrue {
                return try execute(branch.body, scope)
            }
            return try execute(otherwise, scope)
        case .loop(let loop): try run(loop, scope)
        case .assignment(let target, let expression):
            try set(target, try evaluate(expression, scope), scope)
        case .captured(let target, let filter, let body):
            let text = try captured { _ = try execute(body, Scope(scope)) }
            let value =
                if let filter { try apply(filter, to: text, scope) } else { Value.text(text) }
            try set(target, value, scope)
        case .macro(let definition):
            keep(scope)
            scope.values[definition.name] = .macro(Macro(definition, scope))
        case .callBlock(let call, let definition):
            keep(scope)
            let caller = Value.macro(Macro(definition, scope))
            try write(try text(of: try evaluate(call: call, scope, caller: caller)).scalars)
        case .filterBlock(let filter, let body):
            let text = try captured { _ = try execute(body, Scope(scope)) }
            guard let text = try apply(filter, to: text, scope).text else {
                throw failure("the filter of a block gives no text")
            }
            try write(text.scalars)
        case .with(let pairs, let body):
            let inner = Scope(scope)
            for (target, expression) in pairs {
                try set(target, try evaluate(expression, scope), inner)
            }
            return try execute(body, inner)
        case .generation(let body): _ = try execute(body, Scope(scope))
        case .leave: return .leave
        case .proceed: return .proceed
        }
        return .normal
    }

    private func apply(_ filter: Expression, to text: Text, _ scope: Scope) throws -> Value {
        let inner = Scope(scope)
        inner.values[Self.filteredBlock] = .text(text)
        return try evaluate(filter, inner)
    }

    /// The name of what a filtered block wrote; no template can spell it.
    static let filteredBlock = "{%"

    private func run(_ loop: Loop, _ scope: Scope) throws {
        let source = try evaluate(loop.items, scope)
        var items = try elements(of: source)
        if let test = loop.test {
            items = try items.filter { item in
                try spend(Cost.turn)
                let inner = Scope(scope)
                try set(loop.target, item, inner)
                return try evaluate(test, inner).isTrue
            }
        }
        let state = LoopState(items)
        // As Jinja has it, `else` belongs to loops of which no turn came to its end.
        var isDone = false
        for (index, item) in items.enumerated() {
            try spend(Cost.turn)
            state.index = index
            let inner = Scope(scope)
            inner.values["loop"] = .loop(state)
            try set(loop.target, item, inner)
            let flow = try execute(loop.body, inner)
            if flow == .leave { break }
            if flow == .normal { isDone = true }
        }
        if !isDone { _ = try execute(loop.otherwise, Scope(scope)) }
    }

    func set(_ target: Target, _ value: Value, _ scope: Scope) throws {
        switch target {
        case .name(let name): scope.values[name] = value
        case .attribute(let name, let attribute):
            guard case .namespace(let namespace) = try find(name, scope) else {
                throw failure("cannot assign attribute on non-namespace object '\(name)'")
            }
            guard !attribute.hasPrefix("_") else {
                throw failure("the name '\(attribute)' of a namespace begins with '_'")
            }
            namespace.values[attribute] = value
        case .several(let targets):
            let values = try elements(of: value)
            guard values.count == targets.count else {
                throw failure(
                    "\(values.count) values for \(targets.count) names (of a \(value.typeName))")
            }
            for (target, value) in zip(targets, values) { try set(target, value, scope) }
        }
    }

    /// What a loop over a value meets.
    func elements(of value: Value) throws -> [Value] {
        let found: [Value]
        switch value {
        case .undefined: found = []
        case .text(let text):
            try spend(text.count, each: Cost.part)
            found = text.scalars.map { .text(Text([$0])) }
        case .list(let items), .tuple(let items): found = items.values
        case .view(let view): found = view.items.values
        case .dictionary(let mapping):
            try spend(mapping.keys.count, each: Cost.element)
            found = mapping.keys.map(\.value)
        case .range(let span):
            try spend(span.count, each: Cost.element)
            found = span.values
        case .iterator(let supply): found = supply.takeAll()
        default: throw failure("'\(value.typeName)' object is not iterable")
        }
        try spend(found.count)
        return found
    }
}
