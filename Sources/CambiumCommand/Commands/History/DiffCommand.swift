internal import ArgumentParser
internal import Cambium
internal import Reporting

struct DiffCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "diff",
        abstract: "List experts, rows and tensors that differ.",
        discussion: """
            A change is told in per cent of what was before (L2 norms), and by its greatest element. Without \
            revisions HEAD is compared with its parent; with one, that one with HEAD.

            With --patch the elements that differ are written as a file that `commit --patch` takes: committed \
            on FROM it gives the model of TO, whatever lies between the two. What such a file cannot say, as a new \
            tensor or another config.json, is refused by name.

            cambium diff main swahili
            cambium diff v1 --ids
            cambium diff main swahili --exit-code -q
            cambium diff main~50 main --patch lag.safetensors
            """)

    @Argument(
        help: "FROM and TO; or one revision, to compare with HEAD.",
        completion: Completion.revisions)
    var revisions: [String] = []

    @Flag(help: "List every expert with its change.")
    var ids = false

    @Flag(help: "Show every layer and tensor, however many.")
    var full = false

    @Option(
        help: ArgumentHelp(
            "Write what differs as a patch file instead of listing it.", valueName: "file"),
        completion: .file(extensions: ["safetensors"]))
    var patch: String?

    @Flag(help: "Replace the patch file if it exists.")
    var force = false

    @Flag(help: "Exit 1 when the models differ; with -q nothing is printed.")
    var exitCode = false

    @OptionGroup var global: GlobalOptions

    func validate() throws {
        if revisions.count > 2 { throw ValidationError("diff compares two revisions at most") }
        guard patch == nil || !ids && !full else {
            throw ValidationError("--patch writes a file: leave --ids and --full out")
        }
        guard !force || patch != nil else {
            throw ValidationError("--force goes with --patch")
        }
    }

    func run(_ console: Console) throws {
        let (from, to) =
            switch revisions.count {
            case 0: ("HEAD~1", "HEAD")
            case 1: (revisions[0], "HEAD")
            default: (revisions[0], revisions[1])
            }
        if let patch {
            let changes = try openForReading(forOutput: false).changes(from: from, to: to)
            let result = try console.withProgress("diff") { progress in
                try changes.write(to: patch, overwrite: force, progress: progress.report)
            }
            console.show(PatchReport(result: result, from: from, to: to))
            if exitCode, !changes.isEmpty { throw Ended(status: .failure) }
            return
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

/// What a written patch file holds.
struct PatchReport: Report {
    let result: PatchResult
    let from: String
    let to: String

    func encode(to encoder: any Encoder) throws { try result.encode(to: encoder) }

    func lines(_ style: Style) -> [String] {
        let arrow = style.isUnicode ? "→" : "->"
        let head =
            "\(style.name(from)) \(style.id(result.from.short)) \(arrow) "
            + "\(style.name(to)) \(style.id(result.to.short)) to \(result.file): "
        guard result.elements > 0 else { return [head + "nothing differs"] }
        let whole = result.whole == 0 ? "" : ", \(Quantity.count(result.whole)) of them whole"
        return [
            head + "\(Quantity.count(result.elements, "element")) of "
                + "\(Quantity.count(result.sparse + result.whole, "tensor"))\(whole), "
                + Quantity.bytes(result.bytes)
        ]
    }

    func quietLines() -> [String] { [result.file] }
}
