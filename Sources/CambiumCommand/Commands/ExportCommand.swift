internal import ArgumentParser
internal import Cambium

struct ExportCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Write a revision as a checkpoint, byte for byte.",
        discussion: """
            The folder gets the same files, shards, tensor names, dtypes and shapes.

            cambium export main out/
            cambium export main~2 out/ --force
            """)

    @Argument(help: "The revision.", completion: Completion.revisions)
    var revision: String

    @Argument(help: "The folder; made when missing, with those above it.", completion: .directory)
    var directory: String

    @Flag(help: "Replace files that exist there.")
    var force = false

    @OptionGroup var global: GlobalOptions

    func run(_ console: Console) throws {
        let store = try openForReading()
        let result = try console.withProgress("export") { progress in
            try store.export(
                revision, to: directory.withoutTrailingSlashes, overwrite: force,
                progress: progress.report)
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
        ] + result.files.map { "  \($0)" }
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
