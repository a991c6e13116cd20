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
            cambium init S --from backup.mdb  # a store of a backup (cambium help backup)
            """)

    @Argument(help: "Its directory (default: the store of -C or CAMBIUM_STORE, else here).")
    var path: String?

    @Option(help: "The branch that HEAD is on (default: main).")
    var branch: String?

    @Option(
        help: ArgumentHelp(
            "Make it of this backup: a .mdb file, or a store's folder.", valueName: "backup"),
        completion: .file())
    var from: String?

    @OptionGroup var global: GlobalOptions

    func validate() throws {
        if from != nil, branch != nil {
            throw ValidationError("a backup has its branches; leave --branch out")
        }
    }

    func run(_ console: Console) throws {
        let directory = path ?? global.store ?? Terminal.variable("CAMBIUM_STORE") ?? "."
        guard !directory.isEmpty else { throw ValidationError("the directory's path is empty") }
        if let from {
            let result = try console.withProgress("restore") { progress in
                Store.exists(at: from)
                    ? try Store(from, readOnly: true).backup(
                        to: directory, progress: progress.report)
                    : try Store.restore(from, to: directory, progress: progress.report)
            }
            return console.show(BackupReport(result: result, verb: "made a store in"))
        }
        let branch = branch ?? "main"
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
