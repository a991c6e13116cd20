internal import Cambium
internal import Reporting

/// One remote that was made known or forgotten.
struct RemoteReport: Report {
    let remote: RemoteInfo
    let verb: String

    func encode(to encoder: any Encoder) throws { try remote.encode(to: encoder) }

    func lines(_ style: Style) -> [String] {
        let next = verb == "added" ? style.faint("; `cambium push \(remote.name)` sends to it") : ""
        return ["\(verb) remote \(style.name(remote.name)): \(remote.url)\(next)"]
    }

    func quietLines() -> [String] { [remote.name] }
}

/// All remotes.
struct RemotesReport: Report {
    let remotes: [RemoteInfo]

    func lines(_ style: Style) -> [String] {
        if remotes.isEmpty {
            return [style.faint("no remotes yet; `cambium remote add origin URL` names one")]
        }
        var table = TextTable([.left, .left, .left])
        for remote in remotes {
            var how: [String] = []
            if let endpoint = remote.access.endpoint { how.append("at \(endpoint)") }
            if let profile = remote.access.profile { how.append("profile \(profile)") }
            if remote.access.isSingleWriter { how.append("single writer") }
            table.add([style.name(remote.name), remote.url, how.joined(separator: ", ")])
        }
        return table.lines()
    }

    func quietLines() -> [String] { remotes.map(\.name) }
}

/// What was found of a remote.
struct RemoteCheckReport: Report {
    let check: RemoteCheck

    func encode(to encoder: any Encoder) throws { try check.encode(to: encoder) }

    func lines(_ style: Style) -> [String] {
        let found =
            "\(Quantity.count(check.branches, "branch", "branches")), "
            + "\(Quantity.count(check.tags, "tag")), \(Quantity.count(check.commits, "commit")), "
            + "\(Quantity.count(check.packs, "pack")) of \(Quantity.bytes(check.bytes))"
        guard check.faults.isEmpty else {
            return ["\(style.name(check.remote)): \(found)"]
                + check.faults.map { style.bad("fault: ") + $0 }
                + ["push again, from a store that has them, what is missing"]
        }
        let how =
            check.readsAll
            ? "all read and checked"
            : "all there" + style.faint(" (--read also reads and hashes them)")
        return ["\(style.name(check.remote)) keeps its word: \(found), \(how)"]
    }

    func quietLines() -> [String] { check.faults }
}

/// What a collection of a remote found and did.
struct RemoteGcReport: Report {
    let result: RemoteCollectResult
    let grace: String

    func encode(to encoder: any Encoder) throws { try result.encode(to: encoder) }

    func lines(_ style: Style) -> [String] {
        var table = TextTable([.left, .right, .right, .left])
        func add(_ name: String, _ amount: RemoteCollectResult.Amount, _ note: String = "") {
            table.add([
                name, Quantity.count(amount.keys, "key"), Quantity.bytes(amount.bytes), note,
            ])
        }
        add("needed", result.live)
        add("not needed", result.garbage)
        if result.young.keys > 0 {
            add("too young to tell", result.young, "(a push may be writing it)")
        }
        if result.marked.keys > 0 { add("marked now", result.marked) }
        if result.removed.keys > 0 { add("removed now", result.removed) }
        return table.lines() + [verdict(style)]
    }

    private func verdict(_ style: Style) -> String {
        let next = result.next.map { " after \(Timestamp.text($0))" } ?? ""
        guard result.pruned else {
            return result.garbage.keys == 0
                ? "nothing to remove" + style.faint(" (grace \(grace))")
                : "nothing was removed; --prune marks it, and removes what was marked\(next)"
        }
        return result.next == nil
            ? "nothing is marked" : "what is marked goes when `--prune` runs again\(next)"
    }

    func quietLines() -> [String] { ["\(result.garbage.bytes)"] }
}
