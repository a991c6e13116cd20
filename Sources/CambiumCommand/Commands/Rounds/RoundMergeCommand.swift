internal import ArgumentParser
internal import Cambium
internal import Reporting

struct RoundMergeCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "merge",
        abstract: "Merge finished rounds on a remote: clone, merge all at once, push.",
        discussion: """
            Branches are merged in the order of their names, with the time of the newest: the commit is the same \
            whichever round finished first. When the branch moved meanwhile, it is merged anew. \
            A missing branch ends it with status 2, conflicts with 3; then nothing is pushed. NAME* stands for all \
            branches that begin so: say with --expect how many there must be. A file for --rounds has a line of JSON \
            for each, {"branch": "train/law", "key": "…"}: a branch that has another round than that is refused.

            cambium round merge --remote s3://b/m --into main train/law train/tax
            cambium round merge --remote s3://b/m --into main --expect 64 'train/*'
            cambium round merge --remote origin --into main --rounds rounds.jsonl
            """)

    @Argument(help: "The rounds' branches on the remote.")
    var branches: [String] = []

    @Option(
        help: ArgumentHelp(
            "In place of branches, rounds with their keys, one in a line of JSON; - reads standard input.",
            valueName: "file"), completion: .file())
    var rounds: String?

    @OptionGroup var remote: RoundRemoteOptions

    @Option(help: "The remote's branch that is merged into.")
    var into: String

    @Option(help: ArgumentHelp("How many branches there must be.", valueName: "number"))
    var expect: Int?

    @Option(help: "How conflicts are settled, as in `merge`.")
    var policy = PolicyOption(.none)

    @Option(
        help: ArgumentHelp(
            "A side's weight in a mean; may be repeated (default: its tokens, else 1).",
            valueName: "name=number"))
    var weight: [NumberPair] = []

    @Option(name: .shortAndLong, parsing: .unconditional, help: "What the merge is.")
    var message: String?

    @Option(
        help: ArgumentHelp("How long to wait for branches that are missing.", valueName: "time"))
    var wait: GraceOption?

    @Flag(help: "Take a merged model that does not run as the branch's history does.")
    var allowUnfit = false

    @OptionGroup var global: GlobalOptions

    func validate() throws {
        guard branches.isEmpty != (rounds == nil) else {
            throw ValidationError("give branches, or a file of --rounds")
        }
    }

    func run(_ console: Console) throws {
        let rounds = try rounds.map(RoundLine.read)
        let branches = rounds?.map(\.branch) ?? branches
        if let expect, !branches.contains(where: { $0.hasSuffix("*") }), expect != branches.count {
            throw ValidationError(
                "--expect \(expect), but \(Quantity.count(branches.count, "branch", "branches")) are named"
            )
        }
        var merge = RoundMerge(try remote.source(), into: into, branches: branches)
        merge.expected = expect
        merge.keys = try dictionary(
            (rounds ?? []).compactMap { round in round.key.map { (round.branch, $0) } }, "--rounds")
        merge.policy = policy.policy
        merge.weights = try dictionary(weight.map { ($0.name, $0.value) }, "--weight")
        merge.message = message
        merge.allowsUnfit = allowUnfit
        let folder = try global.store.map(ScratchFolder.absolute) ?? ScratchFolder.fresh()
        guard !ScratchFolder.exists(folder) else {
            throw Failure(
                .exists, "\(folder) is there already",
                hint: "--store (-C) names a new folder for the merge, which is removed at its end")
        }
        if let wait {
            try merge.waitForBranches(seconds: wait.seconds, pause: Terminal.sleep(seconds:)) {
                console.note("\($0); waiting")
            }
        }
        let (result, head) = try console.withProgress("merge") { progress in
            try merge.run(in: folder, progress: progress.report)
        }
        // Made by the merge: one that was there is refused.
        ScratchFolder.remove(folder)
        console.show(
            RoundMergeReport(
                merge: MergeReport(
                    result: result, verb: .merge, what: branches.joined(separator: ", "),
                    isDryRun: false), url: merge.source.url, head: head))
        guard result.conflicts.isEmpty else {
            throw Failure(
                .conflict,
                "\(Quantity.count(result.conflicts.count, "conflict")); nothing was pushed",
                hint:
                    "settle them by name: --policy mean (weighted mean, lossy), ours or theirs; or merge in a "
                    + "clone with `cambium merge --take`, and push")
        }
    }
}

/// What a merge on a remote did.
struct RoundMergeReport: Report {
    let merge: MergeReport
    let url: String
    /// Where the branch merged into is now.
    let head: String

    enum CodingKeys: String, CodingKey { case url, head }

    func encode(to encoder: any Encoder) throws {
        try merge.encode(to: encoder)
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(url, forKey: .url)
        try container.encode(head, forKey: .head)
    }

    func lines(_ style: Style) -> [String] {
        merge.lines(style)
            + (merge.isConflict
                ? []
                : ["\(style.name(merge.result.branch)) on \(url) is at \(style.id(head.short))"])
    }

    func quietLines() -> [String] { merge.isConflict ? merge.quietLines() : [head] }

    var made: String? { merge.made }
}
