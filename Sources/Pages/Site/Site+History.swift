internal import Cambium
internal import Pictures
internal import Reporting

extension Site {
    private static let rows = 100

    /// Branches, tags and the newest commits.
    func overview(_ request: SiteRequest) throws -> Markup {
        let branches = try store.branches()
        let start = request.number("skip")
        let shown = branches.dropFirst(start).prefix(200)
        let sizes = try store.overview()
        let commits = try store.log(all: true, limit: 12)
        let intro = Markup.element(
            "p", ["class": "quiet"],
            words:
                "\(Quantity.count(sizes.branches, "branch", "branches")), \(Quantity.count(sizes.tags, "tag")); the file takes "
                + "\(Quantity.bytes(sizes.fileBytes)). "
                + (allowsEdit ? "Merges can be committed here." : "This site only reads."))
        let stopped = try store.stoppedRounds()
        return frame(
            "Overview",
            intro
                + (stopped.isEmpty
                    ? Markup()
                    : .element(
                        "p", [:],
                        link(Quantity.count(stopped.count, "stopped round"), Address("/runs"))))
                + section(
                    "Branches",
                    shown.isEmpty
                        ? .element(
                            "p", ["class": "missing"],
                            Markup("There are no commits yet. Made by ")
                                + .element("code", words: "cambium commit CHECKPOINT -m base"))
                        : table(
                            "Branches", ["branch", "newest commit", "when", "history"],
                            shown.map { branch in
                                [
                                    commitLink(
                                        branch.name,
                                        branch.isHead ? "HEAD → \(branch.name)" : branch.name),
                                    Markup(branch.subject), Markup(Timestamp.text(branch.time)),
                                    link("commits", Address("/log", ["rev": branch.name])),
                                ]
                            })
                            + pages(start, 200, hasMore: branches.count > start + 200) {
                                Address("/", ["skip": "\($0)"])
                            })
                + section("Newest commits", commitTable(commits))
                + section(
                    "Tags",
                    table(
                        "Tags", ["tag", "commit"],
                        try store.tags().prefix(100).map {
                            [commitLink($0.name, $0.name), Markup($0.subject)]
                        })))
    }

    /// The commits that lead to a revision, a page at a time.
    func log(_ request: SiteRequest) throws -> Markup {
        let start = request.number("skip")
        var query = LogQuery(request.field("rev").map { [$0] } ?? [])
        query.all = request.field("rev") == nil
        query.path = request.field("path")
        query.limit = start + Self.rows + 1
        let commits = Array(try store.log(query).dropFirst(start))
        let what =
            request.field("path").map { path in
                "History of \(path)" + (request.field("rev").map { " in \(named($0))" } ?? "")
            }
            ?? request.field("rev").map { "History of \(named($0))" }
        return frame(
            what ?? "History",
            commitTable(Array(commits.prefix(Self.rows)))
                + pages(start, Self.rows, hasMore: commits.count > Self.rows) {
                    Address(
                        "/log",
                        [
                            "rev": request.field("rev") ?? "", "path": request.field("path") ?? "",
                            "skip": "\($0)",
                        ])
                })
    }

    func commitTable(_ commits: [CommitInfo]) -> Markup {
        table(
            "Commits", ["commit", "subject", "branches and tags", "when", "author"],
            commits.map { commit in
                [
                    commitLink(commit.id), Markup(String(commit.message.prefix { !$0.isNewline })),
                    Markup(commit.references.joined(separator: ", ")),
                    Markup(Timestamp.text(commit.time)), Markup(commit.author),
                ]
            })
    }

