internal import ArgumentParser
internal import Cambium

struct DiffCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "diff",
        abstract: "List experts, rows and tensors that differ.",
        discussion: """
            L2 is the length of the change, cosine the angle between before and after. Without \
            revisions HEAD is compared with its parent; with one, that one with HEAD.

            cambium diff main swahili
            cambium diff v1 --ids
            cambium diff main swahili --exit-code -q
            """)

    @Argument(
        help: "FROM and TO; or one revision, to compare with HEAD.",
        completion: Completion.revisions)
    var revisions: [String] = []

    @Flag(help: "List every expert with the length and angle of its change.")
    var ids = false

    @Flag(help: "Show every layer and tensor, however many.")
    var full = false

    @Flag(help: "Exit 1 when the models differ.")
    var exitCode = false

    @OptionGroup var global: GlobalOptions

    func validate() throws {
        if revisions.count > 2 { throw ValidationError("diff compares two revisions at most") }
    }

    func run(_ console: Console) throws {
        let (from, to) =
            switch revisions.count {
            case 0: ("HEAD~1", "HEAD")
            case 1: (revisions[0], "HEAD")
            default: (revisions[0], revisions[1])
            }
        let diff = try openForReading().diff(from: from, to: to)
        console.show(
            DiffReport(
                diff: diff, from: from, to: to, detail: ids ? .ids : full ? .full : .summary),
            paged: true)
        if exitCode, !diff.identical { throw Ended(status: .failure) }
    }
}
