internal import Elements

/// What stands behind `|`.
enum Filters {
    /// Filters that this version has.
    static let known: Set<String> = [
        "abs", "attr", "batch", "capitalize", "center", "count", "d", "default", "dictsort",
        "first",
        "float", "format", "groupby", "indent", "int", "items", "join", "last", "length", "list",
        "lower", "map", "max", "min", "reject", "rejectattr", "replace", "reverse", "round", "safe",
        "select", "selectattr", "slice", "sort", "string", "sum", "title", "tojson", "trim",
        "unique",
        "upper", "wordcount",
    ]
    /// Jinja's others, which are refused when they are used.
    static let refused: Set<String> = [
        "e", "escape", "filesizeformat", "forceescape", "pprint", "random", "striptags", "truncate",
        "urlencode", "urlize", "wordwrap", "xmlattr",
    ]
    static let all = known.union(refused)
    /// What may be done with text that `safe` marked.
    static let ofSafe: Set<String> = [
        "safe", "string", "length", "count", "tojson", "default", "d", "list",
    ]
}

extension Interpreter {
    func filter(_ name: String, _ value: Value, _ given: Given) throws -> Value {
        if value.text?.isSafe == true, !Filters.ofSafe.contains(name) {
            throw refusal("the filter '\(name)' behind 'safe'")
        }
        try spend(1 + (value.text?.count ?? 0))
        func parameters(_ names: String...) throws -> Parameters {
            try Parameters(given, "the filter '\(name)'", names, self)
        }
        func text() throws -> Text { try self.text(of: value) }
        switch name {
        case "default", "d":
            let found = try parameters("default_value", "boolean")
            let isMissing = value.isUndefined || found.isTrue("boolean") && !value.isTrue
            return isMissing ? found["default_value"] ?? .text("") : value
        case "safe":
            _ = try parameters()
            return .text(Text(try text().scalars, isSafe: true))
        case "string":
            _ = try parameters()
            return .text(try text())
        case "upper": return .text(try lettered(try text(), \.uppercased))
        case "lower": return .text(try lettered(try text(), \.lowercased))
        case "capitalize": return .text(try lettered(try text(), \.capitalized))
        case "title": return .text(try lettered(try text(), \.filterTitle))
        case "trim": return .text(try text().stripped(of: try parameters("chars").text("chars")))
        case "replace":
            let found = try parameters("old", "new", "count")
            let (old, new) = (
                try self.text(of: try found.required("old")),
                try self.text(of: try found.required("new"))
            )
            return .text(try replacing(try text(), old, new, try found.optionalInteger("count")))
        case "format":
            let arguments: Value =
                given.named.isEmpty
                ? .tuple(try Value.Items(given.values))
                : .dictionary(
                    try mapping(
                        given.order.compactMap { name in
                            Mapping.Key(.text(name)).map { ($0, given.named[name] ?? .none) }
                        }))
            return .text(try format(try text(), arguments))
        case "indent":
            guard let text = value.text else { throw failure("indent of a \(value.typeName)") }
            return .text(try indented(text, try parameters("width", "first", "blank")))
        case "center":
            let width = try parameters("width").integer("width", 80)
            return .text(try padded(try text(), to: width, .both, " "))
        case "wordcount":
            return .integer(try lettered(try text(), \.wordCount))
        case "tojson":
            return .text(
                try json(value, try parameters("ensure_ascii", "indent", "separators", "sort_keys"))
            )
        case "int", "float", "abs", "round":
            return try number(name, value, given)
        case "length", "count":
            _ = try parameters()
            return .integer(try length(of: value))
        case "attr":
            guard let name = try parameters("name").text("name") else {
                throw failure("the filter 'attr' needs a name")
            }
            if case .dictionary = value, try item(.text(name), of: value).isUndefined == false {
                return .undefined(Value.Absence("'dict object' has no attribute '\(name.string)'"))
            }
            return try attribute(name.string, of: value)
        default:
            guard !Filters.refused.contains(name) else { throw refusal("the filter '\(name)'") }
            return try sequenceFilter(name, value, given)
        }
    }

    /// What Unicode's tables make of a text's characters.
    func lettered<Result>(_ text: Text, _ change: (Text) -> Result) throws -> Result {
        try spend(text.count, each: Cost.letter)
        return change(text)
    }

