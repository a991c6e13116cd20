internal import ArgumentParser
internal import Cambium

struct LogCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "log",
        abstract: "List commits, newest first.",
        discussion: """
            A..B lists what B has and A has not. REV:LAYER/ORDINAL lists the commits that changed an \
            expert, REV:NAME those that changed a tensor or a file, REV:TENSOR:ROW those that changed a \
            row of a tensor, such as a router's. With --json, one object per line and commit.

            cambium log --graph --all
            cambium log swahili --since "2 days" -n10
            cambium log main..swahili --author ada --grep round
            cambium log main:1/17             # what changed expert 17 of layer 1
            cambium log --all --sort wikitext.bpb -n 5
            """)

    @Argument(
        help: "Where to start (default: HEAD): REV, A..B, or one REV:PATH.",
        completion: Completion.revisions)
    var revisions: [String] = []

    @Flag(help: "Draw how branches part and meet.")
    var graph = false

    @Flag(help: "One line per commit.")
    var oneline = false

    @Flag(help: "Start from every branch and tag.")
    var all = false

    @Option(
        help: ArgumentHelp(
            "Only later commits: 2026-11-01, yesterday, \"2 hours ago\", or seconds since 1970.",
            valueName: "time"))
    var since: SinceOption?

    @Option(help: ArgumentHelp("Only earlier commits, as for --since.", valueName: "time"))
    var until: SinceOption?

    @Option(
        help: ArgumentHelp("Only commits whose author's name has this in it.", valueName: "text"))
    var author: String?

    @Option(help: ArgumentHelp("Only commits whose message has this in it.", valueName: "text"))
    var grep: String?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            """
            Sort by a metric of the commits or their notes, the least first; -NAME: the greatest first. \
            Commits without it come last.
            """, valueName: "name"))
    var sort: MetricOption?

    @Option(
        name: [.customShort("n", allowingJoined: true), .customLong("limit")],
        parsing: .unconditional,
        help: ArgumentHelp("At most this many.", valueName: "count"))
    var limit: Int?

    @OptionGroup var global: GlobalOptions

    func validate() throws {
        if let limit, limit < 0 { throw ValidationError("-n is \(limit); give 0 or more") }
        if graph, sort != nil {
            throw ValidationError("--graph draws history in its order; leave --sort out")
        }
        if revisions.count > 1, revisions.contains(where: { Place($0).path != nil }) {
            throw ValidationError("REV:PATH stands alone: a log follows one thing")
        }
        if all, revisions.contains(where: { Place($0).path != nil && !$0.hasPrefix(":") }) {
            throw ValidationError("--all starts everywhere: write :PATH without a revision")
        }
    }

    func run(_ console: Console) throws {
        let store = try openForReading()
        let places = revisions.map { Place($0) }
        let path = places.first?.path
        var query = LogQuery(all && path != nil ? [] : places.map(\.revision))
        query.path = path
        query.all = all
        query.limit = limit
        query.since = since?.time
        query.until = until?.time
        query.author = author
        query.message = grep
        query.order = sort?.order
        let commits = try store.log(query)
        let report = LogReport(
            commits, branch: try store.currentBranch(),
            form: graph ? .graph : oneline ? .line : .full, now: Signature.current.time,
            curves: graph && console.style.columns != nil && !console.isJSON
                ? try curves(store, commits) : [:])
        console.show(
            each: commits.map { CommitEntry(commit: $0) }, lines: report.lines(console.style),
            paged: true)
    }
}

extension LogCommand {
    /// How the loss went in the rounds among some commits.
    private func curves(_ store: Store, _ commits: [CommitInfo]) throws -> [String: [Double]] {
        let rounds = commits.filter { commit in
            commit.notes.contains { $0.curves.contains("train.loss") }
        }
        var curves: [String: [Double]] = [:]
        for commit in rounds { curves[commit.id] = try store.curve(commit.id).map(\.value) }
        return curves
    }
}

/// A metric to sort by: `NAME`, `metric:NAME`, or either behind a `-`.
struct MetricOption: ExpressibleByArgument {
    let order: LogQuery.MetricOrder

    init?(argument: String) {
        let isDescending = argument.hasPrefix("-")
        var name = isDescending ? String(argument.dropFirst()) : argument
        if name.hasPrefix("metric:") { name = String(name.dropFirst("metric:".count)) }
        guard !name.isEmpty, !name.hasPrefix("-") else { return nil }
        order = LogQuery.MetricOrder(name, descending: isDescending)
    }
}
