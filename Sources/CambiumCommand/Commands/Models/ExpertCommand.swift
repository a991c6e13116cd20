internal import ArgumentParser
internal import Cambium

struct ExpertCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "expert",
        abstract: "Give a model one more expert, or take one out.",
        discussion: """
            For every family that runs (docs/families.md) and whose experts are in no groups. The new expert's router \
            rows are solved from evidence, without training; nothing else of the model changes, and `drop` \
            gives back the model before, byte for byte.

            cambium expert add main --from ft:7 --evidence sw.txt --keep general.txt
            cambium expert drop main
            """,
        subcommands: [ExpertAddCommand.self, ExpertDropCommand.self])
}

struct ExpertAddCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "add",
        abstract: "Add an expert to every layer, with router rows solved from evidence.",
        discussion: """
            From exact sums of what the model's routers read and decide, each layer's new row is solved in closed \
            form: its score is to exceed the last pick's on the new domain's tokens (--evidence), and to stay below \
            it on old text (--keep), whose routes shall not change. Other parts of the texts choose and check, and \
            some are for nothing but the figures that are printed. When fewer routes stay than --unchanged asks \
            for, nothing is committed.

            What old text decided is committed with the grown model, as evidence (`cambium evidence ls`), so that \
            --keep need not be given again; `cambium evidence add --kind routes` adds more. The evidence has sums \
            of all the text and at most 160 windows of 128 tokens of it as they are.

            Token by token a row cannot tell a new domain in the old one's letters. With --gate NAME the model stays as it \
            is: an alternative NAME (as of `merge --policy alternatives`) has the further expert, with rows by which \
            --share of the new domain's tokens pick it, and counts of the texts' n-grams tell as a text goes on which \
            of the two answers. The counts are committed as evidence too. `cambium resolve --take NAME` makes it the \
            model, `cambium forget NAME` takes it out again.

            An expert is named CHECKPOINT:NUMBER, that expert of each layer. Without a number the checkpoint \
            must have no experts, and its feed-forward of each layer becomes one. Texts are read by the \
            tokenizer.json that was committed with the model; a vocabulary of 256 without one reads bytes.

            cambium expert add main --from ft:7 --evidence sw.txt --keep general.txt
            cambium expert add main --from dense-coder --evidence code.txt
            cambium generate main --prompt "Habari" -n 40 && cambium export main grown
            cambium expert add main --from ft:7 --evidence sw.txt --gate swahili
            cambium export main grown --alternative swahili
            """)

    @Argument(help: "The branch; its model grows by a commit.", completion: Completion.branches)
    var branch: String

    @Option(help: "Which layers: all, since config.json has one number of experts for all of them.")
    var layer: LayerChoice = .all

    @Option(
        help: ArgumentHelp(
            "Where the weights come from.", valueName: "checkpoint[:number]|revision:number"),
        completion: .file())
    var from: String

    @Option(
        help: "Text of the new domain; - reads standard input. May be repeated.",
        completion: .file())
    var evidence: [String]

    @Option(
        help: """
            Old text, whose routes are to stay beside those that the branch has evidence of. May be repeated.
            """, completion: .file())
    var keep: [String] = []

    @Option(
        help: ArgumentHelp("The share of old routes that must stay.", valueName: "share"))
    var unchanged = 0.995

    @Option(
        help: ArgumentHelp(
            "Add the expert in an alternative of this name that counts of the texts pick.",
            valueName: "name"))
    var gate: String?

    @Option(
        help: ArgumentHelp(
            "With --gate, the share of new tokens that are to pick the expert (default: 0.97).",
            valueName: "share"))
    var share: Double?

    @Option(help: "Bytes of each kind of text that are read, or all.")
    var limit = ByteLimit(count: 100_000)

    @Option(help: "Threads (default: the processors). The result does not depend on it.")
    var threads: Int?

    @Option(name: .shortAndLong, parsing: .unconditional, help: "What the commit says.")
    var message: String?

    @OptionGroup var global: GlobalOptions

    func validate() throws {
        if share != nil, gate == nil { throw ValidationError("--share goes with --gate NAME") }
        if evidence.isEmpty { throw ValidationError("give at least one --evidence FILE") }
        if let threads, !(1...1024).contains(threads) {
            throw ValidationError("--threads is \(threads); give 1 to 1024")
        }
    }

    func run(_ console: Console) throws {
        let store = try openStore()
        let source = ExpertSource(parsing: from)
        let options = CommitOptions(
            message: message ?? "add expert \(source.text)", branch: branch)
        let new = try evidence.map { try Terminal.read($0, limit: limit.count) }
        let old = try keep.map { try Terminal.read($0, limit: limit.count) }
        let growth = GrowthOptions(
            unchanged: unchanged, gate: gate, share: share ?? GrowthOptions().share,
            limit: limit.count, threads: threads ?? Terminal.processors)
        let result = try console.withProgress("expert") { progress in
            try store.addExpert(
                from: source, evidence: new, keep: old, growth: growth, options,
                progress: progress.report)
        }
        console.show(GrowthReport(result: result))
    }
}

struct ExpertDropCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "drop",
        abstract: "Take an expert out of every layer.",
        discussion: """
            Its weights and its router rows go; experts behind it move up by one. They stay in history.

            cambium expert drop main            # the last one
            cambium expert drop main 3
            """)

    @Argument(help: "The branch.", completion: Completion.branches)
    var branch: String

    @Argument(help: "The expert's number (default: the last).")
    var expert: Int?

    @Option(name: .shortAndLong, parsing: .unconditional, help: "What the commit says.")
    var message: String?

    @OptionGroup var global: GlobalOptions

    func run(_ console: Console) throws {
        let text = message ?? (expert.map { "drop expert \($0)" } ?? "drop the last expert")
        let result = try openStore().dropExpert(
            expert, CommitOptions(message: text, branch: branch))
        console.show(CommitReport(result: result, message: text))
    }
}

/// Which layers grow.
enum LayerChoice: String, ExpressibleByArgument, CaseIterable {
    case all
}
