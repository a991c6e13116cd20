internal import ArgumentParser
internal import Cambium
internal import Reporting

struct ForgetCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "forget",
        abstract: "Take an adapter out of a model, or out of history.",
        discussion: """
            Its deltas, its experts and its evidence go in a new commit, whose model is, by its id, the one \
            that never had the adapter's rounds; what is left of it in history is listed. It is refused \
            when something depends on it, which is named.

            With --from-history no byte of it stays in the store: every branch and tag (or the one of \
            --branch, when no other leads to it) gets a history without its rounds, entries of the reflog \
            that name old commits go, and the file is written anew. Ids of later commits change, \
            so it is a preview unless --prune confirms it; nothing else may have the store open. Clones, \
            backups, and what a disk keeps of old files are not reached.

            cambium forget swahili -m "the texts were withdrawn"
            cambium forget swahili --from-history
            cambium forget swahili --from-history --prune
            """)

    @Argument(help: "The adapter, or the commit of its only round.")
    var name: String

    @Option(help: "The branch (default: HEAD's; of --from-history, all branches and tags).")
    var branch: String?

    @Flag(help: "Look at all history, not only at the model of a branch.")
    var fromHistory = false

    @Flag(help: "With --from-history: do it.")
    var prune = false

    @Option(name: .shortAndLong, parsing: .unconditional, help: "What the commit says.")
    var message: String?

    @OptionGroup var global: GlobalOptions

    func validate() throws {
        if prune, !fromHistory { throw ValidationError("--prune needs --from-history") }
        if message != nil, fromHistory {
            throw ValidationError("--from-history makes no commit that -m could be of")
        }
    }

    func run(_ console: Console) throws {
        guard fromHistory else {
            let result = try openStore().forget(
                name, CommitOptions(message: message ?? "forget \(name)", branch: branch))
            return console.show(ForgetReport(result: result), paged: false)
        }
        let (path, name, branch, prune) = (try global.storePath(), name, branch, prune)
        let result = try console.withProgress("forget") { progress in
            try Store.forgetFromHistory(
                name, at: path, branch: branch, prune: prune, progress: progress.report)
        }
        console.show(HistoryForgetReport(result: result), paged: false)
    }
}

/// What was forgotten.
struct ForgetReport: Report {
    /// Branches and tags that are listed.
    static let listed = 20

    let result: ForgetResult

    func encode(to encoder: any Encoder) throws { try result.encode(to: encoder) }

    func lines(_ style: Style) -> [String] {
        let things = [
            (result.tensors, "tensor"), (result.experts, "expert"),
            (result.evidence.count, "record"),
        ].filter { $0.0 > 0 }.map { Quantity.count($0.0, $0.1) }
        var lines = [
            "forgot \(style.name(result.adapter)) on \(style.name(result.branch)): "
                + "\(things.joined(separator: ", ")), \(Quantity.bytes(result.bytes)); it is at "
                + style.id(result.commit.short)
        ]
        if !result.rounds.isEmpty {
            let few = result.rounds.prefix(5).map { style.id($0.short) }.joined(separator: ", ")
            let more = result.rounds.count - 5
            lines.append(
                "  made by \(few)" + (more > 0 ? " and \(Quantity.count(more)) more" : ""))
        }
        var held = result.holders.prefix(Self.listed).map { holder in
            (holder.kind == "tag" ? "tag " : "") + holder.name
                + (holder.inModel ? " (its model)" : "")
        }
        let hidden = result.holders.count - Self.listed
        if hidden > 0 { held.append("\(Quantity.count(hidden)) more") }
        if result.reflogEntries > 0 {
            held.append(
                Quantity.count(result.reflogEntries, "reflog entry", "reflog entries"))
        }
        guard !held.isEmpty else { return lines }
        lines.append("  history still holds it: " + held.joined(separator: ", "))
        lines.append(
            style.faint(
                "  `cambium forget \(result.adapter) --from-history` shows what it takes to leave nothing"
            ))
        return lines
    }

    func quietLines() -> [String] { [result.commit] }
}

/// What was forgotten of all history, or would be.
struct HistoryForgetReport: Report {
    let result: HistoryForgetResult

    func encode(to encoder: any Encoder) throws { try result.encode(to: encoder) }

    func lines(_ style: Style) -> [String] {
        let would = result.pruned ? "" : "would be "
        var table = TextTable([.left, .left])
        for reference in result.references.prefix(ForgetReport.listed) {
            let name = (reference.kind == "tag" ? "tag " : "") + style.name(reference.name)
            table.add([
                name, "\(style.id(reference.old.short)) to \(style.id(reference.new.short))",
            ])
        }
        let hidden = result.references.count - ForgetReport.listed
        let more = hidden > 0 ? ["  and \(Quantity.count(hidden)) more; --json lists all"] : []
        var lines = [
            "\(style.name(result.adapter)): \(Quantity.count(result.rewritten, "commit")) \(would)"
                + "rewritten, \(Quantity.count(result.dropped)) dropped, "
                + Quantity.count(result.reflogEntries, "reflog entry", "reflog entries")
                + " \(would)removed"
        ]
        lines += table.lines(indent: 2) + more
        if result.pruned {
            lines.append(
                "\(Quantity.count(result.objects, "object")) removed; the file is "
                    + "\(Quantity.bytes(result.bytesAfter)), and was \(Quantity.bytes(result.bytesBefore))"
            )
        } else {
            lines.append("nothing was changed; --prune does it, and ids of later commits change")
        }
        return lines
    }

    func quietLines() -> [String] { result.references.map(\.new) }
}
