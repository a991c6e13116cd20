internal import ArgumentParser
internal import Cambium
internal import FoundationEssentials

struct MergeCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "merge",
        abstract: "Merge branches three-way, expert by expert.",
        discussion: """
            What one side changed is taken; what both changed to the same bytes is taken once; what \
            they changed differently is a conflict: it is listed, nothing is written, and the exit \
            status is 3, unless a policy settles it, or --take for that one: LAYER/EXPERT, \
            LAYER/POOL/EXPERT, 'router LAYER/ROW', TENSOR[ROW], a tensor or a file, with numbers as \
            3-9 or 1,4 and * for all; = and a side, or a policy. The order of branches and of decisions \
            does not matter, except to ours and theirs. The commit records policy, weights and \
            decisions.

            cambium merge swahili metamath --into main --dry-run
            cambium merge swahili metamath --into main --policy mean
            cambium merge swahili --policy mean --weight main=3 --weight swahili=1
            cambium merge swahili metamath --into main --policy ties --density 0.5
            cambium merge swahili metamath --into main --policy alternatives
            cambium merge swahili metamath --into main --policy solve --text base=old.txt
            cambium merge swahili metamath --into main --policy solve --grow
            cambium merge law tax --take 1/7=law --take 'router 0/*=mean' --policy ties
            cambium merge law tax --take-from decisions.txt    # one in a line
            """)

    @Argument(help: "What to merge.")
    var branches: [String]

    @Option(help: "The branch merged into (default: HEAD's).", completion: Completion.branches)
    var into: String?

    @Option(
        help: """
            Conflicts: none lists them; ours takes the first side's version, theirs the last \
            side's; mean the weighted mean, ties the greatest changes that agree, task the sum of \
            the changes, fisher the mean weighted by recorded squared gradients, regmean the linear maps \
            nearest to the sides' by their Gram sums or routes, solve what any side changed of experts and \
            linear routers, in closed form from excerpts of every side's and the base's texts (lossy); \
            alternatives keeps every side's model, and a gate picks by text.
            """)
    var policy = PolicyOption(.none)

    @Option(
        help: ArgumentHelp(
            "What settles one conflict, or all that fit; may be repeated.",
            valueName: "entity=side|policy"))
    var take: [String] = []

    @Option(
        help: ArgumentHelp(
            "A file of decisions as of --take, one in a line; # begins a comment.",
            valueName: "file"),
        completion: .file())
    var takeFrom: [String] = []

    @Option(
        help: ArgumentHelp(
            "A side's weight in a mean; may be repeated (default: its tokens, else 1).",
            valueName: "name=number"))
    var weight: [NumberPair] = []

    @Option(
        help: ArgumentHelp(
            "For ties, which share of each side's changes is kept (default: 0.2).",
            valueName: "share"))
    var density: Double?

    @Option(
        help: ArgumentHelp(
            "For ties and task, how much of the merged change is added (default: 1).",
            valueName: "number"))
    var scale: Double?

    @Option(
        help: ArgumentHelp(
            """
            For solve, a text that a side knows, or the merge base, called base; may be repeated. Besides, there \
            are the excerpts that they keep.
            """, valueName: "name=file"),
        completion: .file())
    var text: [TextPair] = []

    @Option(help: ArgumentHelp("For solve, threads that run the models.", valueName: "number"))
    var threads = 1

    @Option(
        help: ArgumentHelp(
            "For solve, memory that the process should take at most: 300M, 2G.", valueName: "size"))
    var memoryLimit: SizeOption?

    @Flag(help: "For solve, keep every version of a changed expert: the layers get more experts.")
    var grow = false

    @Flag(
        help: """
            Merge, or fast-forward, to a model that does not run as the branch's history does, such as one \
            of another architecture.
            """)
    var allowUnfit = false

    @Flag(help: "Say what would happen, and write nothing.")
    var dryRun = false

    @Option(name: .shortAndLong, parsing: .unconditional, help: "What the merge is.")
    var message: String?

    @OptionGroup var global: GlobalOptions

    func run(_ console: Console) throws {
        let takes = try decisions()
        let policies = [policy.policy] + takes.compactMap(\.policy)
        if !weight.isEmpty, !policies.contains(where: \.isWeighted) {
            throw ValidationError("--weight needs --policy mean, fisher or regmean")
        }
        if density != nil, !policies.contains(.ties) {
            throw ValidationError("--density needs --policy ties")
        }
        if scale != nil, !policies.contains(.ties), !policies.contains(.task) {
            throw ValidationError("--scale needs --policy ties or task")
        }
        if !text.isEmpty || threads != 1 || memoryLimit != nil || grow, policy.policy != .solve {
            throw ValidationError(
                "--text, --threads, --memory-limit and --grow need --policy solve")
        }
        let weights = try dictionary(weight.map { ($0.name, $0.value) }, "--weight")
        var settings = PolicySettings()
        if let density { settings.density = density }
        if let scale { settings.scale = scale }
        let solving = SolveOptions(
            texts: try text.map { ($0.key, $0.value, try Terminal.read($0.value)) },
            threads: threads, memoryLimit: memoryLimit?.bytes, grows: grow)
        let store = try openStore()
        let result = try console.withProgress("merge") { progress in
            try store.merge(
                branches, into: into, policy: policy.policy, takes: takes, weights: weights,
                settings: settings, solving: solving, message: message, dryRun: dryRun,
                allowsUnfit: allowUnfit, progress: progress.report)
        }
        try console.show(
            MergeReport(
                result: result, verb: .merge, what: branches.joined(separator: ", "),
                isDryRun: dryRun),
            hint: hint(result) { policy in
                do {
                    _ = try store.merge(
                        branches, into: into, policy: policy, takes: takes, dryRun: true,
                        allowsUnfit: allowUnfit)
                    return nil
                } catch let error as CambiumError { return error.message }
            })
    }

    /// How to settle what a merge has left.
    ///
    /// - Parameter refusal: Why a merge by a policy would be refused; nil when it would not.
    private func hint(
        _ result: MergeResult, _ refusal: (MergePolicy) throws -> String?
    ) rethrows -> String {
        guard let first = result.conflicts.first else { return "" }
        var (sides, reason): ([String], String?) = ([], nil)
        // Single experts and rows fit whatever stands beside them.
        let isOfForm = result.conflicts.contains { !["expert", "router-row"].contains($0.kind) }
        for (policy, what, side) in [
            (MergePolicy.ours, "first", \[String].first), (.theirs, "last", \.last),
        ] {
            if isOfForm, let refused = try refusal(policy) {
                reason = reason ?? refused
                continue
            }
            sides.append(
                "\(policy.rawValue) (the \(what) side's version"
                    + "\(here(result) { $0[keyPath: side] }))")
        }
        // A file's fields are taken one by one only by a policy.
        let one =
            "--take '\(path(first, result))=\(first.fields == nil ? first.sides[0] : "ours")'"
        guard let reason, sides.isEmpty else {
            let isOfWeights = result.conflicts.contains {
                !["file", "pool", "architecture", "layout"].contains($0.kind)
            }
            if policy.policy == .none, isOfWeights {
                sides.insert("mean (weighted mean, lossy)", at: 0)
            }
            let list =
                sides.dropLast(2).map { $0 + ", " }.joined()
                + sides.suffix(2).joined(separator: " or ")
            return policy.policy == .none
                ? "settle them by name: --policy \(list); or one by one: \(one)"
                : "\(policy.policy.rawValue) has no answer to them: settle them one by one: \(one); or all by "
                    + "--policy \(list)"
        }
        return "neither ours nor theirs settles them all: \(reason). Settle them one by one: \(one)"
    }

    /// A conflict as a decision names it; of a row that is in conflict in the codes and the scales of a router both, which
    /// are taken together.
    private func path(_ conflict: MergeResult.Conflict, _ result: MergeResult) -> String {
        guard let row = conflict.row, let layer = conflict.layer, let pool = conflict.pool,
            let tensor = conflict.tensor,
            result.conflicts.contains(where: {
                $0.row == row && $0.tensor?.hasPrefix(tensor + "_") == true
            })
        else { return conflict.path }
        return pool == "base" ? "router \(layer)/\(row)" : "router \(layer)/\(pool)/\(row)"
    }

    /// Which side is meant, when it is the same for all conflicts: `, here law's`.
    private func here(_ result: MergeResult, _ side: ([String]) -> String?) -> String {
        let names = Set(result.conflicts.compactMap { side($0.sides) })
        guard names.count == 1, let name = names.first else { return "" }
        return ", here \(name)'s"
    }

    /// The decisions of the command line and of files.
    private func decisions() throws -> [MergeTake] {
        var takes: [MergeTake] = []
        for text in take { takes.append(try MergeTake(text)) }
        for path in takeFrom {
            guard let data = FileManager.default.contents(atPath: path) else {
                throw Failure(.notFound, "cannot read the decisions in '\(path)'")
            }
            guard let text = String(data: data, encoding: .utf8) else {
                throw Failure(.usage, "'\(path)' is not UTF-8 text")
            }
            do {
                takes += try MergeTake.list(text)
            } catch let error as CambiumError {
                throw Failure(error.code, "\(path), \(error.message)")
            }
        }
        return takes
    }
}
