internal import ArgumentParser
internal import Cambium

struct ResolveCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "resolve",
        abstract: "Make one model of the alternatives that a merge kept.",
        discussion: """
            A merge by --policy alternatives keeps every side's model over the one that they began from. \
            --take keeps one of them (base: that one), --policy merges them: mean with equal weights, ties and \
            task as in a merge (lossy). The new commit has one model; what was before stays in the history.

            cambium resolve --take swahili
            cambium resolve --branch trial --policy ties --density 0.5
            """)

    @Option(help: "The alternative that is kept; base for what they began from.")
    var take: String?

    @Option(
        help: "How all of them are merged: mean, ties or task; none lists what they disagree about."
    )
    var policy: PolicyOption?

    @Option(
        help: ArgumentHelp(
            "For ties, which share of each one's changes is kept (default: 0.2).",
            valueName: "share"))
    var density: Double?

    @Option(
        help: ArgumentHelp(
            "For ties and task, how much of the merged change is added (default: 1).",
            valueName: "number"))
    var scale: Double?

    @Option(help: "The branch (default: HEAD's).", completion: Completion.branches)
    var branch: String?

    @Option(name: .shortAndLong, parsing: .unconditional, help: "Why.")
    var message: String?

    @OptionGroup var global: GlobalOptions

    func validate() throws {
        guard (take == nil) != (policy == nil) else {
            throw ValidationError("give --take NAME or --policy mean, ties or task")
        }
        if density != nil, policy?.policy != .ties {
            throw ValidationError("--density needs --policy ties")
        }
        if scale != nil, policy?.policy != .ties, policy?.policy != .task {
            throw ValidationError("--scale needs --policy ties or task")
        }
    }

    func run(_ console: Console) throws {
        let store = try openStore()
        let result: MergeResult
        if let take {
            result = try store.resolve(taking: take, branch: branch, message: message)
        } else {
            var settings = PolicySettings()
            if let density { settings.density = density }
            if let scale { settings.scale = scale }
            result = try store.resolve(
                by: policy?.policy ?? .none, settings: settings, branch: branch, message: message)
        }
        try console.show(
            MergeReport(
                result: result, verb: .resolve, what: take ?? policy?.policy.rawValue ?? "",
                isDryRun: false),
            hint: "merge them by name: --policy mean, ties or task; or keep one: --take NAME")
    }
}
