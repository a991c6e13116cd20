internal import Elements

extension Interpreter {
    /// Filters of values in order.
    func sequenceFilter(_ name: String, _ value: Value, _ given: Given) throws -> Value {
        func parameters(_ names: String...) throws -> Parameters {
            try Parameters(given, "the filter '\(name)'", names, self)
        }
        func elements() throws -> [Value] {
            let elements = try self.elements(of: value)
            try spend(elements.count, each: Cost.element)
            return elements
        }
        switch name {
        case "list": return .list(try Value.Items(elements()))
        case "first":
            return try elements().first
                ?? .undefined(Value.Absence("No first item, sequence was empty."))
        case "last":
            if case .iterator = value { throw failure("'generator' object is not reversible") }
            return try elements().last
                ?? .undefined(Value.Absence("No last item, sequence was empty."))
        case "join": return .text(try joined(try elements(), try parameters("d", "attribute")))
        case "reverse":
            if case .text(let text) = value { return .text(Text(Array(text.scalars.reversed()))) }
            return .iterator(try Supply(elements().reversed()))
        case "items":
            if value.isUndefined { return .iterator(try Supply([])) }
            guard case .dictionary(let mapping) = value else {
                throw failure("Can only get item pairs from a mapping.")
            }
            try spend(mapping.keys.count, each: Cost.member)
            return .iterator(try Supply(mapping.items()))
        case "select", "reject", "selectattr", "rejectattr":
            return .iterator(try Supply(selected(name, try elements(), given)))
        case "map": return .iterator(try Supply(mapped(try elements(), given)))
        case "sort":
            let found = try parameters("reverse", "case_sensitive", "attribute")
            let key = try self.key(found["attribute"], found.isTrue("case_sensitive"))
            return .list(
                try Value.Items(sorted(try elements(), found.isTrue("reverse"), by: key)))
        case "min", "max":
            let found = try parameters("case_sensitive", "attribute")
            let key = try self.key(found["attribute"], found.isTrue("case_sensitive"))
            return try extreme(try elements(), isGreatest: name == "max", by: key)
        case "unique":
            let found = try parameters("case_sensitive", "attribute")
            return .iterator(
                try Supply(
                    unique(
                        try elements(),
                        try self.key(found["attribute"], found.isTrue("case_sensitive")))))
        case "sum":
            let found = try parameters("attribute", "start")
            var sum = found["start"] ?? .integer(0)
            for element in try elements() {
                sum = try binary("+", sum, try part(found["attribute"], of: element))
            }
            return sum
        case "dictsort":
            return try sortedPairs(value, try parameters("case_sensitive", "by", "reverse"))
        case "batch", "slice":
            let found = try parameters(name == "batch" ? "linecount" : "slices", "fill_with")
            let count = try found.integer(name == "batch" ? "linecount" : "slices", 0)
            guard count > 0 else { throw failure("the filter '\(name)' needs a number above 0") }
            let parts =
                name == "batch"
                ? try batches(try elements(), count, found["fill_with"])
                : try slices(try elements(), count, found["fill_with"])
            return .iterator(try Supply(parts.map { .list(try Value.Items($0)) }))
        case "groupby":
            return try groups(
                try elements(), try parameters("attribute", "default", "case_sensitive"))
        default: throw refusal("the filter '\(name)'")
        }
    }

    private func joined(_ values: [Value], _ found: Parameters) throws -> Text {
        let separator = try found["d"].map { try text(of: $0) } ?? Text([])
        var result: [Unicode.Scalar] = []
        for (index, value) in values.enumerated() {
            if index > 0 { result += separator.scalars }
            let part = try text(of: try part(found["attribute"], of: value))
            try spend(separator.count + part.count)
            result += part.scalars
        }
        return Text(result)
    }

    /// What a filter's `attribute` names: `a.b.0`, or nothing for the value itself.
    private func part(
        _ path: Value?, of value: Value, standard: Value? = nil
    ) throws -> Value {
        switch path {
        case nil, .some(.none): return value
        case .integer: return try item(path ?? .none, of: value)
        case .text(let path):
            var value = value
            try spend(path.count, each: Cost.element)
            for name in path.split(Text("."), limit: nil) {
                let index: Value = Int(name.string).map { .integer($0) } ?? .text(name)
                value = try item(index, of: value)
                if let standard, !standard.isNone, value.isUndefined { value = standard }
            }
            return value
        case .some(let other): throw failure("an attribute's name is no \(other.typeName)")
        }
    }

    /// What values are ordered by.
    private func key(
        _ attribute: Value?, _ isCaseSensitive: Bool
    ) throws -> (Value) throws -> Value {
        { [self] value in
            let found = try part(attribute, of: value)
            guard !isCaseSensitive, let text = found.text else { return found }
            return .text(try lettered(text, \.lowercased))
        }
    }

    private func sorted(
        _ values: [Value], _ isReversed: Bool, by key: (Value) throws -> Value
    ) throws -> [Value] {
        let keyed = try values.enumerated().map { ($0, try key($1), $1) }
        return try keyed.sorted { left, right in
            try spend(Cost.part)
            if try isReversed ? isLess(right.1, left.1) : isLess(left.1, right.1) { return true }
            if try isReversed ? isLess(left.1, right.1) : isLess(right.1, left.1) { return false }
            return left.0 < right.0
        }.map(\.2)
    }

