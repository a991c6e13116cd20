internal import ArgumentParser
internal import Cambium
internal import Reporting

struct RestoreCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore",
        abstract: "Take single experts from anywhere, without a merge.",
        discussion: """
            Experts, router rows, tensors and files of any commit, named as `cambium cat` and `merge \
            --take` name them, become the branch's own in a new commit, which records where they came \
            from: LAYER/EXPERT, LAYER/POOL/EXPERT, 'router LAYER/ROW', TENSOR[ROW], a tensor or a \
            file; numbers may be 3-9, 1,4 or * for all, and * in a name stands for anything. What does \
            not fit the branch's model is refused.

            cambium restore law:1/7 -m "the expert of law"
            cambium restore HEAD~3:1/7 HEAD~3:1/12-15 --branch main
            cambium restore 'law:router 0/3' law:config.json
            """,
        aliases: ["cherry-pick"])

    @Argument(help: "REV:ENTITY, for example law:1/7.")
    var place: [String]

    @Option(help: "The branch (default: HEAD's).")
    var branch: String?

    @Option(name: .shortAndLong, parsing: .unconditional, help: "What the commit says.")
    var message: String?

    @OptionGroup var global: GlobalOptions

    func run(_ console: Console) throws {
        let few = place.prefix(3).joined(separator: ", ")
        let words = "restore \(few)\(place.count > 3 ? " and \(place.count - 3) more" : "")"
        let result = try openStore().restore(
            place, CommitOptions(message: message ?? words, branch: branch))
        console.show(RestoreReport(result: result), paged: false)
    }
}

/// What a restore took.
struct RestoreReport: Report {
    /// Things that are listed.
    static let listed = 20

    let result: RestoreResult

    func encode(to encoder: any Encoder) throws { try result.encode(to: encoder) }

    func lines(_ style: Style) -> [String] {
        let branch = style.name(result.branch)
        let place = "\(branch) is at \(style.id(result.commit.short))"
        if result.unchanged { return ["nothing changed: \(branch) has all of it already"] }
        var table = TextTable([.left, .left])
        for item in result.items.prefix(Self.listed) {
            table.add([item.path, "from \(style.id(item.from.short))"])
        }
        let hidden = result.items.count - Self.listed
        return ["restored \(Quantity.count(result.items.count, "thing")); \(place)"]
            + table.lines(indent: 2)
            + (hidden > 0 ? ["  and \(Quantity.count(hidden)) more; --json lists all"] : [])
            + (result.alike > 0
                ? [
                    "  \(Quantity.count(result.alike)) more \(result.alike == 1 ? "was" : "were") there already"
                ]
                : [])
    }

    func quietLines() -> [String] { [result.commit] }
}
