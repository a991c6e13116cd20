internal import Cambium
internal import Pictures
internal import Reporting

extension Site {
    private static let rows = 256

    /// What differs between two revisions.
    func diff(_ request: SiteRequest) throws -> Markup {
        let (from, to) = (request.field("from") ?? "", request.field("to") ?? "")
        let asks =
            form(
                "/diff",
                input("From", "from", value: from, list: "branches")
                    + input("To", "to", value: to, list: "branches"),
                button: "Compare") + (try branchList())
        guard !from.isEmpty, !to.isEmpty else { return frame("Compare", asks) }
        let diff = try store.diff(from: from, to: to)
        let pools = diff.pools.map { pool in
            let path = "\(pool.layer)/\(pool.pool)"
            return [
                link(path, Address("/pool", ["rev": diff.to, "path": path])),
                Markup(Quantity.count(pool.experts)), Markup(Quantity.count(pool.changed.count)),
                Markup(Quantity.count(pool.added.count)),
                Markup(Quantity.count(pool.removed.count)),
                Markup(amount(pool.total)),
                Markup(
                    pool.routers.map {
                        "\($0.tensor): \(Quantity.count($0.rows.count)) of \(Quantity.count($0.rowCount)) rows"
                    }
                    .joined(separator: ", ")),
            ]
        }
        let experts = diff.pools.flatMap { pool in
            pool.changed.map { expert in
                let path = "\(pool.layer)/\(pool.pool)/\(expert.ordinal)"
                return (path, expert.change?.relativeL2 ?? 0, amount(expert.change))
            }
        }.sorted { ($1.1, $0.0) < ($0.1, $1.0) }
        let tensors = diff.trunk.map {
            [
                Markup($0.name), Markup($0.kind), Markup(Quantity.count($0.parameters)),
                Markup(amount($0.change)),
            ]
        }
        let heading = "From \(from) to \(to)"
        if diff.identical {
            return frame(
                heading,
                asks + .element("p", ["class": "missing"], words: "They are the same model."))
        }
        return frame(
            heading,
            asks
                + section(
                    "Experts",
                    table(
                        "Pools",
                        ["pool", "experts", "changed", "added", "removed", "by", "router"], pools)
                        + bars(diff))
                + section(
                    "Experts that changed most",
                    table(
                        "Experts that changed most", ["expert", "by"],
                        experts.prefix(Self.rows).map {
                            [
                                link($0.0, Address("/expert", ["rev": diff.to, "path": $0.0])),
                                Markup($0.2),
                            ]
                        }))
                + section(
                    "Tensors",
                    table(
                        "Tensors", ["tensor", "what", "elements", "by"],
                        Array(tensors.prefix(Self.rows))))
                + section(
                    "Files",
                    table(
                        "Files", ["file", "what"],
                        diff.files.prefix(Self.rows).map { [Markup($0.name), Markup($0.kind)] })))
    }

    /// How much of each pool changed.
    private func bars(_ diff: ModelDiff) -> Markup {
        let bars = diff.pools.map { pool in
            let changed = pool.changed.count + pool.added.count
            return Shares.Bar(
                "\(pool.layer)/\(pool.pool)",
                words: Quantity.share(changed, of: max(1, pool.experts)),
                parts: [
                    (Double(pool.changed.count), "f0", "changed"),
                    (Double(pool.added.count), "f2", "added"),
                    (Double(max(0, pool.experts - changed)), "hole", "as before"),
                ])
        }
        return bars.isEmpty
            ? Markup()
            : .element(
                "div", ["class": "sheet"],
                Shares(bars).drawing(width: Figure.narrow, label: "How much of each pool changed")
                    .inline)
    }

    private func amount(_ change: ModelDiff.Change?) -> String {
        guard let change else { return "" }
        return change.relativeL2.map { "\(Quantity.significant(100 * $0)) %" }
            ?? "L2 \(Quantity.significant(change.l2))"
    }

    /// The experts of a pool.
    func pool(_ request: SiteRequest) throws -> Markup {
        let (revision, path) = (request.field("rev") ?? "HEAD", request.field("path") ?? "0")
        let start = request.number("skip")
        let experts = try store.experts(revision, in: path)
        let rows = experts.dropFirst(start).prefix(Self.rows).map { expert in
            let place = "\(path)/\(expert.ordinal)"
            return [
                expert.id == nil
                    ? Markup(place)
                    : link(place, Address("/expert", ["rev": revision, "path": place])),
                .element("code", words: expert.id?.short ?? "removed"),
            ]
        }
        return frame(
            "Experts \(path)",
            .element(
                "p", [:],
                Markup("of ")
                    + commitLink(revision, revision.count == 64 ? revision.short : revision)
                    + Markup(": \(Quantity.count(experts.count, "expert"))"))
                + table("Experts", ["expert", "object"], Array(rows))
                + pages(start, Self.rows, hasMore: experts.count > start + Self.rows) {
                    Address("/pool", ["rev": revision, "path": path, "skip": "\($0)"])
                })
    }

    /// One expert: since when it is what it is, and who has the same.
    func expert(_ request: SiteRequest) throws -> Markup {
        let (revision, path) = (request.field("rev") ?? "HEAD", request.field("path") ?? "")
        let expert = try store.expert(revision, path)
        var query = LogQuery([revision])
        query.path = path
        query.limit = 20
        let history = try store.log(query)
        let sharers = try store.snapshot(revision).sharers(
            ofExpert: expert.ordinal, layer: expert.layer, pool: expert.pool)
        return frame(
            "Expert \(path)",
            .element(
                "dl", [:],
                Markup(
                    [
                        ("object", Markup.element("code", words: expert.id)),
                        ("kind", Markup(expert.kind)),
                        ("parts", Markup(expert.parts.joined(separator: ", "))),
                        ("bytes", Markup(Quantity.bytes(expert.data.count))),
                    ].map { .element("dt", words: $0.0) + .element("dd", [:], $0.1) }))
                + section("Changed by", commitTable(history))
                + section(
                    "The same expert is in",
                    table(
                        "Branches and tags", ["kind", "name"],
                        sharers.map { [Markup($0.kind), commitLink($0.name, $0.name)] })))
    }
}