    /// One commit: what it says, what is known of it, what it consists of.
    func commit(_ request: SiteRequest) throws -> Markup {
        let revision = request.field("rev") ?? "HEAD"
        let commit = try store.show(revision)
        let model = try store.list(commit.id)
        let metrics = commit.notes.reduce(commit.metrics) { $0.merging($1.metrics) { $1 } }
        let facts: [(String, Markup)] =
            [
                ("commit", .element("code", words: commit.id)), ("author", Markup(commit.author)),
                ("when", Markup(Timestamp.text(commit.time))),
                ("branches and tags", Markup(commit.references.joined(separator: ", "))),
                (
                    "parents",
                    Markup(
                        commit.parents.map { parent in
                            commitLink(parent) + Markup(" (")
                                + link(
                                    "what changed",
                                    Address("/diff", ["from": parent, "to": commit.id]))
                                + Markup(") ")
                        })
                ),
                (
                    "model",
                    Markup(
                        "\(model.architecture), \(Quantity.count(model.parameters, "parameter")), \(Quantity.bytes(model.bytes))"
                    )
                ),
            ]
            + metrics.sorted { $0.key < $1.key }.map {
                ($0.key, Markup(Quantity.recorded($0.value)))
            }
            + commit.metadata.sorted { $0.key < $1.key }.map { ($0.key, Markup($0.value)) }
        let pools = model.layers.flatMap { layer in
            layer.pools.map { pool -> [Cell] in
                let path = "\(layer.layer)/\(pool.name)"
                return [
                    Cell(link(path, Address("/pool", ["rev": commit.id, "path": path]))),
                    .count(pool.experts), .words(pool.kind), .bytes(pool.expertBytes),
                    .words(pool.router),
                ]
            }
        }
        let words = commit.notes.filter { !$0.text.isEmpty }.map {
            Markup.element(
                "p", [:], words: "\($0.text) (noted by \($0.author), \(Timestamp.text($0.time)))")
        }
        return frame(
            String(commit.message.prefix { !$0.isNewline }),
            .element("p", [:], words: String(commit.message.drop { !$0.isNewline }))
                + .element(
                    "dl", [:],
                    Markup(facts.map { .element("dt", words: $0.0) + .element("dd", [:], $0.1) }))
                + Markup(words)
                + (try curve(of: commit))
                + (try decided(by: commit))
                + section(
                    "Experts",
                    table(
                        "Pools of experts", ["pool", "experts", "kind", "bytes of one", "router"],
                        pools))
                + section(
                    "Adapters",
                    table(
                        "Adapters", ["adapter", "parameters", "rounds"],
                        model.adapters.map { adapter -> [Cell] in
                            [
                                .words(adapter.name), .count(adapter.parameters),
                                .count(adapter.rounds.count),
                            ]
                        })))
    }

    /// What a merge took of what its sides changed differently.
    private func decided(by commit: CommitInfo) throws -> Markup {
        guard let first = commit.parents.first, commit.parents.count > 1 else { return Markup() }
        let merges = try store.figures(["\(first)..\(commit.id)"]).merges(limit: 1).merges
        guard let merge = merges.first(where: { $0.commit == commit.id }) else { return Markup() }
        return section(
            "Conflicts that it settled",
            table(
                "Conflicts", ["what", "kind", "changed by", "the merged model has"],
                merge.conflicts.prefix(256).map {
                    [
                        Markup($0.path), Markup($0.kind), Markup($0.sides.joined(separator: ", ")),
                        Markup(Figure.outcome($0)),
                    ]
                })
                + (merge.conflicts.count > 256
                    ? .element(
                        "p", ["class": "quiet"],
                        words: "\(Quantity.count(merge.conflicts.count - 256, "further conflict"))."
                    )
                    : Markup()))
    }

    /// How the loss went, where that was recorded.
    private func curve(of commit: CommitInfo) throws -> Markup {
        let points = try store.curve(commit.id)
        guard points.count > 1 else { return Markup() }
        var frame = Frame(
            width: Figure.narrow, height: 200, label: "Loss while training", note: "bits per byte",
            acrossLabel: "steps", across: points.map { Double($0.step) }, up: points.map(\.value))
        frame.line(points.map { (Double($0.step), $0.value) }, colour: 0)
        return section("Loss while training", frame.drawing.inline)
    }
}
