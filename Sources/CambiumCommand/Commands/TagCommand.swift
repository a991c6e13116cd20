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
            cambium tag -d v0                 # remove one
            """)

    @Argument(help: "The tag; without one, all are listed.")
    var name: String?

    @Argument(help: "What it names (default: HEAD).")
    var revision: String?

    @Flag(name: [.customShort("d"), .long], help: "Remove it.")
    var delete = false

    @OptionGroup var global: GlobalOptions

    func validate() throws {
        if delete, name == nil { throw ValidationError("-d needs the name of a tag") }
        if delete, revision != nil { throw ValidationError("-d takes one name only") }
    }

    func run(_ console: Console) throws {
        guard let name else {
            let tags = try openForReading().tags()
            console.show(ReferencesReport(kind: "tag", entries: tags, current: nil), paged: true)
            return
        }
        let store = try openStore()
        if delete {
            let id = try store.tags().first { $0.name == name }?.id
            try store.deleteTag(name)
            console.show(ReferenceReport(kind: "tag", name: name, id: id, action: .removed))
        } else {
            try store.createTag(name, at: revision ?? "HEAD")
            let id = try store.tags().first { $0.name == name }?.id
            console.show(ReferenceReport(kind: "tag", name: name, id: id, action: .made))
        }
    }
}
