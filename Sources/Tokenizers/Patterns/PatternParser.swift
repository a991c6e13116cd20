internal import Elements

/// Reads the syntax of ``SplitPattern``.
struct PatternParser {
    private let pattern: String
    private let scalars: [Unicode.Scalar]
    private var at = 0
    private var depth = 0
    private var ignoresCase = false

    init(_ pattern: String) {
        self.pattern = pattern
        scalars = Array(pattern.unicodeScalars)
    }

    mutating func parse() throws -> PatternNode {
        let node = try alternatives()
        guard at == scalars.count else { throw refuse("a ) without its (") }
        return node
    }

    private func refuse(_ what: String) -> CambiumError {
        .unsupportedTokenizer("the split pattern \(shown(pattern)): \(what), at character \(at)")
    }

    private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
        guard at < scalars.count, scalars[at] == scalar else { return false }
        at += 1
        return true
    }

    private mutating func alternatives() throws -> PatternNode {
        depth += 1
        defer { depth -= 1 }
        guard depth <= 32 else { throw refuse("groups nested deeper than 32") }
        var nodes = [try sequence()]
        while take("|") { nodes.append(try sequence()) }
        return nodes.count == 1 ? nodes[0] : .alternatives(nodes)
    }

    private mutating func sequence() throws -> PatternNode {
        var nodes: [PatternNode] = []
        while at < scalars.count, scalars[at] != "|", scalars[at] != ")" {
            nodes.append(try piece())
        }
        return .sequence(nodes)
    }

    private mutating func piece() throws -> PatternNode {
        if take("(") { return try group() }
        if take("$") { return .end }
        let rule = try single()
        let (least, most, isPossessive) = try quantifier()
        return .repeated(rule, least, most, isPossessive)
    }

    private mutating func group() throws -> PatternNode {
        let outer = ignoresCase
        defer { ignoresCase = outer }
        var look: Bool?
        if take("?") {
            if take("!") {
                look = true
            } else if take("=") {
                look = false
            } else if take("i") {
                guard take(":") else { throw refuse("an option that is not (?i:…)") }
                ignoresCase = true
            } else if !take(":") {
                throw refuse("a group of this kind")
            }
        }
        let node = try alternatives()
        guard take(")") else { throw refuse("a ( without its )") }
        if let look { return .look(node, isNegated: look) }
        let (least, most, isPossessive) = try quantifier()
        switch (least, most, isPossessive) {
        case (1, 1, _): return node
        case (0, 1, false): return .alternatives([node, .sequence([])])
        default: throw refuse("this quantifier of a group")
        }
    }

    private mutating func quantifier() throws -> (Int, Int, Bool) {
        guard at < scalars.count else { return (1, 1, false) }
        let range: (Int, Int)
        switch scalars[at] {
        case "?": range = (0, 1)
        case "*": range = (0, .max)
        case "+": range = (1, .max)
        case "{": return try counted()
        default: return (1, 1, false)
        }
        at += 1
        if take("+") { return (range.0, range.1, true) }
        guard at == scalars.count || !"?*{".unicodeScalars.contains(scalars[at]) else {
            throw refuse("a quantifier of a quantifier, or a lazy one")
        }
        return (range.0, range.1, false)
    }

    /// {m}, {m,} or {m,n}.
    private mutating func counted() throws -> (Int, Int, Bool) {
        at += 1
        func number(_ parser: inout PatternParser) -> Int? {
            var value: Int?
            while parser.at < parser.scalars.count,
                let digit = Int(String(parser.scalars[parser.at])), (value ?? 0) < 10_000
            {
                value = (value ?? 0) * 10 + digit
                parser.at += 1
            }
            return value
        }
        guard let least = number(&self) else { throw refuse("a { that counts nothing") }
        var most = least
        if take(",") { most = number(&self) ?? .max }
        guard take("}"), least <= most else { throw refuse("a count that is not {m,n}") }
        guard at == scalars.count || !"?*+{".unicodeScalars.contains(scalars[at]) else {
            throw refuse("a quantifier of a quantifier")
        }
        return (least, most, false)
    }

    /// One character: a class, an escape or itself.
    private mutating func single() throws -> CharacterClass.Rule {
        let scalar = scalars[at]
        at += 1
        switch scalar {
        case "[": return try bracket()
        case "\\": return try escape()
        case ".": return .init(ranges: [0x0A...0x0A], isNegated: true)
        case "*", "+", "?", "{": throw refuse("a quantifier of nothing")
        case "^": throw refuse("the anchor ^")
        default: return try literal(scalar)
        }
    }

    private func literal(_ scalar: Unicode.Scalar) throws -> CharacterClass.Rule {
        var rule = CharacterClass.Rule(ranges: [scalar.value...scalar.value])
        if !ignoresCase { return rule }
        guard scalar.isASCII else { throw refuse("(?i:…) of \(shown(String(scalar)))") }
        if scalar.properties.isAlphabetic {
            rule.ranges.append((scalar.value ^ 0x20)...(scalar.value ^ 0x20))
            // The long s and the Kelvin sign are the other cases of s and k.
            if scalar.value | 0x20 == 0x73 { rule.ranges.append(0x17F...0x17F) }
            if scalar.value | 0x20 == 0x6B { rule.ranges.append(0x212A...0x212A) }
        }
        return rule
    }

    private mutating func bracket() throws -> CharacterClass.Rule {
        if ignoresCase { throw refuse("a class inside (?i:…)") }
        var rule = CharacterClass.Rule()
        rule.isNegated = take("^")
        var isFirst = true
        while at < scalars.count, scalars[at] != "]" || isFirst {
            isFirst = false
            let scalar = scalars[at]
            at += 1
            if scalar == "[" || (scalar == "&" && take("&")) { throw refuse("a class in a class") }
            let part =
                try scalar == "\\" ? escape() : .init(ranges: [scalar.value...scalar.value])
            if let low = part.one, at + 1 < scalars.count, scalars[at] == "-",
                scalars[at + 1] != "]"
            {
                at += 1
                var high = scalars[at].value
                at += 1
                if high == 0x5C {
                    guard let escaped = try escape().one else { throw refuse("a range to a class") }
                    high = escaped
                }
                guard low <= high else { throw refuse("a range that ends before it starts") }
                rule.ranges.append(low...high)
                continue
            }
            try rule.add(part) { refuse("a negated class in a class") }
        }
        guard take("]") else { throw refuse("a [ without its ]") }
        return rule
    }

    private mutating func escape() throws -> CharacterClass.Rule {
        guard at < scalars.count else { throw refuse("a \\ at the end") }
        let scalar = scalars[at]
        at += 1
        func one(_ value: UInt32) -> CharacterClass.Rule { .init(ranges: [value...value]) }
        switch scalar {
        case "r": return one(0x0D)
        case "n": return one(0x0A)
        case "t": return one(0x09)
        case "f": return one(0x0C)
        case "v": return one(0x0B)
        case "s": return .init(hasSpace: true)
        case "S": return .init(hasNonSpace: true)
        case "d": return .init(categories: Categories.mask("Nd") ?? 0)
        case "p", "P":
            guard take("{") else { throw refuse("\\p without {…}") }
            let isNegated = (scalar == "P") != take("^")
            var name = ""
            while at < scalars.count, scalars[at] != "}" {
                name.unicodeScalars.append(scalars[at])
                at += 1
            }
            guard take("}"), let mask = Categories.mask(name) else {
                throw refuse("\\p{\(name)}, which is no general category")
            }
            let all: UInt32 = 1 << UInt32(Categories.all.count) - 1
            return .init(categories: isNegated ? all & ~mask : mask)
        case "u", "x", "w", "W", "D", "b", "B", "A", "z", "Z", "G", "K", "R", "X", "h", "H", "k",
            "g",
            "0"..."9":
            throw refuse("the escape \\\(scalar)")
        default: return try literal(scalar)
        }
    }
}

extension CharacterClass.Rule {
    /// The only scalar, when it is one.
    fileprivate var one: UInt32? {
        guard categories == 0, !hasSpace, !hasNonSpace, !isNegated, ranges.count == 1,
            ranges[0].count == 1
        else { return nil }
        return ranges[0].lowerBound
    }

    fileprivate mutating func add(
        _ other: Self, otherwise error: () -> CambiumError
    ) throws {
        if other.isNegated { throw error() }
        categories |= other.categories
        ranges += other.ranges
        hasSpace = hasSpace || other.hasSpace
        hasNonSpace = hasNonSpace || other.hasNonSpace
    }
}
