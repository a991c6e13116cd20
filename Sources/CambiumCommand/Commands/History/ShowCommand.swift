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
            cambium show main --curve         # the loss of its training, step by step
            """)

    @Argument(
        help: "REV, or REV:LAYER/ORDINAL or REV:LAYER/POOL/ORDINAL.",
        completion: Completion.revisions)
    var place = "HEAD"

    @Flag(help: "Show how the loss of the commit's training went, in bits per byte.")
    var curve = false

    @OptionGroup var global: GlobalOptions

    func validate() throws {
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
            console.show(ExpertReport(expert: try store.expert(place.revision, path)))
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

    enum CodingKeys: String, CodingKey { case bytes }

    func encode(to encoder: any Encoder) throws {
        try expert.encode(to: encoder)
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(expert.data.count, forKey: .bytes)
    }

    func lines(_ style: Style) -> [String] {
        var table = TextTable([.left, .left])
        table.add(["expert", "\(expert.layer)/\(expert.pool)/\(expert.ordinal)"])
        table.add(["object", style.id(expert.id)])
        table.add(["kind", expert.kind])
        table.add(["parts", expert.parts.joined(separator: ", ")])
        table.add(["size", Quantity.count(expert.data.count, "byte")])
        return table.lines()
    }

    func quietLines() -> [String] { [expert.id] }
}
