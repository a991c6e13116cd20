internal import ArgumentParser
internal import Cambium

struct CloneCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "clone",
        abstract: "Make a store of a remote.",
        discussion: """
            The remote becomes `origin`, its branches origin/NAME, and HEAD is on main or what --branch names. \
            Everything that comes is checked against the name that leads to it. A clone that is cut off goes on \
            where it was when the same command runs again.

            cambium clone s3://bucket/models S
            cambium clone file:///mnt/shared/models S --branch swahili --depth 1
            cambium clone s3://bucket/models S --lazy     # data come when they are read
            """)

    @Argument(help: "file:///a/folder or s3://BUCKET/PREFIX.")
    var url: String

    @Argument(
        help: ArgumentHelp("The new store; must not exist, or be empty.", valueName: "dir"),
        completion: .directory)
    var directory: String

    @Option(help: ArgumentHelp("Only this branch, and switch to it.", valueName: "name"))
    var branch: String?

    @Option(
        help: ArgumentHelp(
            "Only so many commits of each branch; `fetch --depth 0` brings the rest.",
            valueName: "n"))
    var depth: Int?

    @Flag(
        help:
            "Leave tensors and experts on the remote until they are read, and those of later fetches."
    )
    var lazy = false

    @OptionGroup var access: AccessOptions
    @OptionGroup var transfer: TransferChoices
    @OptionGroup var global: GlobalOptions

    func validate() throws {
        if global.store != nil {
            throw ValidationError("clone makes a store in DIR; -C is for the other commands")
        }
        if let depth, depth < 1 { throw ValidationError("--depth takes a number from 1") }
    }

    func run(_ console: Console) throws {
        let result = try console.withTransfer("clone") { progress in
            try Store.clone(
                url, to: directory, branch: branch, depth: depth, lazy: lazy,
                access.access, transfer: transfer.options, progress: progress.report)
        }
        console.show(CloneReport(result: result))
    }
}
