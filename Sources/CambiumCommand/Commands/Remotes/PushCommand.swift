internal import ArgumentParser
internal import Cambium

struct PushCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "push",
        abstract: "Send branches, their commits and data, to a remote.",
        discussion: """
            Only what the remote lacks is sent, as it is stored: a round costs its new experts, a step its \
            changed elements. The branch of the remote moves last, so a push that ends early changes nothing \
            there. Where somebody else was faster it is refused (exit status 5): pull, and push again.

            cambium push                       # HEAD's branch, to origin
            cambium push origin main swahili
            cambium push --tags
            cambium push origin --delete swahili
            """)

    @Argument(help: "Its name (default: origin, or the only one).", completion: Completion.remotes)
    var remote: String?

    @Argument(help: "Branches (default: the one that HEAD is on).", completion: Completion.branches)
    var branches: [String] = []

    @Flag(help: "Send all tags as well; without branches, tags alone.")
    var tags = false

    @Flag(help: "Remove the branches from the remote.")
    var delete = false

    @Flag(help: "Move a branch even where commits of others are lost by it.")
    var force = false

    @Flag(help: "Say what would be sent, and send nothing.")
    var dryRun = false

    @OptionGroup var transfer: TransferChoices
    @OptionGroup var global: GlobalOptions

    func validate() throws {
        if delete, branches.isEmpty { throw ValidationError("--delete needs REMOTE and branches") }
        if delete, tags { throw ValidationError("give one of --delete and --tags") }
    }

    func run(_ console: Console) throws {
        let store = try openStore()
        let result = try console.withTransfer("push") { progress in
            try store.push(
                to: remote, branches: branches, tags: tags, delete: delete, force: force,
                dryRun: dryRun, transfer: transfer.options, progress: progress.report)
        }
        console.show(PushReport(result: result))
    }
}
