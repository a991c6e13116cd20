internal import ArgumentParser
internal import Cambium

struct FetchCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "fetch",
        abstract: "Bring branches of a remote, without touching local ones.",
        discussion: """
            The remote's branches become REMOTE/NAME, which every command takes as a revision. \
            Without branches, all of them come, and all tags.

            cambium fetch && cambium log main..origin/main
            cambium diff main origin/main
            cambium fetch origin swahili --depth 1
            cambium fetch --depth 0            # what a clone of some depth left out
            """)

    @Argument(help: "Its name (default: origin, or the only one).", completion: Completion.remotes)
    var remote: String?

    @Argument(help: "Branches of the remote (default: all, and all tags).")
    var branches: [String] = []

    @Option(
        help: ArgumentHelp(
            "Only so many commits of each branch; 0 for all, also those left out before.",
            valueName: "n"))
    var depth: Int?

    @OptionGroup var transfer: TransferChoices
    @OptionGroup var global: GlobalOptions

    func validate() throws {
        if let depth, depth < 0 { throw ValidationError("--depth takes a number from 0") }
    }

    func run(_ console: Console) throws {
        let store = try openStore()
        let result = try console.withTransfer("fetch") { progress in
            try store.fetch(
                from: remote, branches: branches, depth: depth, transfer: transfer.options,
                progress: progress.report)
        }
        console.show(FetchReport(result: result))
    }
}

struct PullCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "pull",
        abstract: "Fetch a branch and merge it into the local one.",
        discussion: """
            Where only one side went on, the branch moves forward; where both did, they are merged, three-way, \
            per expert and router row. Conflicts stop it (exit status 3), unless --policy settles them.

            cambium pull
            cambium pull origin main --policy mean
            """)

    @Argument(help: "Its name (default: origin, or the only one).", completion: Completion.remotes)
    var remote: String?

    @Argument(
        help: "The branch, there and here (default: the one that HEAD is on).",
        completion: Completion.branches)
    var branch: String?

    @Option(help: ArgumentHelp("How conflicts are settled.", valueName: "policy"))
    var policy = PolicyOption(.none)

    @OptionGroup var transfer: TransferChoices
    @OptionGroup var global: GlobalOptions

    func run(_ console: Console) throws {
        let store = try openStore()
        let result = try console.withTransfer("pull") { progress in
            try store.pull(
                from: remote, branch: branch, policy: policy.policy, transfer: transfer.options,
                progress: progress.report)
        }
        try console.show(PullReport(result: result))
    }
}
