internal import ArgumentParser
internal import Cambium
internal import Reporting

struct VerifyCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Check every object and every reference.",
        discussion: """
            Changes nothing. Lists every fault and exits 4 when there is one, also of a store that \
            is too damaged to be opened.

            cambium verify
            cambium verify --fast             # structure and references only
            cambium verify --fetch            # read what lies on a remote, too
            """)

    @Flag(help: "Do not hash objects.")
    var fast = false

    @Flag(help: "Read data that lie on a remote, too.")
    var fetch = false

    @OptionGroup var global: GlobalOptions

    func run(_ console: Console) throws {
        let path = try global.storePath()
        let result = try console.withProgress("verify") { progress in
            try Store.verify(at: path, fast: fast, fetch: fetch, progress: progress.report)
        }
        console.show(VerifyReport(result: result))
        if !result.faults.isEmpty {
            throw Failure(
                .corrupt, "\(path) has \(Quantity.count(result.faults.count, "fault"))",
                hint:
                    "keep a copy of the directory; restore the store from a backup, or export what "
                    + "is whole")
        }
    }
}

struct VerifyReport: Report {
    let result: VerifyResult

    func encode(to encoder: any Encoder) throws { try result.encode(to: encoder) }

    func lines(_ style: Style) -> [String] {
        let checked =
            "\(Quantity.count(result.objects, "object")), \(Quantity.bytes(result.bytes)), in "
            + "\(Quantity.count(result.packs, "pack")); "
            + "\(Quantity.count(result.arrays, "expert array")); "
            + Quantity.count(result.commits, "commit")
        let all = result.promisedObjects == 0 ? "every byte" : "all that is here"
        let how =
            (result.fast ? "structure only" : all)
            + ", including commits that only the reflog names"
        let faults = result.faults.map { "\(style.bad($0.subject)): \($0.message)" }
        let promised =
            result.promisedObjects == 0
            ? []
            : [
                "promised, not read: \(Quantity.count(result.promisedObjects, "object")), "
                    + "\(Quantity.bytes(result.promisedBytes)), on a remote ("
                    + (result.remoteFailure ?? "`cambium verify --fetch` reads them") + ")"
            ]
        let verdict = faults.isEmpty ? [style.good("no faults")] : []
        return faults + ["checked \(checked) (\(how))"] + promised + verdict
    }

    func quietLines() -> [String] { result.faults.map { "\($0.subject): \($0.message)" } }
}
