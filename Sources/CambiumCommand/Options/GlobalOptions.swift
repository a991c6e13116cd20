internal import ArgumentParser
internal import Cambium
internal import FoundationEssentials

/// What every command understands.
struct GlobalOptions: ParsableArguments {
    /// How progress is shown.
    enum ProgressChoice: String, ExpressibleByArgument, CaseIterable {
        case auto
        case plain
        case json
        case none
    }

    @Option(
        name: [.customShort("C"), .long],
        help: ArgumentHelp(
            "The store. Default: CAMBIUM_STORE, else the current directory if it is one.",
            valueName: "path"),
        completion: .directory)
    var store: String?

    @Flag(help: "Print one JSON object (errors too, on standard error).")
    var json = false

    @Flag(
        name: .shortAndLong,
        help: ArgumentHelp(
            "Print the essential only: ids and names, no notes."))
    var quiet = false

    @Option(
        help: ArgumentHelp(
            "How to show progress on standard error.", valueName: "auto|plain|json|none"))
    var progress: ProgressChoice?

    @Flag(
        help: ArgumentHelp(
            "Never use colours (also NO_COLOR; CLICOLOR_FORCE forces them)."))
    var noColor = false

    @Flag(help: "Never start a pager (also CAMBIUM_PAGER=cat).")
    var noPager = false

    /// Options that take a value, and flags; they may also stand before the command's name.
    static let valued: Set<String> = ["-C", "--store", "--progress"]
    static let flags: Set<String> = ["--json", "-q", "--quiet", "--no-color", "--no-pager"]

    /// How progress is shown: the option, `CAMBIUM_PROGRESS`, else on a terminal.
    ///
    /// - Throws: `usage` when the variable or the setting is no such choice.
    func chosenProgress() throws(Failure) -> ProgressChoice {
        if let progress { return progress }
        return try Terminal.option("CAMBIUM_PROGRESS", .progress) { ProgressChoice(rawValue: $0) }
            ?? .auto
    }

    /// The store's directory.
    ///
    /// - Throws: `not-a-store` when nothing names one, `usage` for an empty path.
    func storePath() throws(Failure) -> String {
        if store?.isEmpty == true {
            throw Failure(
                .usage, "-C (or --store) was given an empty path",
                hint: "if it came from a variable, that is not set")
        }
        if let named = store ?? Terminal.variable("CAMBIUM_STORE") { return named }
        if Store.exists(at: ".") { return "." }
        throw Failure(
            .notAStore,
            "no store was named: give -C PATH (or --store PATH), set CAMBIUM_STORE, or work in a "
                + "store's directory",
            hint: Self.neighbour.map { "there is one in \($0): export CAMBIUM_STORE=\($0)" }
                ?? "`cambium init PATH` makes one")
    }

    /// A store right below the current directory.
    private static var neighbour: String? {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: ".")) ?? []
        return names.sorted().first { Store.exists(at: $0) }
            .map { "\(Terminal.directory)/\($0)" }
    }
}
