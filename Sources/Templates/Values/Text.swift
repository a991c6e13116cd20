/// A text as templates see it: Unicode scalars, counted, cut and compared as Python does.
struct Text: Hashable, Sendable {
    var scalars: [Unicode.Scalar]
    /// Whether the filter `safe` made it: joining it by `+` would spell other text out in HTML.
    var isSafe = false

    init(_ scalars: [Unicode.Scalar], isSafe: Bool = false) {
        self.scalars = scalars
        self.isSafe = isSafe
    }

    init(_ scalars: ArraySlice<Unicode.Scalar>) { self.scalars = Array(scalars) }

    init(_ text: String) { scalars = Array(text.unicodeScalars) }

    static func == (left: Text, right: Text) -> Bool { left.scalars == right.scalars }

    func hash(into hasher: inout Hasher) { hasher.combine(scalars) }

    var string: String {
        var view = String.UnicodeScalarView()
        view.append(contentsOf: scalars)
        return String(view)
    }

    var count: Int { scalars.count }

    func precedes(_ other: Text) -> Bool {
        scalars.lexicographicallyPrecedes(other.scalars) { $0.value < $1.value }
    }
}

extension Unicode.Scalar {
    /// As Python's `str.isspace`.
    var isSpace: Bool { properties.isWhitespace || (0x1C...0x1F).contains(value) }

    /// Whether `str.splitlines` ends a line here.
    var endsLine: Bool {
        switch value {
        case 0x0A...0x0D, 0x1C...0x1E, 0x85, 0x2028, 0x2029: true
        default: false
        }
    }

    var isAlphabetic: Bool {
        switch properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter:
            true
        default: false
        }
    }

    /// As Python's `str.isalnum`.
    var isAlphanumeric: Bool { isAlphabetic || properties.numericType != nil }

    /// Whether `repr` writes it as it is.
    var isPrintable: Bool {
        if value == 0x20 { return true }
        switch properties.generalCategory {
        case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator,
            .paragraphSeparator, .spaceSeparator:
            return false
        default: return true
        }
    }
}

extension Text {
    enum Side { case left, right, both }

    /// Without the characters of a set at its ends; nil for white space.
    func stripped(_ side: Side = .both, of set: Text? = nil) -> Text {
        let goes: (Unicode.Scalar) -> Bool
        if let set {
            let members = Set(set.scalars)
            goes = { members.contains($0) }
        } else {
            goes = { $0.isSpace }
        }
        var rest = scalars[...]
        if side != .right { rest = rest.drop(while: goes) }
        if side != .left {
            while let last = rest.last, goes(last) { rest.removeLast() }
        }
        return Text(rest)
    }

    /// Where another text begins, at a place or behind it.
    func firstPlace(of other: Text, from start: Int = 0, to end: Int? = nil) -> Int? {
        let end = end ?? count
        guard start <= end, other.count <= end - start else { return nil }
        guard let first = other.scalars.first else { return start }
        var place = start
        while place <= end - other.count {
            if scalars[place] == first,
                scalars[place..<place + other.count].elementsEqual(other.scalars)
            {
                return place
            }
            place += 1
        }
        return nil
    }

    func lastPlace(of other: Text, from start: Int = 0, to end: Int? = nil) -> Int? {
        let end = end ?? count
        guard start <= end, other.count <= end - start else { return nil }
        var place = end - other.count
        while place >= start {
            if scalars[place..<place + other.count].elementsEqual(other.scalars) { return place }
            place -= 1
        }
        return nil
    }

    func hasPrefix(_ other: Text) -> Bool { scalars.starts(with: other.scalars) }

    func hasSuffix(_ other: Text) -> Bool {
        scalars.suffix(other.count).elementsEqual(other.scalars)
    }

    /// The parts between occurrences of a separator, at most `limit` cuts from the left; none for all.
    func split(_ separator: Text, limit: Int?) -> [Text] {
        var parts: [Text] = []
        var start = 0
        while limit.map({ parts.count < $0 }) ?? true,
            let place = firstPlace(of: separator, from: start)
        {
            parts.append(Text(scalars[start..<place]))
            start = place + separator.count
        }
        parts.append(Text(scalars[start...]))
        return parts
    }

    func splitFromRight(_ separator: Text, limit: Int?) -> [Text] {
        var parts: [Text] = []
        var end = count
        while limit.map({ parts.count < $0 }) ?? true,
            let place = lastPlace(of: separator, to: end)
        {
            parts.append(Text(scalars[place + separator.count..<end]))
            end = place
        }
        parts.append(Text(scalars[..<end]))
        return parts.reversed()
    }

    /// The words between white space.
    func words(limit: Int?) -> [Text] {
        var parts: [Text] = []
        var rest = scalars[...].drop { $0.isSpace }
        while !rest.isEmpty {
            if let limit, parts.count >= limit {
                parts.append(Text(rest))
                break
            }
            let word = rest.prefix { !$0.isSpace }
            parts.append(Text(word))
            rest = rest[word.endIndex...].drop { $0.isSpace }
        }
        return parts
    }

    func wordsFromRight(limit: Int?) -> [Text] {
        guard let limit else { return words(limit: nil) }
        var parts: [Text] = []
        var rest = stripped(.right).scalars[...]
        while !rest.isEmpty {
            if parts.count >= limit {
                parts.append(Text(rest))
                break
            }
            let word = rest.reversed().prefix { !$0.isSpace }
            parts.append(Text(Array(word.reversed())))
            rest = Text(rest.dropLast(word.count)).stripped(.right).scalars[...]
        }
        return parts.reversed().filter { !$0.scalars.isEmpty }
    }

    func lines(keepsEnds: Bool) -> [Text] {
        var parts: [Text] = []
        var start = 0
        var place = 0
        while place < count {
            guard scalars[place].endsLine else {
                place += 1
                continue
            }
            var next = place + 1
            if scalars[place] == "\r", next < count, scalars[next] == "\n" { next += 1 }
            parts.append(Text(scalars[start..<(keepsEnds ? next : place)]))
            (start, place) = (next, next)
        }
        if start < count { parts.append(Text(scalars[start...])) }
        return parts
    }

    /// With occurrences of a text in another's place, at most `limit` from the left.
    func replacing(_ old: Text, _ new: Text, limit: Int?) -> Text {
        if let limit, limit <= 0 { return self }
        if old.scalars.isEmpty {
            var result: [Unicode.Scalar] = []
            for (index, scalar) in scalars.enumerated() {
                if limit.map({ index < $0 }) ?? true { result += new.scalars }
                result.append(scalar)
            }
            if limit.map({ count < $0 }) ?? true { result += new.scalars }
            return Text(result)
        }
        let parts = split(old, limit: limit)
        return Text(Array(parts.map(\.scalars).joined(separator: new.scalars)))
    }

    func occurrences(of other: Text) -> Int {
        if other.scalars.isEmpty { return count + 1 }
        var (found, start) = (0, 0)
        while let place = firstPlace(of: other, from: start) {
            found += 1
            start = place + other.count
        }
        return found
    }
}
