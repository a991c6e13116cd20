internal import ArgumentParser
internal import Cambium

struct EvidenceCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "evidence",
        abstract: "Keep what the gate is solved from, and ask the gate.",
        discussion: """
            Evidence is counted from text: how often each sequence of bytes occurs in what an adapter should \
            answer, or the exact sums of the model's states in front of a layer's experts (Gram sums). The \
            gate, which tells adapters apart, is solved from the set of all evidence in a snapshot. Merging \
            branches unites their evidence, so the gate of a merge is, byte for byte, the gate of all their \
            data at once, in any order; dropped evidence leaves no trace.

            cambium evidence add --adapter swahili --text swahili.txt -m "Swahili text"
            cambium evidence ls main
            cambium evidence gate main --text unknown.txt
            cambium evidence drop 3f2a91
            """,
        subcommands: [
            EvidenceAddCommand.self, EvidenceListCommand.self, EvidenceShowCommand.self,
            EvidenceDropCommand.self, EvidenceGateCommand.self, EvidenceRouterCommand.self,
        ])
}

struct EvidenceListCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "ls", abstract: "List the evidence of a revision.",
        discussion: "cambium evidence ls main --json")

    @Argument(help: "The revision.", completion: Completion.revisions)
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

    @Argument(help: "The revision.", completion: Completion.revisions)
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
            history until nothing names it, and weights that were trained on the text stay as they are: \
            `cambium forget ADAPTER` takes out both.

            cambium evidence drop 3f2a91 -m "forget the private texts"
            """)

    @Argument(help: "Ids of records, or their beginnings.")
    var id: [String]

    @Option(name: .shortAndLong, parsing: .unconditional, help: "What the commit says.")
    var message = "drop evidence"

    @Option(help: "The branch (default: HEAD's).", completion: Completion.branches)
    var branch: String?

    @OptionGroup var global: GlobalOptions

    func run(_ console: Console) throws {
        let result = try openStore().dropEvidence(
            id, CommitOptions(message: message, branch: branch))
        console.show(EvidenceReport(result: result, verb: "dropped"))
    }
}
