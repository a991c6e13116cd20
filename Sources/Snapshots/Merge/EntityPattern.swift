internal import Elements

/// Names entities of a model, one or all that fit: `1/17`, `router 0/*`, `lm_head.weight`.
///
/// docs/merging.md, "Entities", has the grammar.
package struct EntityPattern: Sendable, Hashable {
    /// What is named.
    package enum Form: Sendable, Hashable {
        case experts(layer: NumberSet, pool: Wildcard, ordinal: NumberSet)
        /// Rows of every tensor of a layer's router.
        case rows(layer: NumberSet, pool: Wildcard, row: NumberSet)
        /// Rows of router tensors by name.
        case tensorRows(Wildcard, NumberSet)
        case tensors(Wildcard)
        case files(Wildcard)
        /// Tensors and files.
        case names(Wildcard)
        /// All experts of a layer's pool and its router.
        case pools(layer: NumberSet, pool: Wildcard)
        case architecture
    }

    package let form: Form

    /// - Throws: `usage` for a text that names nothing.
    package init(_ text: String) throws {
        let text = text.trimmed
        guard !text.isEmpty else {
            throw CambiumError(
                .usage,
                "an empty text names no expert, router row, tensor or file; write for example 1/17")
        }
        form = try Self.parse(text)
    }

    package init(_ form: Form) { self.form = form }

    private static func parse(_ text: String) throws -> Form {
        if text == "architecture" { return .architecture }
        if let name = rest(text, ["file "]) { return .files(Wildcard(name)) }
        if let name = rest(text, ["tensor ", "trunk "]) { return .tensors(Wildcard(name)) }
        if let path = rest(text, ["expert "]) {
            guard let found = try numbers(path), let last = found.last else {
                throw CambiumError(
                    .usage, "'\(text)' names no expert: write LAYER/EXPERT or LAYER/POOL/EXPERT")
            }
            return .experts(layer: found.layer, pool: found.pool, ordinal: last)
        }
        if let path = rest(text, ["router row ", "router "]) { return try router(path, text) }
        if let path = rest(text, ["pool ", "cohort "]) {
            let parts = path.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, !parts[1].isEmpty, let layer = try NumberSet(parts[0]) else {
                throw CambiumError(.usage, "'\(text)' names no pool: write pool LAYER/POOL")
            }
            return .pools(layer: layer, pool: Wildcard(parts[1]))
        }
        if let found = try numbers(text[...]), let last = found.last {
            return .experts(layer: found.layer, pool: found.pool, ordinal: last)
        }
        if let (name, rows) = try indexed(text[...]) { return .tensorRows(Wildcard(name), rows) }
        return .names(Wildcard(text[...]))
    }

    /// What follows `router`: `LAYER/ROW`, `LAYER/POOL/ROW`, or as conflicts are listed
    /// `LAYER/POOL/TENSOR` and `LAYER/POOL/TENSOR[ROW]`.
    private static func router(_ path: Substring, _ text: String) throws -> Form {
        if let found = try numbers(path), let last = found.last {
            return .rows(layer: found.layer, pool: found.pool, row: last)
        }
        let parts = path.split(separator: "/", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3, try NumberSet(parts[0]) != nil, !parts[2].isEmpty else {
            throw CambiumError(
                .usage,
                "'\(text)' names no row of a router: write router LAYER/ROW, router "
                    + "LAYER/POOL/ROW or TENSOR[ROW]")
        }
        if let (name, rows) = try indexed(parts[2]) { return .tensorRows(Wildcard(name), rows) }
        return .tensors(Wildcard(parts[2]))
    }

    private static func rest(_ text: String, _ prefixes: [String]) -> Substring? {
        for prefix in prefixes where text.hasPrefix(prefix) && text.utf8.count > prefix.utf8.count {
            return text.dropFirst(prefix.count).drop { $0 == " " }
        }
        return nil
    }

    /// `LAYER/NUMBER` or `LAYER/POOL/NUMBER`; nil for a text of another form.
    private static func numbers(
        _ path: Substring
    ) throws -> (layer: NumberSet, pool: Wildcard, last: NumberSet?)? {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2 || parts.count == 3, parts.allSatisfy({ !$0.isEmpty }),
            let layer = try NumberSet(parts[0]), let last = try NumberSet(parts[parts.count - 1])
        else { return nil }
        return (layer, parts.count == 3 ? Wildcard(parts[1]) : Wildcard(ExpertPool.base[...]), last)
    }

    /// `NAME[NUMBERS]`.
    private static func indexed(
        _ text: Substring
    ) throws -> (name: Substring, rows: NumberSet)? {
        guard text.hasSuffix("]"), let bracket = text.lastIndex(of: "["), bracket > text.startIndex,
            let rows = try NumberSet(text[text.index(after: bracket)...].dropLast())
        else { return nil }
        return (text[..<bracket], rows)
    }
}

extension EntityPattern: CustomStringConvertible {
    /// The one spelling of the pattern, which is read back as the same.
    package var description: String {
        func place(_ layer: NumberSet, _ pool: Wildcard) -> String {
            pool.text == ExpertPool.base ? "\(layer)/" : "\(layer)/\(pool.text)/"
        }
        return switch form {
        case .experts(let layer, let pool, let ordinal): place(layer, pool) + "\(ordinal)"
        case .rows(let layer, let pool, let row): "router \(place(layer, pool))\(row)"
        case .tensorRows(let name, let rows): "\(name.text)[\(rows)]"
        case .tensors(let name): "tensor \(name.text)"
        case .files(let name): "file \(name.text)"
        case .names(let name): name.text
        case .pools(let layer, let pool): "pool \(layer)/\(pool.text)"
        case .architecture: "architecture"
        }
    }
}

extension EntityPattern {
    package func matches(_ entity: MergeEntity) -> Bool {
        switch (form, entity) {
        case (.experts(let layers, let name, let ordinals), .expert(let layer, let pool, let one)):
            layers.contains(Int(layer)) && name.matches(pool) && ordinals.contains(one)
        case (.rows(let layers, let name, let rows), .routerRow(let layer, let pool, _, let row)):
            layers.contains(Int(layer)) && name.matches(pool) && rows.contains(row)
        case (.rows(let layers, let name, .all), .router(let layer, let pool, _)):
            layers.contains(Int(layer)) && name.matches(pool)
        case (.tensorRows(let name, let rows), .routerRow(_, _, let tensor, let row)):
            name.matches(tensor) && rows.contains(row)
        case (.tensorRows(let name, .all), .router(_, _, let tensor)): name.matches(tensor)
        case (.tensors(let name), .trunk(let tensor)), (.names(let name), .trunk(let tensor)),
            (.tensors(let name), .router(_, _, let tensor)),
            (.names(let name), .router(_, _, let tensor)),
            (.tensors(let name), .routerRow(_, _, let tensor, _)),
            (.names(let name), .routerRow(_, _, let tensor, _)):
            name.matches(tensor)
        case (.files(let name), .file(let file)), (.names(let name), .file(let file)):
            name.matches(file)
        case (.pools(let layers, let name), .pool(let layer, let pool)),
            (.pools(let layers, let name), .expert(let layer, let pool, _)),
            (.pools(let layers, let name), .router(let layer, let pool, _)),
            (.pools(let layers, let name), .routerRow(let layer, let pool, _, _)):
            layers.contains(Int(layer)) && name.matches(pool)
        case (.architecture, .architecture): true
        default: false
        }
    }

    /// The expert that is named, when it is one alone.
    package var expert: MergeEntity? {
        guard case .experts(let layers, let pool, let ordinals) = form,
            let layer = layers.single.flatMap({ UInt32(exactly: $0) }), pool.isExact,
            let ordinal = ordinals.single
        else { return nil }
        return .expert(layer: layer, pool: pool.text, ordinal: ordinal)
    }
}

extension MergeEntity {
    /// How a row of every tensor of a router is spelled in a pattern.
    package static func rowPath(layer: UInt32, pool: String) -> (_ row: Int) -> String {
        let place = pool == ExpertPool.base ? "\(layer)" : "\(layer)/\(pool)"
        return { "router \(place)/\($0)" }
    }

    /// How an entity is spelled in a pattern that names it alone.
    package var path: String {
        func named(_ name: String, _ kind: String) -> String {
            let isPlain = (try? EntityPattern(name)).map { $0.form == .names(Wildcard(name[...])) }
            return isPlain == true ? name : "\(kind) \(name)"
        }
        return switch self {
        case .architecture: "architecture"
        case .layout: "layout"
        case .file(let name): named(name, "file")
        case .trunk(let name): named(name, "tensor")
        case .pool(let layer, let pool): "pool \(layer)/\(pool)"
        case .expert(let layer, let pool, let ordinal):
            pool == ExpertPool.base ? "\(layer)/\(ordinal)" : "\(layer)/\(pool)/\(ordinal)"
        case .router(_, _, let tensor): named(tensor, "tensor")
        case .routerRow(_, _, let tensor, let row): "\(tensor)[\(row)]"
        }
    }
}
