internal import ArgumentParser
internal import Cambium

struct ResetCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "reset",
        abstract: "Move a branch to any commit.",
        discussion: """
            What only the branch led to stays in the reflog for the grace period of `gc`.

            cambium reset HEAD~1
            cambium reset v1 --branch swahili
            """)

    @Argument(help: "Where to.", completion: Completion.revisions)
    var revision: String

    @Option(help: "The branch (default: HEAD's).", completion: Completion.branches)
    var branch: String?

    @OptionGroup var global: GlobalOptions

    func run(_ console: Console) throws {
        let store = try openStore()
        let name = try branch ?? store.currentBranch() ?? "HEAD"
        let move = try store.reset(to: revision, branch: branch)
        console.show(
            ResetReport(
                branch: name, old: move.old, new: move.new, isCurrent: branch == nil))
    }
}

struct ResetReport: Report {
    let branch: String
    let old: String
    let new: String
    let isCurrent: Bool

    enum CodingKeys: String, CodingKey { case branch, old, new }

    func lines(_ style: Style) -> [String] {
        let name = style.name(branch)
        if old == new { return ["\(name) is at \(style.id(new.short)) already"] }
        let option = isCurrent ? "" : " --branch \(branch)"
        return [
            "\(name) moved from \(style.id(old.short)) to \(style.id(new.short))"
                + style.faint("; `cambium reset \(old.short)\(option)` goes back")
        ]
    }

    func quietLines() -> [String] { [new] }
}
