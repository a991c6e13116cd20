internal import ArgumentParser
internal import Cambium

struct EvidenceAddCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "add",
        abstract: "Count texts as evidence for an adapter, and commit it.",
        discussion: """
            Each file becomes one record, named by its content: adding the same file again changes nothing, \
            and a text counts once in an adapter, whatever its labels. All files go into one commit. Gram sums \
            run the branch's frozen trunk over the text; Gram sums over different trunks do not add, and are \
            refused. Squared gradients (fisher) are how much the model itself minds changes of each of its \
            weights on the texts, by which `cambium merge --policy fisher` weighs; new ones replace old ones. Routes \
            are what the linear routers of OLMoE and its like decide on old text, which `cambium expert add` keeps as \
            they are; a record has sums of all the text and at most 160 windows of 128 tokens of it. States are what \
            expert layers read on old text, and which hashed experts it picks, to which `cambium train --hold` holds \
            a round; a record has no text. Excerpts \
            are windows spread over the text, word for word, which `cambium merge --policy solve` runs the sides' \
            models over.

            cambium evidence add --adapter base --text gsm8k.txt --text shakespeare.txt
            cambium evidence add --adapter swahili --text swahili.txt --label "round 1"
            cambium evidence add --kind gram --layer 3 --adapter sw --text swahili.txt
            cambium evidence add --kind gram --target experts --layer 3 --text gsm8k.txt
            cambium evidence add --kind fisher --branch swahili --text swahili.txt
            cambium evidence add --kind routes --text general.txt
            cambium evidence add --kind states --text gsm8k.txt --text shakespeare.txt
            cambium evidence add --kind excerpts --branch swahili --text swahili.txt
            """)

    @Argument(
        help: "The branch, which must be there (or --branch; default: HEAD's).",
        completion: Completion.revisions)
    var revision: String?

    @Option(
        help: """
            The adapter that the texts belong to; base is the base model. Needed of counts, and of \
            Gram sums for the gate.
            """, completion: Completion.adapters)
    var adapter: String?

    @Option(
        help: "A file to count; - reads standard input. May be repeated.", completion: .file())
    var text: [String]

    @Option(help: "Which round or data this is; kept in the record.")
    var label = ""

    @Option(
        help: """
            counts: of byte sequences; gram: Gram sums of hidden states; fisher: squared gradients; routes: \
            what linear routers decide; states: what expert layers read; excerpts: windows of the text itself.
            """)
    var kind: EvidenceKind = .counts

    @Option(
        help: ArgumentHelp(
            """
            Of counts, bytes in a sequence, 1 to 8 (default: as the branch's evidence; without any 6 where \
            counts predict beside the model, else 3).
            """, valueName: "number"))
    var order: Int?

    @Option(help: ArgumentHelp("Of Gram sums, a layer with experts.", valueName: "number"))
    var layer: Int?

    @Option(
        help: """
            Of Gram sums, what they are for. adapter: the gate; experts: a router over the experts, by those \
            that the layer's router picks first (default: adapter).
            """)
    var target: TargetOption?

    @Option(
        help: """
            With --target experts, a file of numbers separated by white space: the expert that each byte of \
            the text should pick, instead of those that the layer's router does. May be repeated, one for \
            each --text.
            """,
        completion: .file())
    var assignments: [String] = []

    @Option(
        help: ArgumentHelp(
            "Of Gram sums, fisher, routes and states, threads that run the model.",
            valueName: "number"))
    var threads = 1

    @Option(
        help: """
            Of routes, bytes of all texts that are read (default: 100000); of excerpts, bytes that are kept of each \
            (default: 10000); or all.
            """)
    var limit: ByteLimit?

    @Option(
        help: ArgumentHelp(
            "Of states, tokens of each text whose states are kept (default: 1024).",
            valueName: "number"))
    var states: Int?

    @Option(name: .shortAndLong, parsing: .unconditional, help: "What the commit says.")
    var message: String?

    @Option(
        help: "The branch (default: HEAD's). A missing one is made from HEAD.",
        completion: Completion.branches)
    var branch: String?

    @OptionGroup var global: GlobalOptions

    func validate() throws {
        if text.isEmpty { throw ValidationError("give at least one --text FILE") }
        if kind == .gramSums, layer == nil {
            throw ValidationError("--kind gram needs --layer NUMBER")
        }
        if kind != .gramSums, layer != nil || target != nil || !assignments.isEmpty {
            throw ValidationError("--layer, --target and --assignments need --kind gram")
        }
        if adapter == nil, target != .experts, kind == .counts || kind == .gramSums {
            throw ValidationError("give the texts' --adapter NAME; base is the base model")
        }
        if !assignments.isEmpty, target != .experts {
            throw ValidationError("--assignments needs --target experts")
        }
        if !assignments.isEmpty, assignments.count != text.count {
            throw ValidationError(
                "\(assignments.count) --assignments for \(text.count) --text; give one for each")
        }
        if revision != nil, branch != nil {
            throw ValidationError("give the branch once, as an argument or by --branch")
        }
        if kind != .counts, order != nil {
            throw ValidationError("--order is of counts, not of \(kind.rawValue)")
        }
        if kind == .fisher, adapter != nil || !label.isEmpty {
            throw ValidationError(
                "squared gradients are of the model itself: --kind fisher takes no --adapter or --label"
            )
        }
        if kind == .routes || kind == .states || kind == .excerpts, adapter != nil {
            throw ValidationError(
                "\(kind.rawValue) are of the model itself: --kind \(kind.rawValue) takes no --adapter"
            )
        }
        if kind != .states, states != nil { throw ValidationError("--states needs --kind states") }
        if kind != .routes, kind != .excerpts, limit != nil {
            throw ValidationError("--limit needs --kind routes or excerpts")
        }
    }

    func run(_ console: Console) throws {
        let store = try openStore()
        let adapter = adapter ?? "base"
        let branch = try branch ?? revision.flatMap { try store.knownBranch($0) }
        if kind == .fisher {
            let options = CommitOptions(message: message ?? "squared gradients", branch: branch)
            let texts = try text.map { try Terminal.read($0) }
            let result = try console.withProgress("gradients") { progress in
                try store.addSquaredGradients(
                    texts, threads: threads, options, progress: progress.report)
            }
            return console.show(SquaredGradientsReport(result: result))
        }
        if kind == .excerpts {
            let options = CommitOptions(message: message ?? "excerpts", branch: branch)
            let result = try store.addExcerpts(
                text.map { Excerpts(try Terminal.read($0), label: label, limit) }, options)
            return console.show(EvidenceReport(result: result, verb: "added"))
        }
        if kind == .routes {
            let options = CommitOptions(message: message ?? "routes to keep", branch: branch)
            let limit = limit.map(\.count) ?? 100_000
            let texts = try text.map { try Terminal.read($0, limit: limit) }
            let result = try console.withProgress("routes") { progress in
                try store.addRoutes(
                    texts, label: label, limit: limit, threads: threads,
                    options, progress: progress.report)
            }
            return console.show(EvidenceReport(result: result, verb: "added"))
        }
        if kind == .states {
            let options = CommitOptions(message: message ?? "states to hold", branch: branch)
            let texts = try text.map { try Terminal.read($0) }
            let result = try console.withProgress("states") { progress in
                try store.addStates(
                    texts, label: label, count: states ?? 1_024, threads: threads, options,
                    progress: progress.report)
            }
            return console.show(EvidenceReport(result: result, verb: "added"))
        }
        var options = CommitOptions(
            message: message ?? "evidence for \(adapter)", branch: branch)
        options.metadata["evidence.cohort"] = adapter
        let assigned: [Assignments]? =
            assignments.isEmpty
            ? nil : try assignments.map { try Assignments(text: Terminal.read($0), name: $0) }
        let result =
            if let layer {
                try store.addGramSums(
                    text.map { try Terminal.read($0) }, layer: layer, adapter: adapter,
                    label: label,
                    target: target?.target ?? .adapter, assignments: assigned, threads: threads,
                    options)
            } else {
                try store.addEvidence(
                    text.map { try Terminal.source($0) }, adapter: adapter, label: label,
                    order: order, options)
            }
        console.show(EvidenceReport(result: result, verb: "added"))
    }
}

/// What evidence counts.
enum EvidenceKind: String, ExpressibleByArgument, CaseIterable {
    case counts
    case gramSums = "gram"
    case fisher
    case routes
    case states
    case excerpts

    init?(argument: String) { self.init(rawValue: OldWords.renewed(value: argument)) }
}

/// What Gram sums are for.
enum TargetOption: String, ExpressibleByArgument, CaseIterable {
    case adapter
    case experts

    init?(argument: String) { self.init(rawValue: OldWords.renewed(value: argument)) }

    /// The façade's target of the same name.
    var target: GramTarget {
        switch self {
        case .adapter: .adapter
        case .experts: .experts
        }
    }
}