    /// A text with characters around it up to a width.
    func padded(
        _ text: Text, to width: Int, _ side: Text.Side, _ fill: Unicode.Scalar
    ) throws -> Text {
        try spend(max(width, text.count))
        return text.padded(to: width, side, fill)
    }

    func length(of value: Value) throws -> Int {
        switch value {
        case .undefined: 0
        case .text(let text): text.count
        case .list(let items), .tuple(let items): items.values.count
        case .view(let view): view.items.values.count
        case .dictionary(let mapping): mapping.keys.count
        case .range(let span): span.count
        case .loop(let loop): loop.items.count
        default: throw failure("object of type '\(value.typeName)' has no len()")
        }
    }

    func replacing(_ text: Text, _ old: Text, _ new: Text, _ limit: Int?) throws -> Text {
        let limit = limit.flatMap { $0 < 0 ? nil : $0 }
        try spendSearch(text, old)
        let count = min(text.occurrences(of: old), limit ?? .max)
        let (size, overflow) = count.multipliedReportingOverflow(by: new.count)
        try spend(overflow ? Int(Int32.max) : size)
        return text.replacing(old, new, limit: limit)
    }

    private func indented(_ text: Text, _ found: Parameters) throws -> Text {
        let indent: Text
        if let given = found["width"]?.text {
            indent = given
        } else {
            let width = try found.integer("width", 4)
            try spend(max(0, width))
            indent = Text(Array(repeating: " ", count: max(0, width)))
        }
        var scalars = text.scalars
        scalars.append("\n")
        try spend(text.count, each: Cost.letter)
        let lines = Text(scalars).lines(keepsEnds: false)
        try spend(lines.count, each: Cost.part + indent.count)
        var result: [Unicode.Scalar] = []
        for (index, line) in lines.enumerated() {
            if index > 0 {
                result.append("\n")
                if !line.scalars.isEmpty || found.isTrue("blank") { result += indent.scalars }
            }
            result += line.scalars
        }
        return Text(found.isTrue("first") ? indent.scalars + result : result)
    }

    private func json(_ value: Value, _ found: Parameters) throws -> Text {
        var form = JSONForm()
        form.escapesAll = found.isTrue("ensure_ascii")
        form.sortsKeys = found.isTrue("sort_keys")
        switch found["indent"] {
        case nil, .some(.none): break
        case .text(let text): form.indent = text
        case .some(let other):
            guard let width = other.integer else {
                throw failure("tojson needs a whole number for 'indent'")
            }
            try spend(max(0, width))
            form.indent = Text(Array(repeating: " ", count: max(0, width)))
        }
        if form.indent != nil { form.itemSeparator = Text(",") }
        switch found["separators"] {
        case nil, .some(.none): break
        case .some(let other):
            let parts = try elements(of: other).map(\.text)
            guard parts.count == 2, let item = parts[0], let key = parts[1] else {
                throw failure("tojson needs two strings for 'separators'")
            }
            (form.itemSeparator, form.keySeparator) = (item, key)
        }
        return try form.text(of: value, self)
    }
}

extension Text {
    /// As Jinja's filter `title`: words begin behind blanks, `-` and brackets.
    fileprivate var filterTitle: Text {
        var result: [Unicode.Scalar] = []
        var word: [Unicode.Scalar] = []
        func flush() {
            guard let first = word.first else { return }
            result += Text([first]).uppercased.scalars + Text(word.dropFirst()).lowercased.scalars
            word = []
        }
        for scalar in scalars {
            if scalar.isSpace || ["-", "(", "{", "[", "<"].contains(scalar) {
                flush()
                result.append(scalar)
            } else {
                word.append(scalar)
            }
        }
        flush()
        return Text(result)
    }

    fileprivate var wordCount: Int {
        var (count, isInWord) = (0, false)
        for scalar in scalars {
            let belongs = scalar == "_" || scalar.isAlphanumeric
            if belongs, !isInWord { count += 1 }
            isInWord = belongs
        }
        return count
    }

    /// With characters around it up to a width.
    func padded(to width: Int, _ side: Side, _ fill: Unicode.Scalar) -> Text {
        let missing = width > count ? width - count : 0
        var left = 0
        switch side {
        case .left: left = missing
        case .right: left = 0
        case .both: left = missing / 2 + (missing & width & 1)
        }
        return Text(
            Array(repeating: fill, count: left) + scalars
                + Array(repeating: fill, count: missing - left))
    }
}
