internal import ArgumentParser
internal import Cambium

struct RoundBaseCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "base",
        abstract: "Look which commit of a remote rounds would start from.",
        discussion: """
            Whoever starts many rounds asks once, and gives all of them the commit: so they have the same base, \
            however the branch moves meanwhile.

            cambium round base --remote s3://b/m main
            """)

    @Argument(help: "A branch of the remote, or a commit's whole id.")
    var base: String

    @OptionGroup var remote: RoundRemoteOptions

    @Option(help: "The branch that has that commit (default: the one that is at it).")
    var baseBranch: String?

    @OptionGroup var global: GlobalOptions

    func run(_ console: Console) throws {
        let source = try remote.source(in: try? global.storePath())
        let start = try source.heads().base(base, in: baseBranch)
        console.show(RoundBaseReport(commit: start.commit, branch: start.branch))
    }
}

/// A commit that rounds start from.
struct RoundBaseReport: Report {
    let commit: String
    /// One that has it.
    let branch: String

    func lines(_ style: Style) -> [String] { ["\(style.id(commit)) on \(style.name(branch))"] }

    func quietLines() -> [String] { [commit] }
}
