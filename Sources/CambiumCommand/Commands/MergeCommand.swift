internal import ArgumentParser
internal import Cambium

struct MergeCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "merge",
        abstract: "Merge branches three-way, expert by expert.",
        discussion: """
            What one side changed is taken; what both changed to the same bytes is taken once; what \
            they changed differently is a conflict: it is listed, nothing is written, and the exit \
            status is 3, unless a policy settles it. The order of branches does not matter, except \
            to ours and theirs. The commit records policy and weights.

            cambium merge swahili metamath --into main --dry-run
            cambium merge swahili metamath --into main --policy mean
            cambium merge swahili --policy mean --weight main=3 --weight swahili=1
            cambium merge swahili metamath --into main --policy ties --density 0.5
            """)

    @Argument(help: "What to merge.")
    var branches: [String]

    @Option(help: "The branch merged into (default: HEAD's).", completion: Completion.branches)
    var into: String?

    @Option(
        help: """
            Conflicts: none lists them; ours takes the first side's version, theirs the last \
            side's; mean the weighted mean, ties the greatest changes that agree, task the sum of \
            the changes, fisher the mean weighted by recorded squared gradients, regmean the linear maps \
            nearest to the sides' by their moments or routes (lossy).
            """)
    var policy = PolicyOption(.none)

    @Option(
        help: ArgumentHelp(
            "A side's weight in a mean; may be repeated (default: its tokens, else 1).",
            valueName: "name=number"))
    var weight: [NumberPair] = []

    @Option(
        help: ArgumentHelp(
            "For ties, which share of each side's changes is kept (default: 0.2).",
            valueName: "share"))
    var density: Double?

    @Option(
        help: ArgumentHelp(
            "For ties and task, how much of the merged change is added (default: 1).",
            valueName: "number"))
    var scale: Double?

    @Flag(help: "Say what would happen, and write nothing.")
    var dryRun = false

    @Option(name: .shortAndLong, parsing: .unconditional, help: "What the merge is.")
    var message: String?

    @OptionGroup var global: GlobalOptions

    func validate() throws {
        if !weight.isEmpty, !policy.policy.isWeighted {
            throw ValidationError("--weight needs --policy mean, fisher or regmean")
        }
        if density != nil, policy.policy != .ties {
            throw ValidationError("--density needs --policy ties")
        }
        if scale != nil, policy.policy != .ties, policy.policy != .task {
            throw ValidationError("--scale needs --policy ties or task")
        }
    }

    func run(_ console: Console) throws {
        let weights = try dictionary(weight.map { ($0.name, $0.value) }, "--weight")
        var settings = PolicySettings()
        if let density { settings.density = density }
        if let scale { settings.scale = scale }
        let result = try openStore().merge(
            branches, into: into, policy: policy.policy, weights: weights, settings: settings,
            message: message, dryRun: dryRun)
        try console.show(
            MergeReport(
                result: result, verb: .merge, what: branches.joined(separator: ", "),
                isDryRun: dryRun),
            hint: "settle them by name: --policy mean (weighted mean, lossy), ours (the first "
                + "side's version) or theirs (the last side's)")
    }
}
