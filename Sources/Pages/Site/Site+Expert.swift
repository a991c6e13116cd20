internal import Cambium
internal import Pictures
internal import Reporting

extension Site {
    /// Nearest experts that a page tells, and bytes that it reads for them, at most.
    private static let mostNearest = 8
    private static let mostRead = 1 << 30

    /// One expert: since when it is what it is, who has the same, and which others are near to it.
    func expert(_ request: SiteRequest) throws -> Markup {
        let path = request.field("path") ?? ""
        // The same commit throughout, also where a branch moves meanwhile.
        let name = request.field("rev") ?? "HEAD"
        let revision = try store.resolve(name)
        let expert = try store.expert(revision, path)
        var query = LogQuery([revision])
        query.path = path
        query.limit = 20
        let history = try store.log(query)
        let sharers = try store.snapshot(revision).sharers(
            ofExpert: expert.ordinal, layer: expert.layer, pool: expert.pool)
        let since = history.first.map {
            commitLink($0.id) + Markup(" of \(Timestamp.text($0.time))")
        }
        let facts: [(String, Markup)] = [
            ("model", commitLink(name, named(name))),
            ("object", .element("code", words: expert.id)),
            ("as it is since", since ?? Markup()), ("kind", Markup(expert.kind)),
            ("parts", Markup(expert.parts.joined(separator: ", "))),
            ("bytes", Markup(Quantity.bytes(expert.data.count))),
        ]
        return frame(
            "Expert \(path)",
            .element(
                "dl", [:],
                Markup(facts.map { .element("dt", words: $0.0) + .element("dd", [:], $0.1) }))
                + section("Changed by", commitTable(history))
                + section(
                    "The same expert is in",
                    table(
                        "Branches and tags", ["kind", "name"],
                        sharers.map { [Markup($0.kind), commitLink($0.name, $0.name)] }))
                + section("Nearest in its pool", try nearest(to: expert, of: name, at: revision)))
    }

    /// The experts of the pool with the greatest cosine.
    private func nearest(
        to expert: ExpertInfo, of name: String, at revision: String
    ) throws -> Markup {
        let pool = expert.pool == "base" ? "\(expert.layer)" : "\(expert.layer)/\(expert.pool)"
        let found: NearestExperts
        do {
            found = try store.nearest(
                to: "\(pool)/\(expert.ordinal)", in: revision, limit: Self.mostNearest,
                mostBytes: Self.mostRead)
        } catch let error as CambiumError where error.code == .unsupported {
            return .element("p", ["class": "quiet"], words: error.message)
        }
        let rows = found.experts.map { other -> [Cell] in
            let place = "\(pool)/\(other.ordinal)"
            return [
                Cell(link(place, Address("/expert", ["rev": name, "path": place]))),
                Cell(Markup(Quantity.fixed(other.cosine, 4)), value: "\(other.cosine)"),
                other.relativeL2.map {
                    Cell(Markup("\(Quantity.significant(100 * $0)) %"), value: "\($0)")
                } ?? .words(""),
                Cell(.element("code", words: other.id.short)),
            ]
        }
        let words =
            found.compared < found.others
            ? "Of \(Quantity.count(found.others)) others \(Quantity.count(found.compared)) were compared, which lie "
                + "here and are spread over the pool. All of them: "
            : "Of \(Quantity.count(found.others, "other")), those whose weights have the greatest cosine with its own: "
        let command = "cambium show \(name):\(pool)/\(expert.ordinal) --nearest \(Self.mostNearest)"
        return .element("p", ["class": "quiet"], Markup(words) + .element("code", words: command))
            + table("Nearest experts", ["expert", "cosine", "apart", "object"], rows)
    }
}
