internal import Elements

/// Reads a pattern in the syntax that the files are written for, Oniguruma's, and writes it for PCRE2.
///
/// What is understood is what tokenizers use: alternatives, groups, `?` after a group, classes with ranges,
/// escapes and `\p{…}` of general categories and some scripts, `[…&&[…]]` for what is in both, `.`, the quantifiers
/// `?`, `*`, `+` and `{m,n}` of single characters, greedy or possessive, look-ahead, `$` and `(?i:…)` of ASCII letters.
/// Another construct is refused: it may mean another thing to each of the two.
///
/// Behind what may take any number of characters, or take them in many ways, stands a callout, by which
/// ``SplitPattern`` counts steps.
struct PatternSyntax {
    /// Characters of a pattern, and how often they must come, added up: at each place of a text a search may
    /// look at all of them before it comes to a callout.
    private static let greatestSize = 4_096
    /// Ways through the pattern that are not counted.
    private static let uncountedWays = 256
    /// Characters that a part may take at most without being counted.
    private static let uncounted = 8
    /// Characters between two callouts, where there is more than one way to them.
    private static let uncountedRun = 32

    private let pattern: String
    private let scalars: [Unicode.Scalar]
    private var at = 0
    private var depth = 0
    private var ignoresCase = false
    private var size: Int
    /// Ways through the alternative of the whole pattern so far, and through those before it.
    private var ways = 1
    private var waysBefore = 0
    /// Characters of the alternative since its last callout.
    private var run = 0
    private var calloutCount = 0
    private var output = ""

    init(_ pattern: String) {
        self.pattern = pattern
        scalars = Array(pattern.unicodeScalars)
        size = scalars.count
    }

    /// The pattern for PCRE2.
    ///
    /// - Throws: `.unsupported`, naming the construct.
    mutating func translated() throws -> String {
        try alternatives()
        guard at == scalars.count else { throw refuse("a ) without its (") }
        guard size <= Self.greatestSize else { throw refuse("it is longer than any in use") }
        return output
    }

    /// A character that means itself.
    static func escaped(_ scalar: Unicode.Scalar) -> String {
        "\\x{\(String(scalar.value, radix: 16))}"
    }

    private func refuse(_ what: String) -> CambiumError {
        .unsupportedTokenizer("the split pattern \(shown(pattern)): \(what), at character \(at)")
    }

