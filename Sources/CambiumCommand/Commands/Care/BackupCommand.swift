internal import ArgumentParser
internal import Cambium
internal import Reporting

struct BackupCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup",
        abstract: "Copy the store while it is in use, and check the copy.",
        discussion: """
            The copy is one state of the store, without free space inside, and every object in it was checked \
            against its name before it got its own. Others read and write meanwhile. Nothing is ever replaced. \
            A target that ends with .mdb is one file, which `cambium init DIR --from FILE` makes a store of; \
            any other is a folder that can be used as a store at once. Rounds of training that were stopped \
            and usage profiles are not copied.

            cambium backup /mnt/backup/S-2026-11-29
            cambium backup S.mdb && cambium init R --from S.mdb
            """)

    @Argument(
        help: "A folder, or a file whose name ends with .mdb; must not exist.", completion: .file())
    var target: String

    @OptionGroup var global: GlobalOptions

    func run(_ console: Console) throws {
        let store = try openForReading()
        let result = try console.withProgress("backup") { progress in
            try store.backup(to: target, progress: progress.report)
        }
        console.show(BackupReport(result: result, verb: "backed up to"))
    }
}

/// A backup that was made, or a store that was made of one.
struct BackupReport: Report {
    let result: BackupResult
    let verb: String

    func encode(to encoder: any Encoder) throws { try result.encode(to: encoder) }

    func lines(_ style: Style) -> [String] {
        let next =
            result.kind == "file"
            ? "; `cambium init DIR --from \(result.target)` makes a store of it"
            : "; `cambium -C \(result.target) status` looks at it"
        let promised = result.promisedObjects
        let checked =
            promised == 0
            ? "all checked"
            : "\(Quantity.count(result.objects - promised)) checked; \(Quantity.count(promised)) stay on a "
                + "remote, which the backup needs"
        return [
            "\(verb) \(style.bold(result.target)): \(Quantity.bytes(result.bytes)), "
                + "\(Quantity.count(result.commits, "commit")), "
                + "\(Quantity.count(result.objects, "object")), \(checked)" + style.faint(next)
        ]
    }

    func quietLines() -> [String] { [result.target] }
}
