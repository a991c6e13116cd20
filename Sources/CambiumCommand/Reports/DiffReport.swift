internal import Cambium
internal import Reporting

/// What changed between two models.
struct DiffReport: Report {
    /// How much is listed.
    enum Detail {
        /// At most a screen.
        case summary
        /// Every pool and tensor.
        case full
        /// Every expert.
        case ids
    }

    /// Rows of a summary before it is cut.
    static let screen = 18

    let diff: ModelDiff
    let from: String
    let to: String
    let detail: Detail

    func encode(to encoder: any Encoder) throws { try diff.encode(to: encoder) }

    func lines(_ style: Style) -> [String] {
        let arrow = style.isUnicode ? "→" : "->"
        let left = "\(style.name(from)) \(style.id(diff.from.short))"
        let right = "\(style.name(to)) \(style.id(diff.to.short))"
        if diff.identical { return ["\(left) and \(right) are the same model"] }
        return ["\(left) \(arrow) \(right)"] + body(style)
    }

    func quietLines() -> [String] {
        diff.pools.flatMap { pool in
            let ordinals = pool.added + pool.removed + pool.changed.map(\.ordinal)
            return ordinals.sorted().map { "\(pool.layer)/\(pool.pool)/\($0)" }
        } + diff.trunk.map(\.name)
    }

    /// The lines without the heading.
    func body(_ style: Style) -> [String] {
        if diff.identical { return ["  nothing changed"] }
        if detail == .ids { return idLines(style) }
        var rows: [[String]] = []
        if diff.architectureChanged { rows.append(["model", "the architecture changed"]) }
        rows += fileRows
        if diff.layoutChanged { rows.append(["layout", "names, shards or order changed"]) }
        rows += trunkRows + deltaRows
        var shares = [Double?](repeating: nil, count: rows.count)
        for pool in diff.pools {
            let own = poolRows(pool, style)
            let share = Double(pool.changed.count) / Double(max(1, pool.experts))
            shares.append(pool.changed.isEmpty ? nil : share)
            shares += [Double?](repeating: nil, count: own.count - 1)
            rows += own
        }
        let shown = detail == .summary ? Array(rows.prefix(Self.screen)) : rows
        var table = TextTable([.left, .left, .left, .left])
        for row in shown { table.add(row) }
        let hidden = rows.count - shown.count
        let more = style.faint(
            "  and \(Quantity.count(hidden, "more row")); --full shows them, --json has everything")
        return bars(shares, beside: table.lines(indent: 2), style) + (hidden > 0 ? [more] : [])
    }

    /// Files, and records of evidence: in a summary of many, how many there are.
    private var fileRows: [[String]] {
        let records = diff.files.filter(\.isEvidence)
        let rows =
            diff.files.filter { !$0.isEvidence && !$0.isGradient }
            .map { ["file", "\($0.name) \($0.kind)"] } + gradientRows
        if detail == .summary, records.count > 4 {
            return rows + [["evidence", counts(records, "record")]]
        }
        return rows + records.map { ["evidence", "\($0.record.short) \($0.kind)"] }
    }

    /// Squared gradients have a file for each object: only how many there are is of interest.
    private var gradientRows: [[String]] {
        let gradients = diff.files.filter(\.isGradient)
        return gradients.isEmpty ? [] : [["squared gradients", counts(gradients, "object")]]
    }

    private func counts(_ files: [ModelDiff.File], _ word: String) -> String {
        ["added", "removed", "changed"].compactMap { kind in
            let count = files.count { $0.kind == kind }
            return count == 0 ? nil : "\(Quantity.count(count, word)) \(kind)"
        }.joined(separator: ", ")
    }

    /// Every tensor, or in a summary of many how many there are.
    private var trunkRows: [[String]] {
        let trunk = diff.trunk.filter { $0.adapter == nil }
        if trunk.isEmpty { return [["trunk", "unchanged"]] }
        if detail == .summary, trunk.count > 4 { return [["trunk", counts(trunk)]] }
        return trunk.map { tensor in
            ["trunk", "\(tensor.name) \(tensor.kind)"] + cells(tensor.change)
        }
    }

    /// Adapters of deltas; in a summary how many of their tensors there are.
    private var deltaRows: [[String]] {
        let names = Set(diff.trunk.compactMap(\.adapter)).sorted()
        return names.flatMap { name in
            let tensors = diff.trunk.filter { $0.adapter == name }
            if detail == .summary { return [["adapter", "\(name): \(counts(tensors))"]] }
            return tensors.map { tensor in
                ["adapter", "\(tensor.name) \(tensor.kind)"] + cells(tensor.change)
            }
        }
    }

