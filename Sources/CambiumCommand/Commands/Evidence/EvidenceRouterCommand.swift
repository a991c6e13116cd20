internal import ArgumentParser
internal import Cambium

struct EvidenceRouterCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "router",
        abstract: "Solve a router over a layer's experts from evidence of picks.",
        discussion: """
            The router is two linear read-outs, one for each digit of an expert's number, solved in closed form \
            from Gram sums of picks. The same evidence gives the same id, on whatever branches and in whatever \
            order it was added. With a text, how often it picks what the layer's own router picks first, or \
            what a file assigns. No model runs it: a trained product-key router cannot hold it exactly, so \
            --save writes it to a file of its own.

            cambium evidence add --kind gram --target experts --layer 1 --text a.txt
            cambium evidence router main --layer 1
            cambium evidence router main --layer 1 --text new.txt --save r.safetensors
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
    }

    func run(_ console: Console) throws {
        let store = try openForReading()
        let router = try store.expertRouter(
            revision, layer: layer, form: form.form, topK: top, threads: threads)
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
        console.show(RouterReport(router: router, texts: rows, saved: save))
    }
}
