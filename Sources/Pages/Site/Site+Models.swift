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
        let pools = diff.pools.map { pool -> [Cell] in
            let path = "\(pool.layer)/\(pool.pool)"
            // A pool that was removed is to be seen where it still was.
            let side = pool.removed.count == pool.experts ? diff.from : diff.to
            return [
                Cell(link(path, Address("/pool", ["rev": side, "path": path]))),
                .count(pool.experts), .count(pool.changed.count), .count(pool.added.count),
                .count(pool.removed.count), amount(pool.total),
                .words(
                    pool.routers.map {
                        "\($0.tensor): \(Quantity.count($0.rows.count)) of \(Quantity.count($0.rowCount)) rows"
                    }
                    .joined(separator: ", ")),
            ]
        }
        let changed = diff.pools.flatMap { pool in
            pool.changed.map { ("\(pool.layer)/\(pool.pool)/\($0.ordinal)", $0.change) }
        }.sorted { ($1.1?.relativeL2 ?? 0, $0.0) < ($0.1?.relativeL2 ?? 0, $1.0) }
        let experts =
            changed.map { place, change -> [Cell] in
                [expertCell(place, of: diff.to), .words("changed"), amount(change)]
            }
            + diff.pools.flatMap { pool in
                [(pool.added, "added", diff.to), (pool.removed, "removed", diff.from)].flatMap {
                    ordinals, what, revision in
                    ordinals.map { ordinal -> [Cell] in
                        let place = "\(pool.layer)/\(pool.pool)/\(ordinal)"
                        return [expertCell(place, of: revision), .words(what), .words("")]
                    }
                }
            }
        let tensors = diff.trunk.map { tensor -> [Cell] in
            [
                .words(tensor.name), .words(tensor.kind), .count(tensor.parameters),
                amount(tensor.change),
            ]
        }
        let heading = "From \(named(from)) to \(named(to))"
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
                        "Experts that changed most, were added or removed",
                        ["expert", "what", "by"], Array(experts.prefix(Self.rows)))
                        + further(experts.count - Self.rows, "expert"))
                + section(
                    "Tensors",
                    table(
                        "Tensors", ["tensor", "what", "elements", "by"],
                        Array(tensors.prefix(Self.rows)))
                        + further(tensors.count - Self.rows, "tensor"))
                + section(
                    "Files",
                    table(
                        "Files", ["file", "what"],
                        diff.files.prefix(Self.rows).map { [Markup($0.name), Markup($0.kind)] })))
    }

    /// How much of each pool changed.
    private func bars(_ diff: ModelDiff) -> Markup {
        let bars = diff.pools.map { pool in
            let changed = pool.changed.count + pool.added.count + pool.removed.count
            return Shares.Bar(
                "\(pool.layer)/\(pool.pool)",
                words: Quantity.share(min(changed, pool.experts), of: pool.experts),
                parts: [
                    (Double(pool.changed.count), "f0", "changed"),
                    (Double(pool.added.count), "f2", "added"),
                    (Double(pool.removed.count), "f7", "removed"),
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

    private func amount(_ change: ModelDiff.Change?) -> Cell {
        guard let change else { return .words("") }
        // What was zero before is more than any share of it.
        return change.relativeL2.map {
            Cell(Markup("\(Quantity.significant(100 * $0)) %"), value: "\($0)")
        } ?? Cell(Markup("L2 \(Quantity.significant(change.l2))"), value: "Infinity")
    }

    private func expertCell(_ place: String, of revision: String) -> Cell {
        Cell(link(place, Address("/expert", ["rev": revision, "path": place])))
    }

    /// How many rows a page leaves to the command line.
    private func further(_ count: Int, _ what: String) -> Markup {
        count > 0
            ? .element(
                "p", ["class": "quiet"],
                Markup("\(Quantity.count(count, "further \(what)")): ")
                    + .element("code", words: "cambium diff FROM TO --full")) : Markup()
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
                    + commitLink(revision, named(revision))
                    + Markup(": \(Quantity.count(experts.count, "expert"))"))
                + table("Experts", ["expert", "object"], Array(rows))
                + pages(start, Self.rows, hasMore: experts.count > start + Self.rows) {
                    Address("/pool", ["rev": revision, "path": path, "skip": "\($0)"])
                })
    }
}
