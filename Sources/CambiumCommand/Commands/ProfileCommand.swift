internal import ArgumentParser
internal import Cambium

struct ProfileCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "profile",
        abstract: "Note which experts a text needs, to warm later starts.",
        discussion: """
            The counts are kept beside the store's data, one profile for each commit. `eval`, `generate` \
            and `route` of that commit then ask for these experts, most used first, before the first \
            token; --no-warm leaves it. Results do not depend on it.

            cambium profile main --text typical.txt
            cambium generate main --prompt "Habari" --stats
            """)

    @Argument(help: "The revision.")
    var revision = "HEAD"

    @Option(help: "A file to read; - reads standard input.", completion: .file())
    var text: String

    @OptionGroup var global: GlobalOptions

    func run(_ console: Console) throws {
        let bytes = try Terminal.read(text)
        let store = try openStore()
        let result = try console.withProgress("profile") { progress in
            try store.profile(revision, on: bytes, progress: progress.report)
        }
        console.show(ProfileReport(result: result))
    }
}

struct ProfileReport: Report {
    let result: ProfileResult

    func encode(to encoder: any Encoder) throws { try result.encode(to: encoder) }

    func lines(_ style: Style) -> [String] {
        [
            "\(style.id(result.id.short))  \(Quantity.count(result.experts, "expert")), "
                + "\(Quantity.bytes(result.bytes)), noted in \(result.path)"
        ]
    }

    func quietLines() -> [String] { [result.path] }
}
