internal import ArgumentParser
internal import Cambium

struct EvidenceRouterCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "router",
        abstract: "Solve a router over a layer's experts from evidence of picks.",
        discussion: """
            The router is linear read-outs, of both digits of an expert's number for each head of product keys, \
            or of each level of a tree, solved in closed form from Gram sums of picks. The same evidence gives the \
            same id, on whatever branches and in whatever order it was added. With a text, how often it picks what \
            the layer's own router picks first, or what a file assigns. --commit makes it the router of the branch's \
            model; when branches are merged whose routers are what their evidence gives, the evidence is united and \
            solved again. --save writes it to a file of its own.

            cambium evidence add --kind gram --target experts --layer 1 --text a.txt
            cambium evidence router main --layer 1
            cambium evidence router main --layer 1 --text new.txt --save r.safetensors
            cambium evidence router main --layer 1 --commit
            """)

    @Argument(help: "The revision.", completion: Completion.revisions)
    var revision = "HEAD"

    @Option(help: ArgumentHelp("A layer with experts.", valueName: "number"))
    var layer: Int

    @Option(help: "How it is solved: ridge or discriminant.")
    var form: FormOption = .ridge

    @Option(
        help: ArgumentHelp(
            "Experts that it picks for each byte (default: as the layer's router).",
            valueName: "number"))
    var top: Int?

    @Option(
        help: "A text to compare picks on; - reads standard input. May be repeated.",
        completion: .file())
    var text: [String] = []

    @Option(
        help: """
            A file of numbers, the expert that each byte of the text should pick. May be repeated, one for \
            each --text.
            """,
        completion: .file())
    var assignments: [String] = []

    @Flag(
        help: """
            Commit the model with this router in the place of the layer's; the revision must be a branch (default: \
            HEAD's).
            """)
    var commit = false

    @Option(
        name: .shortAndLong, parsing: .unconditional,
        help: "With --commit, what the commit says.")
    var message: String?

    @Option(help: "Write the router to this safetensors file.", completion: .file())
    var save: String?

    @Option(help: ArgumentHelp("Threads that solve and run.", valueName: "number"))
    var threads = 1

    @OptionGroup var global: GlobalOptions

    func validate() throws {
        if !assignments.isEmpty, assignments.count != text.count {
            throw ValidationError(
                "\(assignments.count) --assignments for \(text.count) --text; give one for each")
        }
        if commit, top != nil {
            throw ValidationError(
                "the model's config says how many experts a committed router picks; leave out --top"
            )
        }
        if message != nil, !commit { throw ValidationError("--message needs --commit") }
    }

    func run(_ console: Console) throws {
        let store = try commit ? openStore() : openForReading()
        let (router, committed) = try solve(store)
        var rows: [RouterReport.Row] = []
        for (index, path) in text.enumerated() {
            let assigned =
                assignments.isEmpty
                ? nil
                : try Assignments(
                    text: Terminal.read(assignments[index]), name: assignments[index])
            rows.append(
                RouterReport.Row(
                    text: path,
                    agreement: try store.agreement(
                        of: router, on: Terminal.read(path), assigned: assigned, threads: threads)))
        }
        if let save { try router.save(to: save) }
        console.show(
            RouterReport(router: router, texts: rows, saved: save, committed: committed))
    }

    private func solve(_ store: Store) throws -> (ExpertRouter, CommitResult?) {
        guard commit else {
            return (
                try store.expertRouter(
                    revision, layer: layer, form: form.form, topK: top, threads: threads), nil
            )
        }
        let made = try store.commitRouter(
            layer: layer, form: form.form, threads: threads,
            CommitOptions(
                message: message ?? "solved router of layer \(layer)",
                branch: store.knownBranch(revision)))
        return (made.router, made.result)
    }
}
