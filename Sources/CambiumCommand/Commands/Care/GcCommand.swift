internal import ArgumentParser
internal import Cambium
internal import Reporting

struct GcCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "gc",
        abstract: "Find what nothing needs; --prune removes it.",
        discussion: """
            Branches, tags, models that are being read, and reflog entries younger than the grace \
            period keep what they name. Freed space is used by later commits; `repack` gives it \
            back to the file system.

            cambium gc                        # preview
            cambium gc --prune
            cambium gc --prune --grace 0      # forget removed branches at once
            """)

    @Flag(help: "Remove it.")
    var prune = false

    @Option(
        help: ArgumentHelp(
            "How long the reflog keeps what nothing else names: 14d (the default), 12h, 0.",
            valueName: "duration"))
    var grace: GraceOption?

    @OptionGroup var global: GlobalOptions

    func run(_ console: Console) throws {
        let grace =
            try grace ?? Terminal.option("CAMBIUM_GRACE", .grace) { GraceOption(argument: $0) }
            ?? .standard
        let store = try prune ? openStore() : openForReading()
        let result = try store.collect(prune: prune, grace: grace.seconds)
        console.show(GcReport(result: result, grace: grace.description))
    }
}

struct GcReport: Report {
    let result: CollectResult
    let grace: String

    func encode(to encoder: any Encoder) throws { try result.encode(to: encoder) }

    func lines(_ style: Style) -> [String] {
        var table = TextTable([.left, .right, .right, .left])
        table.add([
            "needed", Quantity.count(result.liveObjects, "object"),
            Quantity.bytes(result.liveBytes),
        ])
        table.add([
            "not needed", Quantity.count(result.deadObjects, "object"),
            Quantity.bytes(result.deadBytes),
            "(\(Quantity.count(result.deadPacks, "whole pack")), "
                + "\(Quantity.count(result.sparsePacks, "pack")) of which little is needed)",
        ])
        var lines = table.lines()
        if result.leases > 0 {
            lines.append(
                "\(Quantity.count(result.leases, "model")) being read, which keep"
                    + "\(result.leases == 1 ? "s" : "") "
                    + Quantity.count(result.leasedPacks, "pack"))
        }
        if result.expiredReflogEntries > 0 {
            lines.append("\(entries) older than the grace period (\(grace))")
        }
        return lines + [verdict(style)]
    }

    private var entries: String {
        Quantity.count(result.expiredReflogEntries, "reflog entry", "reflog entries")
    }

    private func verdict(_ style: Style) -> String {
        let freed = result.freeBytesAfter - result.freeBytesBefore
        if result.pruned {
            let objects = Quantity.count(result.deadObjects, "object")
            return "removed \(objects) and \(entries); "
                + "\(Quantity.bytes(max(0, freed))) came free inside the file"
                + style.faint(" (`cambium repack` gives it back to the file system)")
        }
        if result.deadObjects == 0, result.expiredReflogEntries == 0 {
            return "nothing to remove" + style.faint(" (grace \(grace))")
        }
        return "nothing was removed; --prune removes it"
    }

    func quietLines() -> [String] { ["\(result.deadBytes)"] }
}
