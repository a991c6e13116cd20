internal import ArgumentParser
internal import Cambium
internal import Reporting

struct CommitCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "commit",
        abstract: "Commit a checkpoint as a snapshot on a branch.",
        discussion: """
            The expert layout is recognised from config.json: peer-lm, OLMoE, Mixtral, Qwen, DeepSeek, Kimi, GLM, \
            MiniMax, GPT-OSS and others (docs/families.md), with separate or fused experts. Experts of other models are told by \
            the pattern of names and shapes, and it says by which. Anything else is stored tensor \
            by tensor. Only what the store does not have is stored. The author is CAMBIUM_AUTHOR, else \
            the user's name.

            A single file keeps the files of the branch's head, such as config.json and tokenizer.json; files \
            beside it come first. A folder has its own. Both keep what was recorded about the model, such as \
            evidence. With --alone nothing of the branch's head is kept.

            With --patch the file holds only what changed of the branch's model, so that a round \
            does not cost reading all of it: tensors by their names in the checkpoint; a tensor T \
            beside an integer tensor T.rows [k] is [k, …] and replaces these rows of T. Row e of \
            stacked experts belongs to expert e. T.index [k] and T.value [k] without T replace single elements of \
            T, counted row-major, ascending: only the experts and tensors that they touch are read and hashed. \
            `diff --patch` writes such files.

            --amend gives the branch's last commit another message, or more metrics and metadata; the \
            model stays, and the old commit is in the reflog. It changes the commit's id: what becomes \
            known later is better kept by `cambium note`.

            cambium commit base -m "base"
            cambium commit round1/model.safetensors -m "round 1" --metric wikitext.bpb=2.31
            cambium commit round2 -m "round 2" --branch swahili --expect-parent "$parent"
            cambium commit --patch round3.safetensors -m "round 3: 1,000 experts"
            cambium commit --patch step812.safetensors -m "step 812" --branch rl -q
            cambium commit --amend -m "round 3: 1,000 experts of layer 2" --metric acc=0.93
            """)

    @Argument(
        help: "A safetensors file, or a folder with one or with shards and their index.",
        completion: .file())
    var checkpoint: String?

    @Option(
        help: ArgumentHelp("Commit only what this safetensors file changes.", valueName: "file"),
        completion: .file(extensions: ["safetensors"]))
    var patch: String?

    @Flag(help: "Keep no file of the branch's head, nor, of a single file, of its folder.")
    var alone = false

    @Option(name: .shortAndLong, parsing: .unconditional, help: "What the round was.")
    var message: String?

    @Flag(help: "Change the branch's last commit instead: its message, metrics or metadata.")
    var amend = false

    @Flag(help: "Make a commit even when the model is the one that the branch has.")
    var allowEmpty = false

    @Option(
        help: "The branch (default: HEAD's). A missing one is made from HEAD.",
        completion: Completion.branches)
    var branch: String?

    @Option(
        help: ArgumentHelp(
            "Commit only if the branch is at this commit; else exit 5.", valueName: "rev"),
        completion: Completion.revisions)
    var expectParent: String?

    @Option(help: ArgumentHelp("A number to keep; may be repeated.", valueName: "name=number"))
    var metric: [NumberPair] = []

    @Option(help: ArgumentHelp("A text to keep; may be repeated.", valueName: "key=text"))
    var meta: [TextPair] = []

    @Option(
        help: ArgumentHelp(
            """
            Keep excerpts of a text that the model knows, word for word, for merges by --policy solve; may be \
            repeated.
            """, valueName: "file"),
        completion: .file())
    var excerpts: [String] = []

    @Option(
        help: ArgumentHelp(
            "Bytes of excerpts that are kept of each text, or all (default: 10000).",
            valueName: "bytes"))
    var excerptLimit: ByteLimit?

    @Flag(
        help: """
            Commit a model that does not run as the branch's history does: of another architecture, with \
            adapters of another base, or with a config that cannot be run.
            """)
    var allowUnfit = false

    @OptionGroup var global: GlobalOptions

    func validate() throws {
        if amend {
            guard checkpoint == nil, patch == nil, !allowEmpty, !alone, excerpts.isEmpty else {
                throw ValidationError(
                    "--amend keeps the model: leave the checkpoint, --patch, --excerpts and --allow-empty out"
                )
            }
            guard message != nil || !metric.isEmpty || !meta.isEmpty else {
                throw ValidationError("--amend needs what to change: -m, --metric or --meta")
            }
            return
        }
        guard (checkpoint == nil) != (patch == nil) else {
            throw ValidationError("name a checkpoint, or a patch with --patch: one of the two")
        }
        guard message != nil else {
            throw ValidationError("say what the round was: -m MESSAGE")
        }
        guard excerptLimit == nil || !excerpts.isEmpty else {
            throw ValidationError("--excerpt-limit needs --excerpts")
        }
        guard !alone || patch == nil else {
            throw ValidationError(
                "--alone goes with a checkpoint; a patch changes the branch's model")
        }
    }

    func run(_ console: Console) throws {
        let metrics = try dictionary(metric.map { ($0.name, $0.value) }, "--metric")
        let metadata = try dictionary(meta.map { ($0.key, $0.value) }, "--meta")
        guard !amend else {
            let result = try openStore().amend(
                branch: branch, message: message, metadata: metadata, metrics: metrics,
                expectedHead: expectParent)
            return console.show(AmendReport(result: result))
        }
        let message = message ?? ""
        var options = CommitOptions(message: message, branch: branch)
        options.isAlone = alone
        options.expectedParent = expectParent
        options.allowsUnfit = allowUnfit
        options.allowsUnchanged = allowEmpty
        options.metrics = metrics
        options.metadata = metadata
        options.excerpts = try zip(excerpts, TextName.unique(excerpts)).map { path, name in
            Excerpts(try Terminal.read(path), label: name, excerptLimit)
        }
        let store = try openStore()
        let result = try console.withProgress("commit") { progress in
            if let patch {
                try store.commit(patchFile: patch, options, progress: progress.report)
            } else {
                try store.commit(
                    checkpoint: checkpoint ?? "", options, progress: progress.report)
            }
        }
        if result.nanCount + result.infiniteCount > 0 {
            console.warn(
                "of the new values, \(Quantity.count(result.nanCount)) are NaN and "
                    + "\(Quantity.count(result.infiniteCount)) infinite; they are stored as they are"
            )
        }
        console.show(CommitReport(result: result, message: message))
    }
}