    private func counts(_ tensors: [ModelDiff.Tensor]) -> String {
        ["changed", "added", "removed"].compactMap { kind in
            let some = tensors.filter { $0.kind == kind }
            let parameters = some.reduce(0) { $0 + $1.parameters }
            return some.isEmpty
                ? nil
                : "\(Quantity.count(some.count, "tensor")) \(kind) "
                    + "(\(Quantity.count(parameters, "parameter")))"
        }.joined(separator: ", ")
    }

    private func poolRows(_ pool: ModelDiff.PoolDiff, _ style: Style) -> [[String]] {
        let count = Quantity.count(pool.experts)
        var rows: [[String]] = []
        if !pool.changed.isEmpty {
            let changed = Quantity.count(pool.changed.count)
            rows.append(["", "\(changed) of \(count) experts changed"] + cells(pool.total))
        }
        if !pool.added.isEmpty {
            rows.append(["", style.good("\(Quantity.count(pool.added.count, "expert")) added")])
        }
        if !pool.removed.isEmpty {
            rows.append([
                "", style.bad("\(Quantity.count(pool.removed.count, "expert")) removed"),
            ])
        }
        for router in pool.routers {
            rows.append(["", "\(router.tensor): \(router.amount)"] + cells(router.change))
        }
        if rows.isEmpty { rows.append(["", "changed"]) }
        rows[0][0] = pool.pool == "base" ? "layer \(pool.layer)" : pool.place
        return rows
    }

    /// How much of each pool changed, drawn on a terminal with room for it beside the lines.
    private func bars(_ shares: [Double?], beside lines: [String], _ style: Style) -> [String] {
        let widest = lines.map { TextTable.width($0) }.max() ?? 0
        let room = min(24, (style.columns ?? 0) - widest - 3)
        guard room >= 6 else { return lines }
        return zip(lines, shares).map { line, share in
            guard let share else { return line }
            let gap = String(repeating: " ", count: widest + 2 - TextTable.width(line))
            let bar = TextPicture.bar(share, width: room, isUnicode: style.isUnicode)
            return line + gap + style.name(bar)
        }
    }

    private func cells(_ change: ModelDiff.Change?) -> [String] {
        guard let change else { return [] }
        return [
            change.relativeL2.map { "by \(Quantity.significant(100 * $0)) %" }
                ?? "L2 \(Quantity.significant(change.l2))",
            change.maxAbs.map { "at most \(Quantity.significant($0))" } ?? "",
        ]
    }

    private func idLines(_ style: Style) -> [String] {
        var table = TextTable([.left, .left, .left, .left])
        for pool in diff.pools {
            let place = "\(pool.layer)/\(pool.pool)"
            for ordinal in pool.added { table.add(["expert \(place)/\(ordinal)", "added"]) }
            for ordinal in pool.removed { table.add(["expert \(place)/\(ordinal)", "removed"]) }
            for expert in pool.changed {
                table.add(["expert \(place)/\(expert.ordinal)", "changed"] + cells(expert.change))
            }
            for router in pool.routers {
                let rows = Quantity.ranges(router.rows)
                table.add(["router \(router.tensor)", "rows \(rows)"] + cells(router.change))
            }
        }
        for tensor in diff.trunk {
            let place = tensor.adapter == nil ? "trunk" : "adapter"
            table.add(["\(place) \(tensor.name)", tensor.kind] + cells(tensor.change))
        }
        for row in gradientRows { table.add(row) }
        for file in diff.files where !file.isGradient {
            table.add([
                file.isEvidence ? "evidence \(file.record)" : "file \(file.name)", file.kind,
            ])
        }
        return table.lines(indent: 2)
    }
}

extension ModelDiff.File {
    fileprivate var isEvidence: Bool { name.hasPrefix("evidence.") }
    fileprivate var isGradient: Bool { name.hasPrefix("fisher.") }
    /// The id of the record.
    fileprivate var record: String { String(name.dropFirst("evidence.".count)) }
}

extension ModelDiff.Router {
    /// What became of its rows: `2 of 5 rows changed, 1 row added`.
    fileprivate var amount: String {
        let changed = rows.count - added - removed
        let parts =
            (changed > 0
                ? ["\(Quantity.count(changed)) of \(Quantity.count(rowCount)) rows changed"] : [])
            + [(added, "added"), (removed, "removed")].filter { $0.0 > 0 }
            .map { "\(Quantity.count($0.0, "row")) \($0.1)" }
        return parts.joined(separator: ", ")
    }
}

extension ModelDiff.PoolDiff {
    fileprivate var place: String { "layer \(layer)/\(pool)" }
}
