internal import ArgumentParser
internal import Cambium

struct RevertCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "revert",
        abstract: "Undo one commit with a new one.",
        discussion: """
            What came later stays.

            cambium revert HEAD
            cambium revert swahili~2 --policy ours
            """)

    /// A revert has two sides only, which no mean makes sense of.
    enum Policy: String, ExpressibleByArgument, CaseIterable {
        case none
        case ours
        case theirs
    }

    @Argument(help: "The commit to undo.", completion: Completion.revisions)
    var revision: String

    @Option(help: "The branch (default: HEAD's).", completion: Completion.branches)
    var branch: String?

    @Option(help: "For a merge commit, the parent to go back to, from 1.")
    var parent = 1

    @Option(help: "What was changed again later: none lists it; ours keeps it; theirs undoes it.")
    var policy: Policy = .none

    @Option(name: .shortAndLong, parsing: .unconditional, help: "Why.")
    var message: String?

    @Flag(help: "Revert also to a model that would not run as the branch's history does.")
    var allowUnfit = false

    @OptionGroup var global: GlobalOptions

    func run(_ console: Console) throws {
        let result = try openStore().revert(
            revision, branch: branch, parent: parent,
            policy: MergePolicy(rawValue: policy.rawValue) ?? .none, message: message,
            allowsUnfit: allowUnfit)
        try console.show(
            MergeReport(result: result, verb: .revert, what: revision, isDryRun: false),
            hint: "settle them by name: --policy ours keeps what came later, theirs undoes it too")
    }
}
