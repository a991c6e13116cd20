internal import ArgumentParser
internal import Cambium
internal import Reporting

struct ExportCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Write a revision as a checkpoint, byte for byte.",
        discussion: """
            The folder gets the same files, shards, tensor names, dtypes and shapes, the tokenizer and what \
            was recorded about the model (evidence, squared gradients, mixture.json), so that a commit of the \
            folder is the same model tree. --plain leaves out what the transformers library would not read: \
            these records and the adapters that training added.

            Files that are in the way are refused, also those of another checkpoint that a reader would take \
            for parts of this one or read first. --force replaces them; other files stay.

            A model that a merge by --policy alternatives made is several: --alternative writes one of them, \
            --plain the one that all began from.

            cambium export main out/
            cambium export main swahili/ --alternative swahili
            cambium export main~2 out/ --force
            cambium export main for-transformers/ --plain
            """)

    @Argument(help: "The revision.", completion: Completion.revisions)
    var revision: String

    @Argument(help: "The folder; made when missing, with those above it.", completion: .directory)
    var directory: String

    @Flag(help: "Replace files that exist there, and remove those of another checkpoint.")
    var force = false

    @Option(
        help: ArgumentHelp(
            "Write this one of the model's alternatives, as a model of its own.", valueName: "name")
    )
    var alternative: String?

    @Flag(help: "Leave out what the transformers library would not read.")
    var plain = false

    @OptionGroup var global: GlobalOptions

    func run(_ console: Console) throws {
        let store = try openForReading(forOutput: false)
        let result = try console.withProgress("export") { progress in
            try store.export(
                revision, to: directory.withoutTrailingSlashes, overwrite: force,
                alternative: alternative, isPlain: plain, progress: progress.report)
        }
        console.show(ExportReport(result: result, revision: revision))
    }
}

struct ExportReport: Report {
    let result: ExportResult
    let revision: String

    func encode(to encoder: any Encoder) throws { try result.encode(to: encoder) }

    func lines(_ style: Style) -> [String] {
        [
            "\(style.name(revision)) \(style.id(result.id.short)) to \(result.directory): "
                + "\(Quantity.count(result.tensors, "tensor")), \(Quantity.bytes(result.bytes)), "
                + "in \(Quantity.count(result.files.count, "file"))"
        ] + result.files.map { "  \($0)" } + notes
    }

    private var notes: [String] {
        [
            (result.leftOut, "left out"),
            (result.removed, "removed, of another checkpoint"),
            (
                result.canonical,
                "header in canonical form, as the one that was committed does not fit any more"
            ),
        ].filter { !$0.0.isEmpty }.map { "note: \($0.1): \($0.0.joined(separator: ", "))" }
    }

    func quietLines() -> [String] { result.files.map { "\(result.directory)/\($0)" } }
}

extension String {
    /// The path without slashes at its end; the root stays.
    fileprivate var withoutTrailingSlashes: String {
        var path = self
        while path.count > 1, path.hasSuffix("/") { path.removeLast() }
        return path
    }
}
