internal import Elements

/// What a template computes a value by.
final class Expression: Sendable {
    indirect enum Kind: Sendable {
        case none
        case bool(Bool)
        case integer(Int)
        case number(Double)
        case text([Unicode.Scalar])
        case name(String)
        case list([Expression])
        case tuple([Expression])
        case dictionary([(Expression, Expression)])
        case attribute(Expression, String)
        case subscripted(Expression, Expression)
        /// Only as what stands in the brackets of ``subscripted``.
        case slice(Expression?, Expression?, Expression?)
        case call(Expression, Arguments)
        /// Of nothing where a block is filtered.
        case filter(Expression?, String, Arguments)
        case test(Expression, String, Arguments)
        case negative(Expression)
        case positive(Expression)
        case binary(String, Expression, Expression)
        case concatenation([Expression])
        case comparison(Expression, [(String, Expression)])
        case and(Expression, Expression)
        case or(Expression, Expression)
        case not(Expression)
        case conditional(Expression, then: Expression, otherwise: Expression?)
    }

    /// What a call is given.
    struct Arguments: Sendable {
        var values: [Expression] = []
        var named: [(String, Expression)] = []
        /// `*list` and `**dictionary`.
        var spread, namedSpread: Expression?

        var all: [Expression] {
            values + named.map(\.1) + [spread, namedSpread].compactMap { $0 }
        }
    }

    /// Deeper nesting would exhaust the stack.
    static let greatestDepth = 150

    let kind: Kind
    let line: Int
    private let depth: Int

    init(_ kind: Kind, line: Int) throws {
        self.kind = kind
        self.line = line
        depth = 1 + (Self.parts(of: kind).map(\.depth).max() ?? 0)
        guard depth <= Self.greatestDepth else {
            throw CambiumError(
                .tooHard, "line \(line): an expression nested deeper than \(Self.greatestDepth)")
        }
    }

    /// The expressions that it is made of.
    var parts: [Expression] { Self.parts(of: kind) }

    private static func parts(of kind: Kind) -> [Expression] {
        switch kind {
        case .none, .bool, .integer, .number, .text, .name: []
        case .list(let parts), .tuple(let parts), .concatenation(let parts): parts
        case .dictionary(let pairs): pairs.flatMap { [$0.0, $0.1] }
        case .attribute(let part, _), .negative(let part), .positive(let part), .not(let part):
            [part]
        case .subscripted(let one, let other), .binary(_, let one, let other),
            .and(let one, let other), .or(let one, let other):
            [one, other]
        case .slice(let start, let end, let step): [start, end, step].compactMap { $0 }
        case .call(let function, let arguments): [function] + arguments.all
        case .filter(let part, _, let arguments): (part.map { [$0] } ?? []) + arguments.all
        case .test(let part, _, let arguments): [part] + arguments.all
        case .comparison(let first, let others): [first] + others.map(\.1)
        case .conditional(let test, let then, let otherwise):
            [test, then] + (otherwise.map { [$0] } ?? [])
        }
    }
}
