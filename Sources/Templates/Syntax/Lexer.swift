internal import Elements

/// Divides a template into tokens, with white space as transformers sets Jinja up: the line break behind a
/// block goes (`trim_blocks`), and so do blanks in front of one that begins its line (`lstrip_blocks`).
struct Lexer {
    private let source: [Unicode.Scalar]
    private var place = 0
    private var line = 1
    private var tokens: [Token] = []

    /// - Throws: `.badTokenizer` with the line.
    static func tokens(of text: String) throws -> [Token] {
        var lexer = Lexer(text)
        try lexer.run()
        return lexer.tokens
    }

    private init(_ text: String) {
        var scalars: [Unicode.Scalar] = []
        var wasReturn = false
        for scalar in text.unicodeScalars {
            if scalar == "\n", wasReturn {
                wasReturn = false
                continue
            }
            wasReturn = scalar == "\r"
            scalars.append(wasReturn ? "\n" : scalar)
        }
        if scalars.last == "\n" { scalars.removeLast() }
        source = scalars
    }

    private mutating func run() throws {
        while place < source.count {
            guard let start = nextOpening() else {
                tokens.append(Token(kind: .data(Array(source[place...])), line: line))
                break
            }
            let kind = source[start + 1]
            if kind == "%", let content = rawStart(start) {
                addData(until: start, sign: sign(at: start + 2), isVariable: false)
                move(to: content)
                try readRaw()
                continue
            }
            let sign = sign(at: start + 2)
            addData(until: start, sign: sign, isVariable: kind == "{")
            move(to: start + 2 + (sign == nil ? 0 : 1))
            switch kind {
            case "#": try skipComment()
            case "{": try readTag(.variableStart, .variableEnd)
            default: try readTag(.blockStart, .blockEnd)
            }
        }
        tokens.append(Token(kind: .end, line: line))
    }

    // MARK: Text

    private func nextOpening() -> Int? {
        var at = place
        while at + 1 < source.count {
            if source[at] == "{", ["{", "%", "#"].contains(source[at + 1]) { return at }
            at += 1
        }
        return nil
    }

    private func sign(at place: Int) -> Unicode.Scalar? {
        scalar(place).flatMap { $0 == "-" || $0 == "+" ? $0 : nil }
    }

    private mutating func addData(until end: Int, sign: Unicode.Scalar?, isVariable: Bool) {
        var text = source[place..<end]
        if sign == "-" {
            while text.last?.isSpace == true { text.removeLast() }
        } else if sign != "+", !isVariable {
            let lineStart = text.lastIndex(of: "\n").map { $0 + 1 }
            let startsLine = place == 0 || source[place - 1] == "\n"
            if lineStart != nil || startsLine {
                let start = lineStart ?? text.startIndex
                if text[start...].allSatisfy(\.isSpace) { text = text[..<start] }
            }
        }
        if !text.isEmpty { tokens.append(Token(kind: .data(Array(text)), line: line)) }
        move(to: end)
    }

    /// Where the text behind `{% raw %}` begins.
    private func rawStart(_ start: Int) -> Int? {
        guard let name = word("raw", at: start + 2 + (sign(at: start + 2) == nil ? 0 : 1)) else {
            return nil
        }
        if matches("-%}", name) { return spaceEnd(name + 3) }
        return matches("%}", name) ? name + 2 : nil
    }

    /// Behind a word with white space around it.
    private func word(_ word: String, at start: Int) -> Int? {
        let begin = spaceEnd(start)
        return matches(word, begin) ? spaceEnd(begin + word.unicodeScalars.count) : nil
    }

    private mutating func readRaw() throws {
        for at in place..<max(place, source.count) where matches("{%", at) {
            let sign = sign(at: at + 2)
            guard let behind = word("endraw", at: at + 2 + (sign == nil ? 0 : 1)),
                let end = blockEnd(behind)
            else { continue }
            addData(until: at, sign: sign, isVariable: false)
            return move(to: end)
        }
        throw fault("{% raw %} without its {% endraw %}")
    }

