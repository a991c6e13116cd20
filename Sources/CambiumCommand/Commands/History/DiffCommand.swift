internal import ArgumentParser
internal import Cambium

struct DiffCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "diff",
        abstract: "List experts, rows and tensors that differ.",
        discussion: """
            A change is told in per cent of what was before (L2 norms), and by its greatest element. Without \
            revisions HEAD is compared with its parent; with one, that one with HEAD.

            cambium diff main swahili
            cambium diff v1 --ids
            cambium diff main swahili --exit-code -q
            """)

    @Argument(
        help: "FROM and TO; or one revision, to compare with HEAD.",
        completion: Completion.revisions)
    var revisions: [String] = []

    @Flag(help: "List every expert with its change.")
    var ids = false

    @Flag(help: "Show every layer and tensor, however many.")
    var full = false

    @Flag(help: "Exit 1 when the models differ; with -q nothing is printed.")
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
        // As `git diff --quiet`: the status says it.
        let isAsked = exitCode && global.quiet && !global.json
        if !isAsked {
            console.show(
                DiffReport(
                    diff: diff, from: from, to: to, detail: ids ? .ids : full ? .full : .summary),
                paged: true)
        }
        if exitCode, !diff.identical { throw Ended(status: .failure) }
    }
}
