internal import ArgumentParser
internal import Cambium

struct InitCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "init",
        abstract: "Make a new, empty store.",
        discussion: """
            A store is one directory on a local disk. It is made when it is missing.

            cambium init S
            cambium init S --branch trunk
            """)

    @Argument(help: "Its directory (default: the store of -C or CAMBIUM_STORE, else here).")
    var path: String?

    @Option(help: "The branch that HEAD is on.")
    var branch = "main"

    @OptionGroup var global: GlobalOptions

    func run(_ console: Console) throws {
        let directory = path ?? global.store ?? Terminal.variable("CAMBIUM_STORE") ?? "."
        guard !directory.isEmpty else { throw ValidationError("the directory's path is empty") }
        try Store.create(at: directory, branch: branch)
        console.show(InitReport(store: directory, branch: branch))
    }
}

struct InitReport: Report {
    let store: String
    let branch: String

    func lines(_ style: Style) -> [String] {
        let absolute = store.hasPrefix("/") ? store : "$PWD/\(store)"
        return [
            "made an empty store in \(style.bold(store)), on branch \(style.name(branch))",
            style.faint("next:  export CAMBIUM_STORE=\(absolute)"),
            style.faint(
                "       cambium commit CHECKPOINT -m MESSAGE   (or train: cambium help train)"),
        ]
    }

    func quietLines() -> [String] { [store] }
}