    private mutating func skipComment() throws {
        for at in place..<max(place, source.count) {
            if let end = tagEnd("#}", at) { return move(to: end) }
        }
        throw fault("a comment without its end")
    }

    /// Behind the end of a block or a comment, with the white space that goes with it.
    private func tagEnd(_ end: String, _ at: Int) -> Int? {
        if matches("+" + end, at) { return at + 3 }
        if matches("-" + end, at) { return spaceEnd(at + 3) }
        guard matches(end, at) else { return nil }
        return at + 2 + (scalar(at + 2) == "\n" ? 1 : 0)
    }

    private func blockEnd(_ at: Int) -> Int? { tagEnd("%}", at) }

    // MARK: Inside of tags

    private mutating func readTag(_ start: Token.Kind, _ end: Token.Kind) throws {
        add(start)
        var open: [String] = []
        while place < source.count {
            if open.isEmpty {
                var behind: Int?
                if end == .blockEnd {
                    behind = blockEnd(place)
                } else if matches("-}}", place) {
                    behind = spaceEnd(place + 3)
                } else if matches("}}", place) {
                    behind = place + 2
                }
                if let behind {
                    add(end)
                    return move(to: behind)
                }
            }
            let scalar = source[place]
            if scalar.isSpace {
                move(to: place + 1)
            } else if ("0"..."9").contains(scalar) {
                try readNumber()
            } else if scalar == "_" || scalar.isAlphanumeric {
                try readName()
            } else if scalar == "'" || scalar == "\"" {
                try readText(scalar)
            } else {
                try readSign(&open)
            }
        }
        throw fault("a tag without its end")
    }

    private mutating func readName() throws {
        var end = place
        while let scalar = scalar(end),
            scalar == "_" || scalar.isAlphanumeric || scalar.properties.isXIDContinue
        {
            end += 1
        }
        guard source[place] == "_" || source[place].properties.isXIDStart else {
            throw fault("a name that does not begin with a letter")
        }
        add(.name(Text(source[place..<end]).string))
        move(to: end)
    }

    private mutating func readSign(_ open: inout [String]) throws {
        let pairs = ["//", "**", "==", "!=", ">=", "<="]
        if let pair = pairs.first(where: { matches($0, place) }) {
            add(.sign(pair))
            return move(to: place + 2)
        }
        let sign = String(Character(source[place]))
        switch sign {
        case "(", "[", "{": open.append(sign == "(" ? ")" : sign == "[" ? "]" : "}")
        case ")", "]", "}":
            guard let expected = open.popLast() else { throw fault("'\(sign)' closes nothing") }
            guard expected == sign else { throw fault("'\(sign)' where '\(expected)' is expected") }
        case "+", "-", "/", "*", "%", "~", ">", "<", "=", ".", ":", "|", ",", ";": break
        default: throw fault("the character '\(sign)' inside a tag")
        }
        add(.sign(sign))
        move(to: place + 1)
    }

    // MARK: Numbers and strings

    private mutating func readNumber() throws {
        let behindPoint = place > 0 && source[place - 1] == "."
        if !behindPoint, let end = floatEnd() {
            let text = Text(source[place..<end]).string.filter { $0 != "_" }
            guard let number = Double(text) else { throw fault("'\(text)' is no number") }
            add(.number(number))
            return move(to: end)
        }
        var (radix, start) = (10, place)
        if source[place] == "0", let letter = scalar(place + 1),
            let found = ["x": 16, "X": 16, "o": 8, "O": 8, "b": 2, "B": 2][letter]
        {
            let isDigit = digitsEnd(place + 2, radix: found, leadingLine: true) > place + 2
            if isDigit { (radix, start) = (found, place + 2) }
        }
        let end = digitsEnd(start, radix: radix, leadingLine: radix != 10)
        let text = Text(source[start..<end]).string.filter { $0 != "_" }
        guard radix != 10 || text.count == 1 || text.first != "0" || text.allSatisfy({ $0 == "0" })
        else { throw fault("the number \(text) begins with 0") }
        guard let integer = Int(text, radix: radix) else {
            throw CambiumError(
                .unsupported, "line \(line): the number \(text) has more than 64 bits")
        }
        add(.integer(integer))
        move(to: end)
    }

