internal import ArgumentParser
internal import Cambium

struct SwitchCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "switch",
        abstract: "Put HEAD on a branch or a commit.",
        discussion: """
            Commits go to the branch that HEAD is on. No file changes: `export` writes one.

            cambium switch swahili
            cambium switch -c japanese main   # make a branch and go there
            cambium switch v1                 # look at a tag; HEAD is detached then
            """)

    @Argument(help: "A branch, or any revision.", completion: Completion.revisions)
    var name: String

    @Argument(
        help: "With -c, where the new branch starts (default: HEAD).",
        completion: Completion.revisions)
    var revision: String?

    @Flag(name: [.customShort("c"), .long], help: "Make the branch first.")
    var create = false

    @OptionGroup var global: GlobalOptions

    func validate() throws {
        if !create, revision != nil {
            throw ValidationError("a second revision is for -c, which makes a branch")
        }
    }

    func run(_ console: Console) throws {
        let store = try openStore()
        if create { try store.createBranch(name, at: revision ?? "HEAD") }
        try store.switchHead(to: name)
        let branch = try store.currentBranch()
        // A branch may have no commits yet.
        let id = try store.branches().first { $0.name == branch }?.id
        let head = branch == nil ? try store.resolve("HEAD") : id
        console.show(SwitchReport(branch: branch, head: head))
    }
}

struct SwitchReport: Report {
    let branch: String?
    let head: String?

    func lines(_ style: Style) -> [String] {
        let place = head.map { " at " + style.id($0.short) } ?? ", which has no commits yet"
        if let branch { return ["on branch \(style.name(branch))\(place)"] }
        return [
            "HEAD is detached\(place)",
            style.faint("commits need --branch now; `cambium switch BRANCH` goes back"),
        ]
    }

    func quietLines() -> [String] { [branch ?? head ?? ""] }
}