    private func extreme(
        _ values: [Value], isGreatest: Bool, by key: (Value) throws -> Value
    ) throws -> Value {
        guard var best = values.first else {
            return .undefined(Value.Absence("No aggregated item, sequence was empty."))
        }
        var bestKey = try key(best)
        for value in values.dropFirst() {
            let found = try key(value)
            if try isGreatest ? isLess(bestKey, found) : isLess(found, bestKey) {
                (best, bestKey) = (value, found)
            }
        }
        return best
    }

    private func unique(_ values: [Value], _ key: (Value) throws -> Value) throws -> [Value] {
        var seen: Set<Mapping.Key> = []
        return try values.filter {
            try spend(Cost.part)
            return seen.insert(try self.key(try key($0))).inserted
        }
    }

    private func sortedPairs(_ value: Value, _ found: Parameters) throws -> Value {
        guard case .dictionary(let mapping) = value else {
            throw failure("dictsort needs a dict, not a \(value.typeName)")
        }
        let by = try found.text("by")?.string ?? "key"
        guard by == "key" || by == "value" else {
            throw failure("You can only sort by either \"key\" or \"value\"")
        }
        let place = Value.integer(by == "key" ? 0 : 1)
        let key = try key(place, found.isTrue("case_sensitive"))
        try spend(mapping.keys.count, each: Cost.member)
        return .list(
            try Value.Items(sorted(try mapping.items(), found.isTrue("reverse"), by: key)))
    }

    private func batches(_ values: [Value], _ count: Int, _ fill: Value?) throws -> [[Value]] {
        try spend(values.count / count + 1, each: Cost.part)
        var parts = stride(from: 0, to: values.count, by: min(count, max(values.count, 1))).map {
            Array(
                values[
                    $0..<min(values.count - $0 > count ? $0 + count : values.count, values.count)])
        }
        if let fill, !fill.isNone, let last = parts.last, last.count < count {
            try spend(count - last.count, each: Cost.element)
            parts[parts.count - 1] += Array(repeating: fill, count: count - last.count)
        }
        return parts
    }

    private func slices(_ values: [Value], _ count: Int, _ fill: Value?) throws -> [[Value]] {
        try spend(count, each: Cost.part)
        let (size, more) = (values.count / count, values.count % count)
        return (0..<count).map { index in
            let start = index * size + min(index, more)
            let end = start + size + (index < more ? 1 : 0)
            var part = Array(values[start..<end])
            if let fill, !fill.isNone, index >= more { part.append(fill) }
            return part
        }
    }

    private func groups(_ values: [Value], _ found: Parameters) throws -> Value {
        let attribute = try found.required("attribute")
        let isCaseSensitive = found.isTrue("case_sensitive")
        let exact: (Value) throws -> Value = { [self] in
            try part(attribute, of: $0, standard: found["default"])
        }
        let key: (Value) throws -> Value = { [self] value in
            let found = try exact(value)
            guard !isCaseSensitive, let text = found.text else { return found }
            return .text(try lettered(text, \.lowercased))
        }
        var groups: [(key: Value, name: Value, values: [Value])] = []
        for value in try sorted(values, false, by: key) {
            try spend(Cost.member)
            let found = try key(value)
            if let last = groups.last, try equals(last.key, found) {
                groups[groups.count - 1].values.append(value)
            } else {
                groups.append((found, isCaseSensitive ? found : try exact(value), [value]))
            }
        }
        return .list(
            try Value.Items(
                groups.map {
                    .tuple(try Value.Items([$0.name, .list(try Value.Items($0.values))]))
                }))
    }

    // MARK: By other filters and tests

    private func selected(_ name: String, _ values: [Value], _ given: Given) throws -> [Value] {
        var arguments = given
        var attribute: Value?
        if name.hasSuffix("attr") {
            guard !arguments.values.isEmpty else {
                throw failure("Missing parameter for attribute name")
            }
            attribute = arguments.values.removeFirst()
        }
        var test: String?
        if !arguments.values.isEmpty {
            guard let found = arguments.values.removeFirst().text?.string, Tests.all.contains(found)
            else { throw failure("the filter '\(name)' needs a test's name") }
            test = found
        }
        return try values.filter { value in
            let part = try part(attribute, of: value)
            let holds = if let test { try self.test(test, part, arguments) } else { part.isTrue }
            return holds == name.hasPrefix("select")
        }
    }

    private func mapped(_ values: [Value], _ given: Given) throws -> [Value] {
        var arguments = given
        if given.values.isEmpty, let attribute = given.named["attribute"] {
            guard given.order.allSatisfy({ $0 == "attribute" || $0 == "default" }) else {
                throw failure("map has no argument '\(given.order.last ?? "")'")
            }
            return try values.map { try part(attribute, of: $0, standard: given.named["default"]) }
        }
        guard !arguments.values.isEmpty,
            let name = arguments.values.removeFirst().text?.string, Filters.all.contains(name)
        else { throw failure("map requires a filter argument") }
        return try values.map { try filter(name, $0, arguments) }
    }
}

extension Value {
    var isNone: Bool { if case .none = self { true } else { false } }
}
