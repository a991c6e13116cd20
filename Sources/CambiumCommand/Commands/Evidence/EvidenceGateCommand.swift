internal import ArgumentParser
internal import Cambium

struct EvidenceGateCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "gate", abstract: "Ask the gate of a revision which adapter texts belong to.",
        discussion: """
            Without a text, the gate's id and its adapters. The same evidence gives the same id. With a \
            layer, the gate over its hidden states, solved from Gram sums; its shares are those of the \
            text's bytes for which each adapter has the best score.

            cambium evidence gate main
            cambium evidence gate main --layer 3 --text unknown.txt
            cambium evidence gate main --text unknown.txt --limit 256
            """)

    @Argument(help: "The revision.", completion: Completion.revisions)
    var revision = "HEAD"

    @Option(help: "A file to read; - reads standard input. May be repeated.", completion: .file())
    var text: [String] = []

    @Option(
        help: ArgumentHelp("Read only the first bytes of each text.", valueName: "bytes"))
    var limit: Int?

    @Option(
        help: ArgumentHelp("The gate solved from Gram sums of this layer.", valueName: "number"))
    var layer: Int?

    @Option(help: "With --layer, how it is solved: ridge or discriminant (default: discriminant).")
    var form: FormOption?

    @Option(help: ArgumentHelp("With --layer, threads that solve and run.", valueName: "number"))
    var threads = 1

    @OptionGroup var global: GlobalOptions

    func validate() throws {
        if form != nil, layer == nil { throw ValidationError("--form needs --layer") }
        if let limit, limit < 1 { throw ValidationError("--limit is \(limit); give 1 or more") }
    }

    func run(_ console: Console) throws {
        if let layer { return try run(console, layer) }
        let gate = try openForReading().gate(revision)
        var rows: [GateReport.Row] = []
        for path in text {
            let source = try Terminal.source(path, limit: limit)
            rows.append(GateReport.Row(text: path, shares: try gate.shares(after: source)))
        }
        console.show(
            GateReport(commit: gate.commit, gate: gate.id, adapters: gate.adapters, texts: rows))
    }

    private func run(_ console: Console, _ layer: Int) throws {
        let gate = try openForReading().gate(
            revision, layer: layer, form: form?.form ?? .discriminant, threads: threads)
        var rows: [GateReport.Row] = []
        for path in text {
            let bytes = try Terminal.read(path, limit: limit)
            rows.append(GateReport.Row(text: path, shares: try gate.shares(of: bytes)))
        }
        console.show(
            GateReport(
                commit: gate.commit, gate: gate.id, adapters: gate.adapters, texts: rows,
                layer: layer, form: gate.form.rawValue, lambda: gate.lambda))
    }
}

/// How a read-out is solved.
enum FormOption: String, ExpressibleByArgument, CaseIterable {
    case ridge
    case discriminant

    /// The façade's form of the same name.
    var form: ReadOutForm {
        switch self {
        case .ridge: .ridge
        case .discriminant: .discriminant
        }
    }
}
