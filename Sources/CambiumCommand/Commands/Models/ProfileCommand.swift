internal import ArgumentParser
internal import Cambium
internal import Reporting

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
            cambium profile olmoe --tokens 1,178,199,28
            """)

    @Argument(help: "The revision.", completion: Completion.revisions)
    var revision = "HEAD"

    @Option(help: "A file to read; - reads standard input.", completion: .file())
    var text: String?

    @Option(help: "Token ids with commas between.")
    var tokens: TokenList?

    @OptionGroup var global: GlobalOptions

    func validate() throws {
        if (text == nil) == (tokens == nil) {
            throw ValidationError("give a text with --text, or token ids with --tokens")
        }
    }

    func run(_ console: Console) throws {
        let source = try text.map { try Terminal.source($0) } ?? TextSource([])
        let store = try openStore()
        let result = try console.withProgress("profile") { progress in
            if let tokens {
                try store.profile(revision, onTokens: tokens.ids, progress: progress.report)
            } else {
                try store.profile(revision, on: source, progress: progress.report)
            }
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
