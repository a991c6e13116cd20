internal import ArgumentParser

/// The page `cambium help exit-codes`.
struct ExitCodesTopic: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "exit-codes",
        abstract: "What the exit status says.",
        usage: "",
        discussion: text,
        shouldDisplay: false)

    private static let text = """
        \(ExitStatus.table.joined(separator: "\n"))

        With --json an error is one object on standard error: {"schema":1,"error":{"code":…,\
        "message":…,"hint":…}}. Its code is a stable word, finer than the status.
        """

    func run() throws { throw CleanExit.message(Self.text) }
}