struct CommitReport: Report {
    let result: CommitResult
    let message: String

    func encode(to encoder: any Encoder) throws { try result.encode(to: encoder) }

    func lines(_ style: Style) -> [String] {
        let head = style.name(result.branch) + " " + style.id(result.id.short)
        let notes = result.notes.map { "note: \($0)" }
        if result.unchanged, result.startedBranch {
            return [
                "made branch \(head), which is this model already; no commit was made"
            ] + notes
        }
        if result.unchanged {
            return ["nothing changed: \(head) is this model already; no commit was made"] + notes
        }
        var table = TextTable([.left, .left])
        if result.startedBranch, let parent = result.parents.first {
            table.add(["started", "branch \(result.branch) from \(parent.short)"])
        }
        let model =
            result.experts == 0
            ? "\(result.architecture), no experts"
            : "\(result.architecture), \(Quantity.count(result.layers, "expert layer")), "
                + Quantity.count(result.experts, "expert")
        table.add(["model", model])
        table.add([
            "new",
            amount(result.newObjects, result.newBytes)
                + (result.storedBytes * 2 < result.newBytes
                    ? " (\(Quantity.bytes(result.storedBytes)) as what changed)" : "")
                + (result.experts == 0
                    ? "" : ", \(Quantity.count(result.newExperts, "expert")) among them"),
        ])
        let reused = result.experts - result.newExperts
        table.add([
            "reused",
            amount(result.reusedObjects, result.reusedBytes)
                + (result.experts == 0
                    ? "" : ", \(Quantity.share(reused, of: result.experts)) of the experts"),
        ])
        return ["\(head)  \(message.firstLine)"] + table.lines(indent: 2) + notes
    }

    func quietLines() -> [String] { [result.id] }

    var made: String? {
        result.unchanged ? nil : "the commit was made: \(result.id) on \(result.branch)"
    }

    private func amount(_ objects: Int, _ bytes: Int) -> String {
        "\(Quantity.count(objects, "object")), \(Quantity.bytes(bytes))"
    }
}

/// What an amendment did.
struct AmendReport: Report {
    let result: AmendResult

    func encode(to encoder: any Encoder) throws { try result.encode(to: encoder) }

    func lines(_ style: Style) -> [String] {
        let head = style.name(result.branch) + " " + style.id(result.id.short)
        guard result.id != result.old else {
            return ["nothing changed: \(head) says this already"]
        }
        let undo = "; `cambium reset \(result.old.short) --branch \(result.branch)` goes back"
        return [
            "\(head)  \(result.message.firstLine)",
            "  in place of \(style.id(result.old.short))" + style.faint(undo),
        ]
    }

    func quietLines() -> [String] { [result.id] }

    var made: String? { "the commit was made: \(result.id) on \(result.branch)" }
}
