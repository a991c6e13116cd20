internal import ArgumentParser
internal import Cambium
internal import Reporting

struct RowsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rows",
        abstract: "Make hashed experts smaller, or fewer.",
        discussion: """
            Hashed experts are rows that a hash of the text's last bytes finds; they are added to a token's \
            state. Both commands are lossy and make a commit: compare with \
            `cambium eval main~1 main --text FILE`. The model before stays in history.

            cambium rows quantize --bits 2 -m "rows of 2 bits"
            cambium rows prune --uses 3 --text typical.txt             # preview
            cambium rows prune --uses 3 --text typical.txt --commit
            """,
        subcommands: [RowsQuantizeCommand.self, RowsPruneCommand.self])
}

struct RowsQuantizeCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "quantize",
        abstract: "Commit a model whose hashed rows have 2, 4 or 8 bits.",
        discussion: """
            Each row becomes codes with one scale; with 2 bits an element is -1, 0 or 1 times the scale. Rows \
            of fp32 and width 128 take 512 bytes, of 2 bits 36.

            cambium rows quantize --bits 2 -m "rows of 2 bits"
            cambium rows quantize --bits 4 --adapter swahili --branch small
            """)

    @Option(help: ArgumentHelp("Bits of an element: 2, 4 or 8.", valueName: "number"))
    var bits: Int

    @Option(
        help: ArgumentHelp(
            "Only the rows of this adapter; base for the base's. May be repeated (default: all).",
            valueName: "name"))
    var adapter: [String] = []

    @Option(
        help: ArgumentHelp("Only in front of this layer; may be repeated.", valueName: "number"))
    var layer: [Int] = []

    @Option(name: .shortAndLong, parsing: .unconditional, help: "What the commit says.")
    var message: String?

    @Option(
        help: "The branch (default: HEAD's). A missing one is made from HEAD.",
        completion: Completion.branches)
    var branch: String?

    @OptionGroup var global: GlobalOptions

    func run(_ console: Console) throws {
        let store = try openStore()
        let message = message ?? "rows of \(bits) bits"
        let result = try console.withProgress("quantize") { progress in
            try store.quantizeRows(
                bits: bits, CommitOptions(message: message, branch: branch),
                layers: layer.isEmpty ? nil : layer, adapters: adapter.isEmpty ? nil : adapter,
                progress: progress.report)
        }
        console.show(CommitReport(result: result, message: message))
    }
}

struct RowsPruneCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "prune",
        abstract: "Find hashed rows that are used too rarely; --commit takes them out.",
        discussion: """
            What counts is a text, read from its start or in windows of the context length, whichever uses a row \
            more; or without one the recorded evidence: of kind 'activations', where a row counts once for each \
            window of old text that used it, else counts (of sequences as long as the rows' or longer). A row that goes is absent, and absent rows are \
            zeros that take no room.

            cambium rows prune --uses 3 --text typical.txt             # preview
            cambium rows prune --uses 3 --text typical.txt --commit -m "rare rows"
            cambium rows prune --uses 5 --adapter swahili --text swahili.txt --commit
            """)

    @Option(help: ArgumentHelp("Uses that a row needs to stay.", valueName: "number"))
    var uses: Int

    @Option(help: "A file to count uses in; may be repeated.", completion: .file())
    var text: [String] = []

    @Option(help: ArgumentHelp("Whose rows (default: the base's).", valueName: "name"))
    var adapter = "base"

    @Option(
        help: ArgumentHelp("Only in front of this layer; may be repeated.", valueName: "number"))
    var layer: [Int] = []

    @Flag(help: "Take them out, in a commit.")
    var commit = false

    @Option(name: .shortAndLong, parsing: .unconditional, help: "What the commit says.")
    var message: String?

    @Option(
        help: "The branch (default: HEAD's). A missing one is made from HEAD.",
        completion: Completion.branches)
    var branch: String?

    @OptionGroup var global: GlobalOptions

    func validate() throws {
        if message != nil, !commit { throw ValidationError("-m needs --commit") }
    }

    func run(_ console: Console) throws {
        let texts = try text.map { try Terminal.read($0) }
        let message = message ?? "take out rows used less than \(uses) times"
        let result = try openStore().pruneRows(
            usedLessThan: uses, texts: texts.isEmpty ? nil : texts, of: adapter,
            CommitOptions(message: message, branch: branch), layers: layer.isEmpty ? nil : layer,
            commits: commit)
        console.show(RowPruningReport(result: result, message: message))
    }
}

struct RowPruningReport: Report {
    let result: RowPruning
    let message: String

    func encode(to encoder: any Encoder) throws { try result.encode(to: encoder) }

    func lines(_ style: Style) -> [String] {
        var table = TextTable([.left, .right, .right])
        for one in result.tables {
            table.add([
                "\(one.layer)/\(one.pool)", Quantity.count(one.rows, "row"),
                "\(Quantity.count(one.pruned)) used too rarely",
            ])
        }
        guard let commit = result.commit else {
            return table.lines() + ["nothing was changed; --commit takes them out"]
        }
        return table.lines() + CommitReport(result: commit, message: message).lines(style)
    }

    func quietLines() -> [String] {
        [result.commit?.id ?? "\(result.tables.reduce(0) { $0 + $1.pruned })"]
    }
}
