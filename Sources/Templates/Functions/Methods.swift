internal import Elements

/// The methods of Python's values.
enum Methods {
    static let names: [String: Set<String>] = [
        "str": [
            "upper", "lower", "capitalize", "title", "swapcase", "casefold", "strip", "lstrip",
            "rstrip",
            "split", "rsplit", "splitlines", "startswith", "endswith", "replace", "join", "find",
            "rfind", "index", "rindex", "count", "isdigit", "isdecimal", "isnumeric", "isalpha",
            "isalnum", "isspace", "isupper", "islower", "zfill", "removeprefix", "removesuffix",
            "center", "ljust", "rjust", "partition", "rpartition",
        ],
        "dict": ["items", "keys", "values", "get", "copy"],
        "list": ["index", "count", "copy"],
        "tuple": ["index", "count"],
        "range": ["index", "count"],
    ]
    /// Methods that Jinja's sandbox does not let a template call.
    static let changing: [String: Set<String>] = [
        "dict": ["clear", "pop", "popitem", "setdefault", "update"],
        "list": ["append", "clear", "pop", "reverse", "insert", "sort", "extend", "remove"],
    ]
    /// Python's others.
    static let refused: [String: Set<String>] = [
        "str": [
            "encode", "expandtabs", "format", "format_map", "isascii", "isidentifier",
            "isprintable",
            "istitle", "maketrans", "translate",
        ],
        "dict": ["fromkeys"],
        "int": [
            "as_integer_ratio", "bit_count", "bit_length", "conjugate", "denominator", "from_bytes",
            "imag",
            "is_integer", "numerator", "real", "to_bytes",
        ],
        "float": ["as_integer_ratio", "conjugate", "fromhex", "hex", "imag", "is_integer", "real"],
        "range": ["start", "step", "stop"],
        "dict_keys": ["isdisjoint", "mapping"], "dict_items": ["isdisjoint", "mapping"],
        "dict_values": ["mapping"], "generator": ["send", "throw", "close"],
    ]
}

extension Interpreter {
    func call(_ name: String, of text: Text, _ given: Given) throws -> Value {
        guard !text.isSafe else { throw refusal("the method '\(name)' of text behind 'safe'") }
        try spend(Cost.call + text.count)
        func parameters(_ names: String...) throws -> Parameters {
            try Parameters(given, "str.\(name)", names, self)
        }
        switch name {
        case "upper": return .text(try lettered(text, \.uppercased))
        case "lower", "casefold":
            if name == "casefold", text.scalars.contains(where: { !$0.isASCII }) {
                throw refusal("casefold of other letters than ASCII's")
            }
            return .text(try lettered(text, \.lowercased))
        case "capitalize": return .text(try lettered(text, \.capitalized))
        case "title": return .text(try lettered(text, \.titlecased))
        case "swapcase": return .text(try lettered(text, \.swappedCase))
        case "strip": return .text(text.stripped(of: try parameters("chars").text("chars")))
        case "lstrip": return .text(text.stripped(.left, of: try parameters("chars").text("chars")))
        case "rstrip":
            return .text(text.stripped(.right, of: try parameters("chars").text("chars")))
        case "split", "rsplit": return try split(name, text, try parameters("sep", "maxsplit"))
        case "splitlines":
            // Each of its characters may end a line.
            try spend(text.count, each: Cost.element)
            let lines = text.lines(keepsEnds: try parameters("keepends").isTrue("keepends"))
            return .list(try Value.Items(lines.map { .text($0) }))
        case "startswith", "endswith": return .bool(try hasEnd(name, text, given))
        case "replace":
            let found = try parameters("old", "new", "count")
            guard let old = try found.text("old"), let new = try found.text("new") else {
                throw failure("replace expected at least 2 arguments")
            }
            return .text(try replacing(text, old, new, try found.optionalInteger("count")))
        case "join":
            var result: [Unicode.Scalar] = []
            for (index, part) in try elements(of: try parameters("iterable").required("iterable"))
                .enumerated()
            {
                guard let part = part.text else {
                    throw failure(
                        "sequence item \(index): expected str instance, \(part.typeName) found")
                }
                try spend(part.count + text.count)
                result += (index > 0 ? text.scalars : []) + part.scalars
            }
            return .text(Text(result))
        case "find", "rfind", "index", "rindex", "count": return try search(name, text, given)
        case "zfill":
            let width = try parameters("width").integer("width", 0)
            if let sign = text.scalars.first, sign == "-" || sign == "+" {
                let digits = try padded(
                    Text(text.scalars.dropFirst()), to: max(width, 1) - 1, .left, "0")
                return .text(Text([sign] + digits.scalars))
            }
            return .text(try padded(text, to: width, .left, "0"))
        case "center", "ljust", "rjust":
            let found = try parameters("width", "fillchar")
            let width = try found.integer("width", 0)
            let fill = try found.text("fillchar") ?? Text(" ")
            guard fill.count == 1 else {
                throw failure("The fill character must be exactly one character long")
            }
            let side: Text.Side = name == "center" ? .both : name == "ljust" ? .right : .left
            return .text(try padded(text, to: width, side, fill.scalars[0]))
        case "removeprefix", "removesuffix":
            guard let part = try parameters("part").text("part") else {
                throw failure("\(name) needs a string")
            }
            if name == "removeprefix" {
                return .text(text.hasPrefix(part) ? Text(text.scalars.dropFirst(part.count)) : text)
            }
            return .text(text.hasSuffix(part) ? Text(text.scalars.dropLast(part.count)) : text)
        case "partition", "rpartition": return try parted(name, text, try parameters("sep"))
        default: return .bool(try lettered(text) { $0.isAll(name) })
        }
    }

