internal import ArgumentParser
internal import Cambium

struct BranchCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "branch",
        abstract: "List, make, rename or remove branches.",
        discussion: """
            cambium branch                    # list
            cambium branch -r                 # branches of remotes, as they were last seen
            cambium branch -v                 # with time, author, commits ahead and behind
            cambium branch swahili            # make one at HEAD
            cambium branch metamath main~2    # make one elsewhere
            cambium branch -m metamath maths  # rename one, with its reflog
            cambium branch -d swahili maths   # remove them; `gc` removes their commits
            """)

    @Argument(
        help: ArgumentHelp(
            "A new branch and where it starts (default: HEAD); with -m OLD NEW; with -d any number.",
            valueName: "name"), completion: Completion.revisions)
    var names: [String] = []

    @Flag(name: [.customShort("d"), .long], help: "Remove them: all, or none when one is missing.")
    var delete = false

    @Flag(name: [.customShort("m"), .long], help: "Rename: OLD NEW, or NEW for HEAD's branch.")
    var move = false

    @Flag(name: .shortAndLong, help: "List branches of remotes, as they were last seen.")
    var remotes = false

    @Flag(name: .shortAndLong, help: "List with more about each.")
    var verbose = false

    @OptionGroup var global: GlobalOptions

    func validate() throws {
        if delete, move { throw ValidationError("give one of -d and -m") }
        if remotes, !names.isEmpty || verbose || delete || move {
            throw ValidationError("-r lists; give it alone")
        }
        if verbose, !names.isEmpty { throw ValidationError("-v lists all branches; name none") }
        if delete, names.isEmpty { throw ValidationError("-d needs the name of a branch") }
        if move, !(1...2).contains(names.count) {
            throw ValidationError("-m takes OLD NEW, or NEW alone")
        }
        if !delete, !move, names.count > 2 {
            throw ValidationError("a new branch takes NAME and where it starts, no more")
        }
    }

    func run(_ console: Console) throws {
        guard let name = names.first else {
            let store = try openForReading()
            guard !remotes else {
                console.show(
                    ReferencesReport(
                        kind: "remote branch", entries: try store.remoteBranches(), current: nil),
                    paged: true)
                return
            }
            let current = try store.currentBranch()
            console.show(
                ReferencesReport(
                    kind: "branch", entries: try store.branches(comparing: verbose),
                    current: current, now: verbose ? Signature.current.time : nil),
                paged: true)
            return
        }
        let store = try openStore()
        if delete {
            let ids = try store.deleteBranches(names)
            console.show(removed: "branch", names, ids)
        } else if move {
            let old = try store.renameBranch(names.count == 2 ? name : nil, to: names.last ?? name)
            let new = names.last ?? name
            let id = try? store.resolve(new)
            console.show(
                ReferenceReport(kind: "branch", name: new, id: id, action: .renamed, old: old))
        } else {
            try store.createBranch(name, at: names.count == 2 ? names[1] : "HEAD")
            let id = try store.resolve(name)
            console.show(ReferenceReport(kind: "branch", name: name, id: id, action: .made))
        }
    }
}

extension Console {
    /// Shows that references were removed, a line or an object for each.
    func show(removed kind: String, _ names: [String], _ ids: [String]) {
        let reports = zip(names, ids).map {
            ReferenceReport(kind: kind, name: $0, id: $1, action: .removed)
        }
        show(each: reports, lines: reports.flatMap { $0.lines(style) }, paged: false)
    }
}
