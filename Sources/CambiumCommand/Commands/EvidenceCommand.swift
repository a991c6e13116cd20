internal import ArgumentParser
internal import Cambium

struct EvidenceCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "evidence",
        abstract: "Keep what the gate is solved from, and ask the gate.",
        discussion: """
            Evidence is counted from text: how often each sequence of bytes occurs in what a cohort should \
            answer. The gate, which tells cohorts apart, is solved from the set of all evidence in a \
            snapshot. Merging branches unites their evidence, so the gate of a merge is, byte for byte, the \
            gate of all their data at once, in any order; dropped evidence leaves no trace.

            cambium evidence add --cohort swahili --text swahili.txt -m "evidence: Swahili"
            cambium evidence ls main
            cambium evidence gate main --text unknown.txt
            cambium evidence drop 3f2a91
            """,
        subcommands: [
            EvidenceAddCommand.self, EvidenceListCommand.self, EvidenceShowCommand.self,
            EvidenceDropCommand.self, EvidenceGateCommand.self,
        ])
}

struct EvidenceAddCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "add",
        abstract: "Count texts as evidence for a cohort, and commit it.",
        discussion: """
            Each file becomes one record, named by its content: adding the same file again changes nothing, \
            and a text counts once in a cohort, whatever its labels. All files go into one commit.

            cambium evidence add --cohort base --text gsm8k.txt --text shakespeare.txt
            cambium evidence add --cohort swahili --text swahili.txt --branch swahili --label "round 1"
            """)

    @Option(help: "The cohort that the texts belong to; base is the base model.")
    var cohort: String

    @Option(
        help: "A file to count; - reads standard input. May be repeated.", completion: .file())
    var text: [String]

    @Option(help: "Which round or data this is; kept in the record.")
    var label = ""

    @Option(help: ArgumentHelp("Bytes in a sequence, 1 to 8.", valueName: "number"))
    var order = 3

    @Option(name: .shortAndLong, parsing: .unconditional, help: "What the commit says.")
    var message: String?

    @Option(help: "The branch (default: HEAD's). A missing one is made from HEAD.")
    var branch: String?

    @OptionGroup var global: GlobalOptions

    func validate() throws {
        if text.isEmpty { throw ValidationError("give at least one --text FILE") }
    }

    func run(_ console: Console) throws {
        let store = try openStore()
        var options = CommitOptions(
            message: message ?? "evidence for \(cohort)", branch: branch)
        options.metadata["evidence.cohort"] = cohort
        let result = try store.addEvidence(
            try text.map { try Terminal.read($0) }, cohort: cohort, label: label, order: order,
            options)
        console.show(EvidenceReport(result: result, verb: "added"))
    }
}

struct EvidenceListCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "ls", abstract: "List the evidence of a revision.",
        discussion: "cambium evidence ls main --json")

    @Argument(help: "The revision.")
    var revision = "HEAD"

    @OptionGroup var global: GlobalOptions

    func run(_ console: Console) throws {
        let list = try openForReading().evidence(revision)
        console.show(EvidenceListReport(evidence: list), paged: true)
    }
}

struct EvidenceShowCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Show one record of evidence.",
        discussion: "cambium evidence show 3f2a91 main")

    @Argument(help: "The record's id, or its beginning.")
    var id: String

    @Argument(help: "The revision.")
    var revision = "HEAD"

    @OptionGroup var global: GlobalOptions

    func run(_ console: Console) throws {
        let found = try openForReading().evidence(revision).filter {
            $0.id.hasPrefix(id.lowercased())
        }
        guard found.count == 1 else {
            throw Failure(
                found.isEmpty ? .notFound : .usage,
                found.isEmpty
                    ? "there is no evidence '\(id)' in \(revision)"
                    : "'\(id)' is the beginning of \(found.count) ids of evidence",
                hint: "`cambium evidence ls \(revision)` lists it")
        }
        console.show(EvidenceDetailReport(evidence: found[0]))
    }
}

struct EvidenceDropCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "drop", abstract: "Commit a model without some evidence.",
        discussion: """
            The gate of the new snapshot is byte for byte the one that never saw it. The record stays in \
            history until nothing names it.

            cambium evidence drop 3f2a91 -m "forget the private texts"
            """)

    @Argument(help: "Ids of records, or their beginnings.")
    var id: [String]

    @Option(name: .shortAndLong, parsing: .unconditional, help: "What the commit says.")
    var message = "drop evidence"

    @Option(help: "The branch (default: HEAD's).")
    var branch: String?

    @OptionGroup var global: GlobalOptions

    func run(_ console: Console) throws {
        let result = try openStore().dropEvidence(
            id, CommitOptions(message: message, branch: branch))
        console.show(EvidenceReport(result: result, verb: "dropped"))
    }
}

struct EvidenceGateCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "gate", abstract: "Ask the gate of a revision which cohort texts belong to.",
        discussion: """
            Without a text, the gate's id and its cohorts. The same evidence gives the same id.

            cambium evidence gate main
            cambium evidence gate main --text unknown.txt --limit 256
            """)

    @Argument(help: "The revision.")
    var revision = "HEAD"

    @Option(help: "A file to read; - reads standard input. May be repeated.", completion: .file())
    var text: [String] = []

    @Option(
        help: ArgumentHelp("Read only the first bytes of each text.", valueName: "bytes"))
    var limit: Int?

    @OptionGroup var global: GlobalOptions

    func validate() throws {
        if let limit, limit < 1 { throw ValidationError("--limit is \(limit); give 1 or more") }
    }

    func run(_ console: Console) throws {
        let gate = try openForReading().gate(revision)
        var rows: [GateReport.Row] = []
        for path in text {
            let bytes = try Terminal.read(path)
            rows.append(
                GateReport.Row(
                    text: path, shares: gate.shares(after: Array(bytes.prefix(limit ?? .max)))))
        }
        console.show(
            GateReport(commit: gate.commit, gate: gate.id, cohorts: gate.cohorts, texts: rows))
    }
}
