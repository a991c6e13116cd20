internal import Cambium
internal import Reporting

extension TransferInfo {
    /// What moved, in words: `2 commits, 140 objects; sent 12.0 MiB by 7 requests`.
    func text(isPush: Bool) -> String {
        let bytes = isPush ? sent : received
        return "\(Quantity.count(commits, "commit")), \(Quantity.count(objects, "object")); "
            + "\(isPush ? "sent" : "received") \(Quantity.bytes(bytes)) by "
            + Quantity.count(requests, "request")
    }
}

extension FetchResult {
    /// What moved, and what did not.
    var text: String {
        transfer.text(isPush: false)
            + (promised == 0 ? "" : "; \(Quantity.bytes(promised)) stay there until they are read")
    }
}

extension RemoteUpdate {
    /// One line: `main  1a2b3c -> 4d5e6f`.
    func line(_ style: Style) -> [String] {
        let name = (kind == "tag" ? "tag " : "") + style.name(self.name)
        switch (old, new) {
        case (nil, let new?): return [name, isUnchanged ? "is at" : "new, at", style.id(new.short)]
        case (let old?, nil): return [name, "removed, was at", style.id(old.short)]
        case (let old?, let new?):
            return isUnchanged || old == new
                ? [name, "is at", style.id(new.short)]
                : [name, style.id(old.short) + " ->", style.id(new.short)]
        case (nil, nil): return [name, "is not there", ""]
        }
    }
}

private func table(_ updates: [RemoteUpdate], _ style: Style) -> [String] {
    var table = TextTable([.left, .left, .left])
    for update in updates { table.add(update.line(style)) }
    return table.lines(indent: 2)
}

/// What a push did, or would do.
struct PushReport: Report {
    let result: PushResult

    func encode(to encoder: any Encoder) throws { try result.encode(to: encoder) }

    var made: String? {
        result.dryRun || result.updates.allSatisfy(\.isUnchanged)
            ? nil : "the push to \(result.remote) was made"
    }

    func lines(_ style: Style) -> [String] {
        if result.updates.allSatisfy(\.isUnchanged) {
            return ["\(style.name(result.remote)) has everything already"]
                + table(result.updates, style)
        }
        guard !result.dryRun else {
            return [
                "would push to \(style.name(result.remote)) (\(result.url)): "
                    + "\(Quantity.count(result.transfer.commits, "commit")), "
                    + "\(Quantity.count(result.transfer.objects, "object")), about "
                    + Quantity.bytes(result.planned)
            ] + table(result.updates, style)
        }
        return [
            "pushed to \(style.name(result.remote)) (\(result.url)): "
                + result.transfer.text(isPush: true)
        ] + table(result.updates, style)
    }

    func quietLines() -> [String] { result.updates.compactMap(\.new) }
}

/// What a fetch brought.
struct FetchReport: Report {
    let result: FetchResult

    func encode(to encoder: any Encoder) throws { try result.encode(to: encoder) }

    func lines(_ style: Style) -> [String] {
        let refused = result.refused.map {
            style.warning("left out: ")
                + "'\(VisibleText.of($0))', a name that no store may have, or a tag that is elsewhere here"
        }
        if result.updates.isEmpty {
            let deeper =
                result.transfer.commits > 0
                ? "; \(result.transfer.text(isPush: false))" : ""
            return ["nothing new at \(style.name(result.remote))\(deeper)"] + refused
        }
        return [
            "fetched from \(style.name(result.remote)) (\(result.url)): " + result.text
        ] + table(result.updates, style) + refused
    }

    func quietLines() -> [String] { result.updates.compactMap(\.new) }
}

/// What a pull did.
struct PullReport: Report {
    let result: PullResult

    func encode(to encoder: any Encoder) throws { try result.encode(to: encoder) }

    func lines(_ style: Style) -> [String] {
        let fetched = FetchReport(result: result.fetch).lines(style)
        guard let merge = result.merge else {
            return fetched + [
                "made branch \(style.name(result.branch)) at \(style.id(result.head.short))"
            ]
        }
        return fetched
            + MergeReport(
                result: merge, verb: .merge, what: "\(result.fetch.remote)/\(result.branch)",
                isDryRun: false
            ).lines(style)
    }

    func quietLines() -> [String] { [result.head] }
}

/// A store that was made of a remote.
struct CloneReport: Report {
    let result: CloneResult

    func encode(to encoder: any Encoder) throws { try result.encode(to: encoder) }

    var made: String? { "the store \(result.path) was made" }

    func lines(_ style: Style) -> [String] {
        let place: String
        if let branch = result.branch, let head = result.head {
            place = "on branch \(style.name(branch)) at \(style.id(head.short))"
        } else {
            place = "the remote has no branches yet"
        }
        return [
            "cloned \(result.fetch.url) into \(style.bold(result.path)): " + result.fetch.text,
            "  \(place)" + style.faint("; export CAMBIUM_STORE=\(ShellWord.quoted(result.path))"),
        ] + FetchReport(result: result.fetch).lines(style).dropFirst()
    }

    func quietLines() -> [String] { [result.path] }
}

extension Console {
    /// Shows a pull; conflicts end the command with status 3.
    func show(_ report: PullReport) throws {
        show(report, paged: false)
        guard let merge = report.result.merge, !merge.conflicts.isEmpty else { return }
        let theirs = "\(report.result.fetch.remote)/\(report.result.branch)"
        throw Failure(
            .conflict,
            "\(Quantity.count(merge.conflicts.count, "conflict")); what came is \(theirs), and the branch is "
                + "as it was",
            hint:
                "settle them: cambium merge \(theirs) --into \(report.result.branch) --policy mean (or "
                + "ours, theirs, …)")
    }
}
