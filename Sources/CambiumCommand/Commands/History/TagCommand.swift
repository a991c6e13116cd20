internal import ArgumentParser
internal import Cambium

struct TagCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "tag",
        abstract: "List, make or remove tags.",
        discussion: """
            Tags never move.

            cambium tag                       # list
            cambium tag v1                    # make one at HEAD
            cambium tag v0 main~2             # make one elsewhere
            cambium tag -d v0 v1              # remove them, all or none
            """)

    @Argument(
        help: ArgumentHelp(
            "A new tag and what it names (default: HEAD); with -d any number.", valueName: "name"),
        completion: Completion.revisions)
    var names: [String] = []

    @Flag(name: [.customShort("d"), .long], help: "Remove them.")
    var delete = false

    @OptionGroup var global: GlobalOptions

    func validate() throws {
        if delete, names.isEmpty { throw ValidationError("-d needs the name of a tag") }
        if !delete, names.count > 2 {
            throw ValidationError("a new tag takes NAME and what it names, no more")
        }
    }

    func run(_ console: Console) throws {
        guard let name = names.first else {
            let tags = try openForReading().tags()
            console.show(ReferencesReport(kind: "tag", entries: tags, current: nil), paged: true)
            return
        }
        let store = try openStore()
        if delete {
            console.show(removed: "tag", names, try store.deleteTags(names))
        } else {
            try store.createTag(name, at: names.count == 2 ? names[1] : "HEAD")
            let id = try store.tags().first { $0.name == name }?.id
            console.show(ReferenceReport(kind: "tag", name: name, id: id, action: .made))
        }
    }
}
