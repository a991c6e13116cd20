internal import ArgumentParser
internal import Cambium
internal import Reporting

struct ReflogCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "reflog",
        abstract: "List the moves of a branch, newest first.",
        discussion: """
            The number in @{N} can be used in revisions: `cambium reset main@{1}` takes back the \
            last move.

            cambium reflog
            cambium reflog swahili -n 5
            """)

    @Argument(help: "HEAD, a branch or a tag.")
    var reference = "HEAD"

    @Option(
        name: [.customShort("n"), .customLong("limit")],
        help: ArgumentHelp("At most this many.", valueName: "count"))
    var limit: Int?

    @OptionGroup var global: GlobalOptions

    func validate() throws {
        if let limit, limit < 0 { throw ValidationError("-n must not be negative") }
    }

    func run(_ console: Console) throws {
        let entries = try openForReading().reflog(reference)
        console.show(
            ReflogReport(
                reference: reference, entries: Array(entries.prefix(limit ?? .max)),
                now: Signature.current.time),
            paged: true)
    }
}

struct ReflogReport: Report {
    let reference: String
    let entries: [ReflogInfo]
    let now: Int64

    enum CodingKeys: String, CodingKey { case reference, entries }

    func lines(_ style: Style) -> [String] {
        if entries.isEmpty {
            let why = "it has not moved yet, or `gc --prune` removed its older entries"
            return [style.faint("the reflog of \(reference) has no entries: \(why)")]
        }
        return entries.enumerated().map { number, entry in
            let id = entry.new.map { style.id($0.short) } ?? style.faint("removed     ")
            let age = style.faint(Timestamp.relative(entry.time, now: now))
            return "\(id) \(reference)@{\(number)}  \(entry.message)  \(age)"
        }
    }

    func quietLines() -> [String] { entries.compactMap(\.new) }
}
