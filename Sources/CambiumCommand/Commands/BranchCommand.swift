internal import ArgumentParser
internal import Cambium

struct BranchCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "branch",
        abstract: "List, make or remove branches.",
        discussion: """
            cambium branch                    # list
            cambium branch swahili            # make one at HEAD
            cambium branch metamath main~2    # make one elsewhere
            cambium branch -d swahili         # remove one; its commits stay for the grace period
            """)

    @Argument(help: "The branch; without one, all are listed.")
    var name: String?

    @Argument(help: "Where a new branch starts (default: HEAD).")
    var revision: String?

    @Flag(name: [.customShort("d"), .long], help: "Remove it.")
    var delete = false

    @OptionGroup var global: GlobalOptions

    func validate() throws {
        if delete, name == nil { throw ValidationError("-d needs the name of a branch") }
        if delete, revision != nil { throw ValidationError("-d takes one name only") }
    }

    func run(_ console: Console) throws {
        guard let name else {
            let store = try openForReading()
            let current = try store.currentBranch()
            console.show(
                ReferencesReport(kind: "branch", entries: try store.branches(), current: current),
                paged: true)
            return
        }
        let store = try openStore()
        if delete {
            let id = try store.branches().first { $0.name == name }?.id
            try store.deleteBranch(name)
            console.show(ReferenceReport(kind: "branch", name: name, id: id, action: .removed))
        } else {
            try store.createBranch(name, at: revision ?? "HEAD")
            let id = try store.resolve(name)
            console.show(ReferenceReport(kind: "branch", name: name, id: id, action: .made))
        }
    }
}