    private func digitsEnd(_ start: Int, radix: Int, leadingLine: Bool = false) -> Int {
        var end = start
        while let digit = scalar(end) {
            if digit == "_" {
                guard end > start || leadingLine, isDigit(end + 1, radix) else { break }
            } else if !isDigit(end, radix) {
                break
            }
            end += 1
        }
        return end
    }

    private func isDigit(_ place: Int, _ radix: Int) -> Bool {
        guard let digit = scalar(place), digit.isASCII else { return false }
        return Character(digit).hexDigitValue.map { $0 < radix } ?? false
    }

    /// Behind a number with a point or an exponent; nil where there is none.
    private func floatEnd() -> Int? {
        var end = digitsEnd(place, radix: 10)
        var isFloat = false
        if scalar(end) == ".", isDigit(end + 1, 10) {
            end = digitsEnd(end + 1, radix: 10)
            isFloat = true
        }
        if scalar(end) == "e" || scalar(end) == "E" {
            let sign = sign(at: end + 1) == nil ? 0 : 1
            if isDigit(end + 1 + sign, 10) {
                return digitsEnd(end + 1 + sign, radix: 10)
            }
        }
        return isFloat ? end : nil
    }

    private mutating func readText(_ quote: Unicode.Scalar) throws {
        var content: [Unicode.Scalar] = []
        var at = place + 1
        while let scalar = scalar(at) {
            at += 1
            if scalar == quote {
                add(.text(content))
                return move(to: at)
            }
            guard scalar == "\\", let next = self.scalar(at) else {
                content.append(scalar)
                continue
            }
            at += 1
            switch next {
            case "\n": break
            case "\\", "'", "\"": content.append(next)
            case "n": content.append("\n")
            case "r": content.append("\r")
            case "t": content.append("\t")
            case "a": content.append("\u{7}")
            case "b": content.append("\u{8}")
            case "f": content.append("\u{C}")
            case "v": content.append("\u{B}")
            case "x", "u", "U":
                let width = next == "x" ? 2 : next == "u" ? 4 : 8
                let digits = Text(source[at..<min(at + width, source.count)]).string
                guard digits.unicodeScalars.count == width,
                    (at..<at + width).allSatisfy({ isDigit($0, 16) }),
                    let scalar = UInt32(digits, radix: 16).flatMap(Unicode.Scalar.init)
                else { throw fault("the escape \\\(next)\(digits) is no character") }
                content.append(scalar)
                at += width
            case "0"..."7":
                var value = next.value - 48
                for _ in 0..<2 where isDigit(at, 8) {
                    value = value * 8 + source[at].value - 48
                    at += 1
                }
                content.append(Unicode.Scalar(value) ?? " ")
            case "N": throw fault("the escape \\N is not supported; write the character")
            default: content += ["\\", next]
            }
        }
        throw fault("a string without its closing quote")
    }

    // MARK: Places

    private func scalar(_ place: Int) -> Unicode.Scalar? {
        source.indices.contains(place) ? source[place] : nil
    }

    private func matches(_ text: String, _ place: Int) -> Bool {
        place <= source.count && source[place...].starts(with: text.unicodeScalars)
    }

    private func spaceEnd(_ start: Int) -> Int {
        var end = start
        while let scalar = scalar(end), scalar.isSpace { end += 1 }
        return end
    }

    private mutating func move(to end: Int) {
        for scalar in source[place..<end] where scalar == "\n" { line += 1 }
        place = end
    }

    private mutating func add(_ kind: Token.Kind) { tokens.append(Token(kind: kind, line: line)) }

    private func fault(_ message: String) -> CambiumError { .badTemplate(message, line: line) }
}

extension CambiumError {
    /// A template that is not what Jinja reads.
    static func badTemplate(_ message: String, line: Int) -> CambiumError {
        CambiumError(.badTokenizer, "line \(line): \(message)")
    }
}
