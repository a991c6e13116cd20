internal import ArgumentParser
internal import Cambium
internal import Reporting

struct ShowCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Show one commit, or one expert of it.",
        discussion: """
            cambium show main
            cambium show main~1
            cambium show main:1/17            # expert 17 of layer 1
            cambium show main:1/17 --nearest 8
            cambium show main --curve         # the loss of its training, step by step
            """)

    @Argument(
        help: "REV, or REV:LAYER/ORDINAL or REV:LAYER/POOL/ORDINAL.",
        completion: Completion.revisions)
    var place = "HEAD"

    @Flag(help: "Show how the loss of the commit's training went, in bits per byte.")
    var curve = false

    @Option(
        help: ArgumentHelp(
            "Of an expert, show the experts of its pool whose weights have the greatest cosine with its own.",
            valueName: "n"))
    var nearest: Int?

    @OptionGroup var global: GlobalOptions

    func validate() throws {
        if let nearest {
            guard (1...10_000).contains(nearest) else {
                throw ValidationError("--nearest is \(nearest); give 1 to 10000")
            }
            if Place(place).path == nil {
                throw ValidationError("--nearest is for an expert: write REV:LAYER/ORDINAL")
            }
        }
        if curve, Place(place).path != nil {
            throw ValidationError("--curve is for a commit; leave what follows the colon out")
        }
    }

    func run(_ console: Console) throws {
        let store = try openForReading()
        let place = Place(place)
        if curve {
            return console.show(
                CurveReport(
                    commit: try store.resolve(place.revision),
                    curve: try store.curve(place.revision)), paged: true)
        }
        if let path = place.path {
            // The same commit, also where a branch moves meanwhile.
            let commit = try store.resolve(place.revision)
            let near = try nearest.map { limit in
                try console.withProgress("nearest") { progress in
                    try store.nearest(to: path, in: commit, limit: limit, progress: progress.report)
                }
            }
            console.show(ExpertReport(expert: try store.expert(commit, path), nearest: near))
            return
        }
        let commit = try store.show(place.revision)
        let model = try store.list(place.revision)
        let changes = try commit.parents.first.map { parent in
            try store.diff(from: parent, to: commit.id)
        }
        console.show(
            ShowReport(
                commit: commit, architecture: model.architecture, bytes: model.bytes,
                changes: changes, branch: try store.currentBranch(),
                now: Signature.current.time),
            paged: true)
    }
}

/// One commit with what it changed.
struct ShowReport: Report {
    let commit: CommitInfo
    let architecture: String
    let bytes: Int
    /// Against the first parent; nil for a commit without parents.
    let changes: ModelDiff?
    let branch: String?
    let now: Int64

    enum CodingKeys: String, CodingKey { case architecture, bytes, changes }

    func encode(to encoder: any Encoder) throws {
        try commit.encode(to: encoder)
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(architecture, forKey: .architecture)
        try container.encode(bytes, forKey: .bytes)
        try container.encode(changes, forKey: .changes)
    }

    func lines(_ style: Style) -> [String] {
        let names = commit.decoration(style, branch: branch)
        var table = TextTable([.left, .left])
        table.add(["commit", style.id(commit.id) + (names.isEmpty ? "" : " " + names)])
        table.add(["tree", commit.tree])
        for parent in commit.parents { table.add(["parent", parent]) }
        table.add(["author", commit.author])
        table.add(["time", Timestamp.full(commit.time, now: now)])
        table.add(["model", "\(architecture), \(Quantity.bytes(bytes))"])
        for (name, value) in commit.metrics.sorted(by: { $0.key < $1.key }) {
            table.add(["metric", "\(name) = \(Quantity.recorded(value))"])
        }
        for (key, value) in commit.metadata.sorted(by: { $0.key < $1.key }) {
            table.add(["meta", "\(key) = \(value)"])
        }
        for note in commit.notes {
            let source = "\(Timestamp.relative(note.time, now: now)) by \(note.author)"
            for (index, text) in note.body.enumerated() {
                let id = index == 0 ? "  " + style.faint("\(note.id.short), \(source)") : ""
                table.add([index == 0 ? "note" : "", text + id])
            }
        }
        let message = commit.message.split(separator: "\n", omittingEmptySubsequences: false)
        var lines = table.lines() + [""] + message.map { "    \($0)" }
        if let changes {
            lines += ["", style.bold("against its first parent")]
            lines += DiffReport(diff: changes, from: "", to: "", detail: .summary).body(style)
        }
        return lines
    }

    func quietLines() -> [String] { [commit.id] }
}

/// How the loss of a round went.
struct CurveReport: Report {
    let commit: String
    let curve: [CurvePoint]

    func lines(_ style: Style) -> [String] {
        guard !curve.isEmpty else {
            return [style.faint("\(commit.short) has no curve: it was not trained in the store")]
        }
        var table = TextTable([.right, .right])
        table.add(["step", "loss"])
        for point in curve { table.add(["\(point.step)", Quantity.fixed(point.value, 4)]) }
        return table.lines()
    }
}

/// What one expert is.
struct ExpertReport: Report {
    let expert: ExpertInfo
    /// Nil where nobody asked.
    let nearest: NearestExperts?

    enum CodingKeys: String, CodingKey { case bytes, nearest }

    func encode(to encoder: any Encoder) throws {
        try expert.encode(to: encoder)
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(expert.data.count, forKey: .bytes)
        try container.encodeIfPresent(nearest, forKey: .nearest)
    }

    func lines(_ style: Style) -> [String] {
        var table = TextTable([.left, .left])
        table.add(["expert", "\(expert.layer)/\(expert.pool)/\(expert.ordinal)"])
        table.add(["object", style.id(expert.id)])
        table.add(["kind", expert.kind])
        table.add(["parts", expert.parts.joined(separator: ", ")])
        table.add(["size", Quantity.count(expert.data.count, "byte")])
        guard let nearest else { return table.lines() }
        var others = TextTable([.left, .right, .right, .left])
        others.add(["nearest", "cosine", "apart", "object"])
        for other in nearest.experts {
            others.add([
                path(other.ordinal), Quantity.fixed(other.cosine, 4),
                other.relativeL2.map { "\(Quantity.significant(100 * $0)) %" } ?? "",
                style.id(other.id.short),
            ])
        }
        return table.lines() + [""]
            + (nearest.experts.isEmpty
                ? ["no other expert of the pool has a cosine with it"] : others.lines())
    }

    func quietLines() -> [String] {
        nearest.map { $0.experts.map { path($0.ordinal) } } ?? [expert.id]
    }

    private func path(_ ordinal: Int) -> String { "\(expert.layer)/\(expert.pool)/\(ordinal)" }
}