    private func split(_ name: String, _ text: Text, _ found: Parameters) throws -> Value {
        let limit = try found.optionalInteger("maxsplit").flatMap { $0 < 0 ? nil : $0 }
        let isRight = name == "rsplit"
        let parts: [Text]
        if let separator = try found.text("sep") {
            guard !separator.scalars.isEmpty else { throw failure("empty separator") }
            try spendSearch(text, separator)
            try spend(text.occurrences(of: separator), each: Cost.part)
            parts =
                isRight
                ? text.splitFromRight(separator, limit: limit) : text.split(separator, limit: limit)
        } else {
            // Every second character may be a word.
            try spend(text.count, each: Cost.element)
            parts = isRight ? text.wordsFromRight(limit: limit) : text.words(limit: limit)
        }
        return .list(try Value.Items(parts.map { .text($0) }))
    }

    /// The part of a text that a search's numbers bound.
    private func bounds(_ given: Given, _ count: Int) throws -> (start: Int, end: Int) {
        func bound(_ index: Int, _ standard: Int) throws -> Int {
            guard index < given.values.count else { return standard }
            if given.values[index].isNone { return standard }
            guard let place = given.values[index].integer else {
                throw failure("slice indices must be integers or None")
            }
            return place < 0 ? max(0, place + count) : place
        }
        return (try bound(1, 0), min(try bound(2, count), count))
    }

    private func search(_ name: String, _ text: Text, _ given: Given) throws -> Value {
        guard let part = given.values.first?.text, given.values.count <= 3, given.named.isEmpty
        else {
            throw failure("\(name) needs a string to look for")
        }
        try spendSearch(text, part)
        let (start, end) = try bounds(given, text.count)
        if name == "count" {
            guard start <= end else { return .integer(0) }
            return .integer(Text(text.scalars[start..<end]).occurrences(of: part))
        }
        let place =
            name.hasPrefix("r")
            ? text.lastPlace(of: part, from: start, to: end)
            : text.firstPlace(of: part, from: start, to: end)
        if place == nil, name.hasSuffix("index") { throw failure("substring not found") }
        return .integer(place ?? -1)
    }

