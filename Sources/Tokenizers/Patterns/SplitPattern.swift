/// A regular expression of the kind that tokenizers split text with, compiled to steps.
///
/// Of Oniguruma's syntax, which the files are written in, it knows: alternatives, groups, `?` after a
/// group, classes with ranges, escapes and `\p{…}` of general categories, `.`, the quantifiers `?`, `*`,
/// `+` and `{m,n}` of single characters, greedy or possessive, look-ahead, `$` and `(?i:…)` of ASCII
/// letters. Another construct is refused when the pattern is read.
struct SplitPattern: Sendable {
    enum Step: Sendable {
        /// Takes from `least` to `most` characters of a class, as many as it can; `isPossessive`
        /// ones are not given back.
        case take(Int, least: Int, most: Int, isPossessive: Bool)
        /// Goes on at the first; at the second when that fails.
        case either(Int, Int)
        case jump(Int)
        /// Whether the steps behind this one, up to `done`, match here without taking anything; then
        /// goes on at `end`.
        case look(isNegated: Bool, end: Int)
        /// Only at the end of the text.
        case end
        case done
    }

    /// Starts at 0.
    let steps: [Step]
    let classes: [CharacterClass]

    /// - Throws: `.unsupported`, naming the construct.
    init(_ pattern: String) throws {
        var parser = PatternParser(pattern)
        let tree = try parser.parse()
        var compiler = Compiler()
        compiler.compile(tree)
        compiler.steps.append(.done)
        steps = compiler.steps
        classes = compiler.classes
    }

    /// For text that is taken literally.
    init(literal: String) {
        var compiler = Compiler()
        compiler.compile(
            .sequence(
                literal.unicodeScalars.map {
                    .repeated(.init(ranges: [$0.value...$0.value]), 1, 1, false)
                }))
        compiler.steps.append(.done)
        steps = compiler.steps
        classes = compiler.classes
    }

    private struct Compiler {
        var steps: [Step] = []
        var classes: [CharacterClass] = []
        private var known: [CharacterClass.Rule: Int] = [:]

        mutating func compile(_ node: PatternNode) {
            switch node {
            case .repeated(let rule, let least, let most, let isPossessive):
                steps.append(
                    .take(
                        number(rule), least: least, most: most, isPossessive: isPossessive))
            case .sequence(let nodes): for node in nodes { compile(node) }
            case .alternatives(let nodes):
                var jumps: [Int] = []
                for node in nodes.dropLast() {
                    let fork = steps.count
                    steps.append(.done)
                    compile(node)
                    jumps.append(steps.count)
                    steps.append(.done)
                    steps[fork] = .either(fork + 1, steps.count)
                }
                if let last = nodes.last { compile(last) }
                for jump in jumps { steps[jump] = .jump(steps.count) }
            case .look(let node, let isNegated):
                let look = steps.count
                steps.append(.done)
                compile(node)
                steps.append(.done)
                steps[look] = .look(isNegated: isNegated, end: steps.count)
            case .end: steps.append(.end)
            }
        }

        private mutating func number(_ rule: CharacterClass.Rule) -> Int {
            if let number = known[rule] { return number }
            known[rule] = classes.count
            classes.append(CharacterClass(rule))
            return classes.count - 1
        }
    }
}

/// What a pattern is made of.
indirect enum PatternNode {
    case repeated(CharacterClass.Rule, Int, Int, Bool)
    case sequence([PatternNode])
    case alternatives([PatternNode])
    case look(PatternNode, isNegated: Bool)
    case end
}