    private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
        guard at < scalars.count, scalars[at] == scalar else { return false }
        at += 1
        return true
    }

    /// - Returns: Their number.
    @discardableResult
    private mutating func alternatives() throws -> Int {
        depth += 1
        defer { depth -= 1 }
        guard depth <= 32 else { throw refuse("groups nested deeper than 32") }
        try sequence()
        var count = 1
        while take("|") {
            output += "|"
            try sequence()
            count += 1
        }
        return count
    }

    private mutating func sequence() throws {
        if depth == 1 {
            waysBefore = min(waysBefore + ways, Self.uncountedWays)
            (ways, run) = (1, 0)
        }
        var end = output.utf8.count
        while at < scalars.count, scalars[at] != "|", scalars[at] != ")" { end = try piece() }
        // What ends the whole match is not tried again, so its callout goes.
        if depth == 1 { output.removeLast(output.utf8.count - end) }
    }

    /// - Returns: The length of the output up to the piece's callout.
    private mutating func piece() throws -> Int {
        if take("(") { return try group() }
        if take("$") {
            // Oniguruma's also stands before each line's end.
            output += #"(?=\n|\z)"#
            return output.utf8.count
        }
        let character = try single()
        output += character
        run += 1
        return try quantifier(of: character)
    }

    private mutating func group() throws -> Int {
        let outer = ignoresCase
        defer { ignoresCase = outer }
        var (start, isLook) = ("(?:", false)
        if take("?") {
            if take("!") {
                (start, isLook) = ("(?!", true)
            } else if take("=") {
                (start, isLook) = ("(?=", true)
            } else if take("i") {
                guard take(":") else { throw refuse("an option that is not (?i:…)") }
                ignoresCase = true
                start = "(?i:"
            } else if !take(":") {
                throw refuse("a group of this kind")
            }
        }
        output += start
        let count = try alternatives()
        guard take(")") else { throw refuse("a ( without its )") }
        output += ")"
        return isLook ? output.utf8.count : try quantifier(ofGroupOf: count)
    }

    /// - Parameters:
    ///   - character: What is quantified.
    ///   - count: Of a group, its alternatives.
    /// - Returns: As ``piece()``.
    private mutating func quantifier(
        of character: String = "", ofGroupOf count: Int? = nil
    ) throws -> Int {
        var start = at
        var (most, isPossessive) = (Int.max, false)
        if take("{") {
            var least = 0
            (least, most) = try counted()
            run += least
            if count == nil, least > Self.uncountedRun {
                // Counted piece by piece: a text may fail far behind the first.
                output += "{\(Self.uncountedRun)}"
                for _ in 1..<(least / Self.uncountedRun) {
                    callOut()
                    output += "\(character){\(Self.uncountedRun)}"
                }
                callOut()
                let rest = least % Self.uncountedRun
                let end = most == .max ? "" : "\(most - least + rest)"
                output += "\(character){\(rest),\(end)}"
                start = at
            }
        } else if take("?") {
            most = 1
            isPossessive = take("+")
        } else if take("*") || take("+") {
            isPossessive = take("+")
        } else {
            return counting(ways: count ?? 1)
        }
        guard at == scalars.count || isPossessive || !"?*+{".unicodeScalars.contains(scalars[at])
        else { throw refuse("a quantifier of a quantifier, or a lazy one") }
        guard count == nil || most <= 1 && !isPossessive else {
            throw refuse("this quantifier of a group")
        }
        output.unicodeScalars.append(contentsOf: scalars[start..<at])
        return counting(ways: (count ?? 1) * 2, most: most)
    }

    /// Puts a callout behind what may be taken in several ways, where these are many.
    ///
    /// - Returns: As ``piece()``.
    private mutating func counting(ways count: Int, most: Int = 1) -> Int {
        let end = output.utf8.count
        ways = min(ways * count * min(most, Self.uncounted), Self.uncountedWays + 1)
        let all = waysBefore + ways
        if count > 1 && all > Self.uncountedWays || most > Self.uncounted
            || all > 2 && run >= Self.uncountedRun
        {
            callOut()
        }
        return end
    }

    private mutating func callOut() {
        calloutCount += 1
        run = 0
        output += "(?C\(calloutCount % 255 + 1))"
    }

    /// {m}, {m,} or {m,n}, behind the brace.
    ///
    /// - Returns: How often it must and may come.
    private mutating func counted() throws -> (least: Int, most: Int) {
        func number(_ syntax: inout PatternSyntax) -> Int? {
            var value: Int?
            while syntax.at < syntax.scalars.count,
                let digit = Int(String(syntax.scalars[syntax.at])), (value ?? 0) < 10_000
            {
                value = (value ?? 0) * 10 + digit
                syntax.at += 1
            }
            return value
        }
        guard let least = number(&self) else { throw refuse("a { that counts nothing") }
        size += least
        var most = least
        if take(",") { most = number(&self) ?? .max }
        guard take("}"), least <= most else { throw refuse("a count that is not {m,n}") }
        return (least, most)
    }

    /// What a class may have in it.
    private struct Part {
        let text: String
        /// Its only character.
        var one: Unicode.Scalar?

        init(_ one: Unicode.Scalar) { (text, self.one) = (PatternSyntax.escaped(one), one) }
        init(_ text: String) { self.text = text }
    }

    /// One character: a class, an escape or itself.
    private mutating func single() throws -> String {
        let scalar = scalars[at]
        at += 1
        switch scalar {
        case "[": return try bracket()
        case "\\": return "[\(try escape().text)]"
        case ".": return #"[^\n]"#
        case "*", "+", "?", "{": throw refuse("a quantifier of nothing")
        case "^": throw refuse("the anchor ^")
        default: return try literal(scalar).text
        }
    }

    private func literal(_ scalar: Unicode.Scalar) throws -> Part {
        guard !ignoresCase || scalar.isASCII else {
            throw refuse("(?i:…) of \(shown(String(scalar)))")
        }
        if ignoresCase, at >= 2 {
            // Oniguruma lets ß stand for ss there, and ligatures for their letters.
            let pair = String(String.UnicodeScalarView(scalars[(at - 2)..<at])).lowercased()
            if ["ss", "ff", "fi", "fl", "st"].contains(pair) {
                throw refuse("(?i:…) of \(pair), which one character may stand for")
            }
        }
        return Part(scalar)
    }

    /// - Parameter isInner: Whether it is the second side of `&&`.
    private mutating func bracket(isInner: Bool = false) throws -> String {
        if ignoresCase { throw refuse("a class inside (?i:…)") }
        let start = at
        var text = take("^") ? "[^" : "["
        var isFirst = true
        while at < scalars.count, scalars[at] != "]" || isFirst {
            let scalar = scalars[at]
            at += 1
            if scalar == "[" { throw refuse("a class in a class") }
            if scalar == "&", take("&") {
                // PCRE2 has no such class: a look at what comes says the same.
                guard !isFirst, !isInner, scalars[start] != "^", take("[")
                else { throw refuse("a class in a class") }
                let other = try bracket(isInner: true)
                guard take("]") else { throw refuse("a class in a class") }
                return "(?:(?=\(other))\(text)])"
            }
            isFirst = false
            let part = try scalar == "\\" ? escape() : Part(scalar)
            text += part.text
            guard let low = part.one, at + 1 < scalars.count, scalars[at] == "-",
                scalars[at + 1] != "]"
            else { continue }
            var high = scalars[at + 1]
            at += 2
            if high == "\\" {
                guard let escaped = try escape().one else { throw refuse("a range to a class") }
                high = escaped
            }
            guard low <= high else { throw refuse("a range that ends before it starts") }
            text += "-" + Self.escaped(high)
        }
        guard take("]") else { throw refuse("a [ without its ]") }
        return text + "]"
    }

    private mutating func escape() throws -> Part {
        guard at < scalars.count else { throw refuse("a \\ at the end") }
        let scalar = scalars[at]
        at += 1
        switch scalar {
        case "r": return Part("\r")
        case "n": return Part("\n")
        case "t": return Part("\t")
        case "f": return Part("\u{C}")
        case "v": return Part("\u{B}")
        // White_Space; to PCRE2 U+180E is also a space.
        case "s": return Part(#"\t-\r\x{85}\p{Z}"#)
        case "S": return Part(#"\S\x{180e}"#)
        case "d": return Part(#"\p{Nd}"#)
        case "p", "P":
            guard take("{") else { throw refuse("\\p without {…}") }
            let isNegated = (scalar == "P") != take("^")
            let name = String(
                String.UnicodeScalarView(scalars[at...].prefix { $0 != "}" }))
            at += name.unicodeScalars.count
            if Self.scripts.contains(name), take("}") {
                // Without sc: PCRE2 has those in that other scripts share.
                return Part("\\\(isNegated ? "P" : "p"){sc:\(name)}")
            }
            guard take("}"), name.utf8.count == 1 || name.utf8.count == 2,
                Self.categories.contains(where: { $0.hasPrefix(name) })
            else {
                throw refuse(
                    "\\p{\(name)}, which is no general category, nor a script of those known")
            }
            return Part("\\\(isNegated ? "P" : "p"){\(name)}")
        // What other letters and digits mean there is not the same everywhere.
        case "a"..."z", "A"..."Z", "0"..."9": throw refuse("the escape \\\(scalar)")
        default: return try literal(scalar)
        }
    }

    /// Unicode's scripts that have names of one word in both.
    private static let scripts: Set<String> = [
        "Arabic", "Cyrillic", "Devanagari", "Greek", "Han", "Hangul", "Hebrew", "Hiragana",
        "Katakana", "Latin", "Thai",
    ]

    /// Unicode's general categories.
    private static let categories = [
        "Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl", "No", "Pc", "Pd", "Ps", "Pe",
        "Pi", "Pf", "Po", "Sm", "Sc", "Sk", "So", "Zs", "Zl", "Zp", "Cc", "Cf", "Cs", "Co", "Cn",
    ]
}
