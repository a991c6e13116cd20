internal import Architectures
internal import Elements
internal import Evidence
internal import Objects
package import Snapshots

/// What ``SnapshotStore/forget(_:_:)`` took out of a branch's model.
package struct ForgottenAdapter {
    /// A branch or tag whose history still leads to the adapter, and whether its own model has it.
    package typealias Holder = (name: String, kind: ReferenceKind, inModel: Bool)

    package let adapter: String
    package let outcome: CommitOutcome
    package let branch: String
    package let removed: AdapterRemoval.Removed
    /// The commits that had made the adapter what it was, newest first.
    package let rounds: [HistoryEntry]
    package let holders: [Holder]
    /// Entries of the reflog that lead to it.
    package let reflogEntries: Int
}

extension SnapshotStore {
    /// Takes an adapter out of a branch's model, exactly: its deltas, its experts and its evidence.
    ///
    /// - Parameter name: An adapter's name, or the commit of its only round.
    /// - Throws: `.notFound` without such an adapter; `.dependedOn` where something depends on it.
    package func forget(_ name: String, _ request: CommitRequest) throws -> ForgottenAdapter {
        let target = try CommitTarget(request, self)
        let (parent, before) = try target.model()
        var reader = AdapterReader(self)
        let rounds = try reader.rounds(of: parent)
        let adapter = try adapter(name, before, rounds, &reader, branch: target.branch)
        let made = rounds[adapter] ?? []
        try checkEdits(adapter, before, made, &reader)
        var removal = try AdapterRemoval(adapter, self, tips: [parent])
        guard let removed = try removal.removed(from: before) else {
            throw CambiumError(
                .notFound, "branch '\(target.branch)' has nothing of adapter '\(adapter)'")
        }
        let kept = try evidence(of: removed.tree)
        // Before anything is committed: a set that no gate can be solved from is refused.
        _ = try EvidenceGate(kept.counts)
        var draft = try CommitDraft(self, tree: removed.tree)
        if let layout = removed.layout {
            draft.tree.layout = try draft.put(.layout, layout.encoded)
        }
        var request = request
        request.note.metadata["forget.cohort"] = adapter
        let outcome = try target.commit(fitting: draft, request).outcome
        let (holders, entries) = try holders(of: adapter, &reader)
        return ForgottenAdapter(
            adapter: adapter, outcome: outcome, branch: target.branch, removed: removed,
            rounds: made, holders: holders, reflogEntries: entries)
    }

    /// The adapter that a name or the commit of a round means.
    private func adapter(
        _ name: String, _ tree: Tree, _ rounds: [String: [HistoryEntry]],
        _ reader: inout AdapterReader, branch: String
    ) throws -> String {
        var names = Set(AdapterReader.tensors(tree.trunk).keys)
        let described = names
        for layer in tree.layers.values {
            names.formUnion(
                layer.pools.keys.filter {
                    AdapterTensorName.ownsPool(
                        $0, in: tree.architecture, described: described)
                })
        }
        names.formUnion(try reader.evidence(tree.files).map(\.adapter))
        names.remove(ExpertPool.base)
        if names.contains(name) { return name }
        guard name != ExpertPool.base else {
            throw CambiumError(
                .usage,
                "the base is what all adapters stand on, and cannot be forgotten; `cambium reset` goes back "
                    + "to a model before it")
        }
        guard let id = try? resolve(name) else {
            let known = names.sorted(by: isBefore).prefix(20).joined(separator: ", ")
            throw CambiumError(
                .notFound,
                "there is no adapter and no commit '\(name)' on '\(branch)'"
                    + (known.isEmpty ? ", which has no adapters" : "; its adapters are \(known)"))
        }
        let commit = try commit(id)
        guard let adapter = commit.metadata["train.cohort"] else {
            throw CambiumError(
                .usage,
                "\(id.short) is no round of an adapter; `cambium revert \(id.short)` undoes it when "
                    + "nothing depends on it")
        }
        let made = rounds[adapter] ?? []
        guard names.contains(adapter), made.contains(where: { $0.id == id }) else {
            throw CambiumError(
                .notFound,
                "'\(branch)' has nothing of \(id.short), a round of adapter '\(adapter)'")
        }
        let others = made.filter { $0.id != id }
        guard others.isEmpty else {
            throw CambiumError(
                .dependedOn,
                "round \(id.short) cannot be forgotten alone: adapter '\(adapter)' was trained by "
                    + others.prefix(5).map(\.words).joined(separator: ", ")
                    + (others.count > 5 ? " and \(others.count - 5) more" : "")
                    + " as well, on the same weights; `cambium forget \(adapter)` forgets all of them"
            )
        }
        return adapter
    }

    /// Refuses to take out what a commit changed that is no round of the adapter: its work would be lost.
    private func checkEdits(
        _ adapter: String, _ tree: Tree, _ made: [HistoryEntry], _ reader: inout AdapterReader
    ) throws {
        let now = AdapterContent(
            tensors: AdapterReader.tensors(tree.trunk)[adapter] ?? [:],
            pools: tree.layers.compactMapValues { $0.pools[adapter] })
        var edits: [HistoryEntry] = []
        for entry in made
        where try reader.adapters(ofTree: entry.commit.tree)[adapter] == now {
            var isFirst = true
            for parent in entry.commit.parents {
                let tree = try commit(parent).tree
                if try reader.adapters(ofTree: tree)[adapter] != nil { isFirst = false }
            }
            // Rounds, imports and merges are where an adapter comes from.
            // Fewer bits or rows are nothing that would be lost.
            if entry.commit.metadata["train.cohort"] == adapter || isFirst
                || entry.commit.parents.count > 1
                || RowTables.metadata.contains(where: { entry.commit.metadata[$0] != nil })
            {
                return
            }
            edits.append(entry)
        }
        guard let edit = edits.first else { return }
        throw CambiumError(
            .dependedOn,
            "adapter '\(adapter)' was edited by \(edits.map(\.words).joined(separator: ", ")), which "
                + "would be lost; revert that first: cambium revert \(edit.id.short)")
    }

    /// The branches, tags and entries of the reflog that lead to something of an adapter.
    private func holders(
        of adapter: String, _ reader: inout AdapterReader
    ) throws -> (holders: [ForgottenAdapter.Holder], reflogEntries: Int) {
        let references = try references()
        let reflog = try reflog()
        var tips = references.tips
        for id in reflog.flatMap({ [$0.old, $0.new] }).compactMap({ $0 })
        where (try? commit(id)) != nil {
            tips.insert(id)
        }
        let roots = Array(tips)
        let entries = try history(from: roots)
        var has: Set<ObjectID> = []
        var leads: Set<ObjectID> = []
        for entry in entries.reversed() {
            if try reader.has(adapter, inTree: entry.commit.tree) { has.insert(entry.id) }
            if has.contains(entry.id) || entry.commit.parents.contains(where: leads.contains) {
                leads.insert(entry.id)
            }
        }
        var holders: [ForgottenAdapter.Holder] = []
        for (kind, table) in [
            (ReferenceKind.branch, references.branches), (.tag, references.tags),
        ] {
            for (name, id) in table.sorted(by: { isBefore($0.key, $1.key) })
            where leads.contains(id) {
                holders.append((name, kind, has.contains(id)))
            }
        }
        let named = reflog.count { entry in
            [entry.old, entry.new].contains { $0.map(leads.contains) ?? false }
        }
        return (holders, named)
    }
}

extension HistoryEntry {
    /// The commit in a few words: `3fa9c01b12cd "round 2"`.
    fileprivate var words: String {
        "\(id.short) \"\(commit.subject)\""
    }
}