    private func hasEnd(_ name: String, _ text: Text, _ given: Given) throws -> Bool {
        guard let first = given.values.first, given.values.count <= 3, given.named.isEmpty else {
            throw failure("\(name) needs a string")
        }
        var parts: [Text] = []
        if case .tuple(let items) = first { parts = items.values.compactMap(\.text) }
        if let part = first.text {
            parts = [part]
        } else if case .tuple(let items) = first, parts.count == items.values.count {
        } else {
            throw failure("\(name) first arg must be str or a tuple of str, not \(first.typeName)")
        }
        let (start, end) = try bounds(given, text.count)
        guard start <= end else { return false }
        for part in parts { try spend(1 + part.count) }
        let part = start == 0 && end == text.count ? text : Text(text.scalars[start..<end])
        return parts.contains { name == "startswith" ? part.hasPrefix($0) : part.hasSuffix($0) }
    }

    private func parted(_ name: String, _ text: Text, _ found: Parameters) throws -> Value {
        guard let separator = try found.text("sep"), !separator.scalars.isEmpty else {
            throw failure("empty separator")
        }
        try spendSearch(text, separator)
        let isRight = name == "rpartition"
        let place = isRight ? text.lastPlace(of: separator) : text.firstPlace(of: separator)
        let none = Text([])
        guard let place else {
            return .tuple(
                try Value.Items(
                    (isRight ? [none, none, text] : [text, none, none]).map { .text($0) }))
        }
        return .tuple(
            try Value.Items([
                .text(Text(text.scalars[..<place])), .text(separator),
                .text(Text(text.scalars[(place + separator.count)...])),
            ]))
    }

    func call(_ name: String, of mapping: Mapping, _ given: Given) throws -> Value {
        if name == "get" {
            let found = try Parameters(given, "dict.get", ["key", "default"], self)
            return mapping[try key(try found.required("key"))] ?? found["default"] ?? .none
        }
        _ = try Parameters(given, "dict.\(name)", [], self)
        try spend(mapping.keys.count, each: name == "items" ? Cost.member : Cost.element)
        switch name {
        case "keys":
            return .view(
                Value.View(kind: "dict_keys", items: try Value.Items(mapping.keys.map(\.value))))
        case "values":
            return .view(Value.View(kind: "dict_values", items: try Value.Items(mapping.values)))
        case "items":
            return .view(Value.View(kind: "dict_items", items: try Value.Items(mapping.items())))
        default: return .dictionary(mapping)
        }
    }

    func call(_ name: String, of values: [Value], _ value: Value, _ given: Given) throws -> Value {
        if name == "copy" { return value }
        guard let wanted = given.values.first, given.values.count == 1, given.named.isEmpty else {
            throw failure("\(name) takes one value")
        }
        var count = 0
        for (index, element) in values.enumerated() where try equals(element, wanted) {
            if name == "index" { return .integer(index) }
            count += 1
        }
        guard name == "count" else { throw failure("a value that is not in the \(value.typeName)") }
        return .integer(count)
    }
}

extension Text {
    /// As Python's `isdigit` and its like: all characters are of a kind, and there is one.
    fileprivate func isAll(_ name: String) -> Bool {
        guard !scalars.isEmpty else { return false }
        switch name {
        case "isspace": return scalars.allSatisfy(\.isSpace)
        case "isalpha": return scalars.allSatisfy(\.isAlphabetic)
        case "isalnum": return scalars.allSatisfy(\.isAlphanumeric)
        case "isdecimal": return scalars.allSatisfy { $0.properties.numericType == .decimal }
        case "isdigit":
            return scalars.allSatisfy {
                $0.properties.numericType == .decimal || $0.properties.numericType == .digit
            }
        case "isnumeric": return scalars.allSatisfy { $0.properties.numericType != nil }
        case "isupper": return isUpper
        default: return isLower
        }
    }
}
