internal import ArgumentParser
internal import Cambium
internal import Reporting

struct NoteCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "note",
        abstract: "Note what became known of a commit later.",
        discussion: """
            A note has numbers, words or both, an author and a time. The commit keeps its id, and `log` and \
            `show` tell the notes with it. Notes are a set: the same note twice is one.

            cambium note main --metric wikitext.bpb=2.31
            cambium note main~2 --text "trained on the wrong split" --metric acc=0.91
            cambium note main                 # list
            cambium note main --drop 3fa9c01b
            cambium note --from ../other/S    # unite with the notes of another store
            """)

    @Argument(help: "The commit.", completion: Completion.revisions)
    var revision: String?

    @Option(help: ArgumentHelp("A number; may be repeated.", valueName: "name=number"))
    var metric: [NumberPair] = []

    @Option(parsing: .unconditional, help: "Words.")
    var text: String?

    @Option(help: ArgumentHelp("Remove the note whose id begins so.", valueName: "id"))
    var drop: String?

    @Option(
        help: ArgumentHelp(
            "Add the notes of another store, of commits that both have.", valueName: "store"),
        completion: .directory)
    var from: String?

    @OptionGroup var global: GlobalOptions

    func validate() throws {
        guard (revision == nil) == (from != nil) else {
            throw ValidationError("name the commit, or with --from another store: one of the two")
        }
        if from != nil, drop != nil || text != nil || !metric.isEmpty {
            throw ValidationError("--from stands alone")
        }
        if drop != nil, text != nil || !metric.isEmpty {
            throw ValidationError("--drop removes a note; leave --metric and --text out")
        }
    }

    func run(_ console: Console) throws {
        if let from {
            let count = try openStore().uniteNotes(with: from)
            return console.show(NotesAddedReport(added: count, from: from))
        }
        let revision = revision ?? "HEAD"
        if let drop {
            let id = try openStore().dropNote(drop, of: revision)
            return console.show(NoteReport(note: id, action: .removed))
        }
        guard text != nil || !metric.isEmpty else {
            let store = try openForReading()
            let notes = try store.notes(of: revision)
            return console.show(
                NotesReport(
                    commit: try store.resolve(revision), notes: notes, now: Signature.current.time),
                paged: true)
        }
        let note = try openStore().addNote(
            to: revision, text: text ?? "",
            metrics: try dictionary(metric.map { ($0.name, $0.value) }, "--metric"))
        console.show(NoteReport(note: note.id, action: .added, commit: note.commit))
    }
}

/// The notes of one commit.
struct NotesReport: Report {
    let commit: String
    let notes: [NoteInfo]
    let now: Int64

    enum CodingKeys: String, CodingKey { case commit, notes }

    func lines(_ style: Style) -> [String] {
        if notes.isEmpty { return [style.faint("\(commit.short) has no notes")] }
        return notes.flatMap { note in
            [
                style.id(note.id.short) + "  "
                    + style.faint("\(Timestamp.full(note.time, now: now)) by \(note.author)")
            ] + note.body.map { "  \($0)" }
        }
    }

    func quietLines() -> [String] { notes.map(\.id) }
}

/// Notes that came from another store.
struct NotesAddedReport: Report {
    let added: Int
    let from: String

    func lines(_ style: Style) -> [String] {
        ["\(Quantity.count(added, "note")) of \(from) \(added == 1 ? "was" : "were") new here"]
    }

    func quietLines() -> [String] { ["\(added)"] }
}

/// A note that was added or removed.
struct NoteReport: Report {
    enum Action: String, Encodable { case added, removed }

    let note: String
    let action: Action
    var commit: String?

    func lines(_ style: Style) -> [String] {
        switch action {
        case .added: ["noted \(style.id(note.short)) on \((commit ?? "").short)"]
        case .removed: ["removed note \(style.id(note.short))"]
        }
    }

    func quietLines() -> [String] { [note] }
}

extension NoteInfo {
    /// What it says, line by line: numbers, words, and which curves it has.
    var body: [String] {
        let numbers = metrics.sorted { $0.key < $1.key }.map {
            "\($0.key) \(Quantity.recorded($0.value))"
        }
        let words = text.split(separator: "\n", omittingEmptySubsequences: true).map(String.init)
        let kept = curves.map { "curve \($0)" }
        return (numbers.isEmpty ? [] : [numbers.joined(separator: ", ")]) + words + kept
    }

    /// Whether it says something to a reader of a log.
    var isTold: Bool { !metrics.isEmpty || !text.isEmpty }
}
