internal import Elements

/// A template of Jinja, as chat templates use it: what transformers sets up in `chat_template_utils`, without
/// what reaches other files.
///
/// Jinja's filters, tests and Python's methods that are not done here are refused by name. A template comes with a
/// model from anywhere, so that what a run takes is bounded: steps, depth and characters.
package struct Template: Sendable {
    private let body: [Statement]

    /// Statements, values and characters that a run may make, all together.
    package static let standardWork = 50_000_000
    /// Longer sources are refused.
    private static let longest = 4 << 20

    /// Reads a template.
    ///
    /// - Throws: `.badTokenizer` with the line for what is no template, `.unsupported` for statements that are not
    ///   done here, `.tooHard` for deep nesting.
    package init(_ source: String) throws {
        guard source.utf8.count <= Self.longest else {
            throw CambiumError(.tooHard, "a template of more than \(Self.longest) bytes")
        }
        body = try Parser.statements(of: source)
    }

    /// What the template writes.
    ///
    /// - Parameters:
    ///   - variables: What it is given, by name.
    ///   - clock: The moment that it may ask for.
    ///   - work: What it may take: steps and characters together.
    /// - Throws: `.badInput` where the template itself refuses what it is given (`raise_exception`);
    ///   `.badTokenizer` where it fails; `.unsupported`; `.tooHard` beyond the bounds. Each with the line.
    package func render(
        _ variables: [(String, TemplateData)], clock: TemplateClock = TemplateClock(seconds: 0),
        work: Int = standardWork
    ) throws -> String {
        var values: [String: Value] = [:]
        for (name, data) in variables { values[name] = try Value(data) }
        return try Interpreter(Interpreter.Bounds(work: work), clock: clock).run(body, values)
            .string
    }
}
