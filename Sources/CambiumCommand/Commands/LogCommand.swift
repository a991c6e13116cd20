internal import ArgumentParser
internal import Cambium

struct LogCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "log",
        abstract: "List commits, newest first.",
        discussion: """
            With --json, one object per line and commit.

            cambium log --graph --all
            cambium log swahili --since "2 days" -n 10
            """)

    @Argument(help: "Where to start (default: HEAD).")
    var revisions: [String] = []

    @Flag(help: "Draw how branches part and meet.")
    var graph = false

    @Flag(help: "One line per commit.")
    var oneline = false

    @Flag(help: "Start from every branch and tag.")
    var all = false

    @Option(
        help: ArgumentHelp(
            "Only later commits: 2026-11-01, \"2 days\", or seconds since 1970.", valueName: "time")
    )
    var since: SinceOption?

    @Option(
        name: [.customShort("n"), .customLong("limit")],
        help: ArgumentHelp("At most this many.", valueName: "count"))
    var limit: Int?

    @OptionGroup var global: GlobalOptions

    func validate() throws {
        if let limit, limit < 0 { throw ValidationError("-n must not be negative") }
    }

    func run(_ console: Console) throws {
        let store = try openForReading()
        let commits = try store.log(revisions, all: all, limit: limit, since: since?.time)
        let report = LogReport(
            commits, branch: try store.currentBranch(),
            form: graph ? .graph : oneline ? .line : .full, now: Signature.current.time)
        console.show(
            each: commits.map { CommitEntry(commit: $0) }, lines: report.lines(console.style),
            paged: true)
    }
}
