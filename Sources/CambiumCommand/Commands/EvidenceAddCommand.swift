internal import ArgumentParser
internal import Cambium

struct EvidenceAddCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "add",
        abstract: "Count texts as evidence for a cohort, and commit it.",
        discussion: """
            Each file becomes one record, named by its content: adding the same file again changes nothing, \
            and a text counts once in a cohort, whatever its labels. All files go into one commit. Moments \
            run the branch's frozen trunk over the text; moments over different trunks do not add, and are \
            refused.

            cambium evidence add --cohort base --text gsm8k.txt --text shakespeare.txt
            cambium evidence add --cohort swahili --text swahili.txt --branch swahili --label "round 1"
            cambium evidence add --kind moments --layer 3 --cohort swahili --text swahili.txt
            """)

    @Option(help: "The cohort that the texts belong to; base is the base model.")
    var cohort: String

    @Option(
        help: "A file to count; - reads standard input. May be repeated.", completion: .file())
    var text: [String]

    @Option(help: "Which round or data this is; kept in the record.")
    var label = ""

    @Option(help: "counts of byte sequences, or moments of hidden states.")
    var kind: EvidenceKind = .counts

    @Option(
        help: ArgumentHelp(
            "Of counts, bytes in a sequence, 1 to 8 (default: 3).", valueName: "number"))
    var order: Int?

    @Option(help: ArgumentHelp("Of moments, a layer with experts.", valueName: "number"))
    var layer: Int?

    @Option(
        help: """
            Of moments, what they are for: cohort, the gate; experts, the experts that the layer's router \
            picks first (default: cohort).
            """)
    var target: TargetOption?

    @Option(help: ArgumentHelp("Of moments, threads that run the model.", valueName: "number"))
    var threads = 1

    @Option(name: .shortAndLong, parsing: .unconditional, help: "What the commit says.")
    var message: String?

    @Option(help: "The branch (default: HEAD's). A missing one is made from HEAD.")
    var branch: String?

    @OptionGroup var global: GlobalOptions

    func validate() throws {
        if text.isEmpty { throw ValidationError("give at least one --text FILE") }
        if kind == .moments, layer == nil {
            throw ValidationError("--kind moments needs --layer NUMBER")
        }
        if kind == .counts, layer != nil || target != nil {
            throw ValidationError("--layer and --target need --kind moments")
        }
        if kind == .moments, order != nil {
            throw ValidationError("--order is of counts, not of moments")
        }
    }

    func run(_ console: Console) throws {
        let store = try openStore()
        var options = CommitOptions(
            message: message ?? "evidence for \(cohort)", branch: branch)
        options.metadata["evidence.cohort"] = cohort
        let texts = try text.map { try Terminal.read($0) }
        let result =
            if let layer {
                try store.addMoments(
                    texts, layer: layer, cohort: cohort, label: label,
                    target: target?.target ?? .cohort, threads: threads, options)
            } else {
                try store.addEvidence(
                    texts, cohort: cohort, label: label, order: order, options)
            }
        console.show(EvidenceReport(result: result, verb: "added"))
    }
}

/// What evidence counts.
enum EvidenceKind: String, ExpressibleByArgument, CaseIterable {
    case counts
    case moments
}

/// What moments are for.
enum TargetOption: String, ExpressibleByArgument, CaseIterable {
    case cohort
    case experts

    /// The façade's target of the same name.
    var target: MomentTarget {
        switch self {
        case .cohort: .cohort
        case .experts: .experts
        }
    }
}
