internal import Elements
internal import Evidence
internal import Objects
package import Snapshots

/// What ``SnapshotStore/forget(_:_:)`` took out of a branch's model.
package struct ForgottenCohort {
    /// A branch or tag whose history still leads to the cohort, and whether its own model has it.
    package typealias Holder = (name: String, kind: ReferenceKind, inModel: Bool)

    package let cohort: String
    package let outcome: CommitOutcome
    package let branch: String
    package let removed: CohortRemoval.Removed
    /// The commits that had made the cohort what it was, newest first.
    package let rounds: [HistoryEntry]
    package let holders: [Holder]
    /// Entries of the reflog that lead to it.
    package let reflogEntries: Int
}

extension SnapshotStore {
    /// Takes a cohort out of a branch's model, exactly: its deltas, its experts and its evidence.
    ///
    /// - Parameter name: A cohort's name, or the commit of its only round.
    /// - Throws: `.notFound` without such a cohort; `.dependedOn` where something depends on it.
    package func forget(_ name: String, _ request: CommitRequest) throws -> ForgottenCohort {
        let target = try CommitTarget(request, self)
        let (parent, before) = try target.model()
        var reader = CohortReader(self)
        let rounds = try reader.rounds(of: parent)
        let cohort = try cohort(name, before, rounds, &reader, branch: target.branch)
        let made = rounds[cohort] ?? []
        try checkEdits(cohort, before, made, &reader)
        var removal = try CohortRemoval(cohort, self, tips: [parent])
        guard let removed = try removal.removed(from: before) else {
            throw CambiumError(
                .notFound, "branch '\(target.branch)' has nothing of cohort '\(cohort)'")
        }
        let kept: [NamedContribution] = try EvidenceName.records(removed.tree).map { id in
            let bytes = try data(of: id).1
            return (id, try counted(.corrupt) { try EvidenceRecord(decoding: bytes) })
        }
        // Before anything is committed: a set that no gate can be solved from is refused.
        _ = try EvidenceGate(kept.counts)
        var draft = try CommitDraft(self, tree: removed.tree)
        if let layout = removed.layout {
            draft.tree.layout = try draft.put(.layout, layout.encoded)
        }
        var request = request
        request.note.metadata["forget.cohort"] = cohort
        let outcome = try target.commit(fitting: draft, request).outcome
        let (holders, entries) = try holders(of: cohort, &reader)
        return ForgottenCohort(
            cohort: cohort, outcome: outcome, branch: target.branch, removed: removed,
            rounds: made, holders: holders, reflogEntries: entries)
    }

    /// The cohort that a name or the commit of a round means.
    private func cohort(
        _ name: String, _ tree: Tree, _ rounds: [String: [HistoryEntry]],
        _ reader: inout CohortReader, branch: String
    ) throws -> String {
        var names = Set(CohortReader.tensors(tree.trunk).keys)
        for layer in tree.layers.values { names.formUnion(layer.cohorts.keys) }
        names.formUnion(try reader.evidence(tree.files).map(\.cohort))
        names.remove(Cohort.base)
        if names.contains(name) { return name }
        guard name != Cohort.base else {
            throw CambiumError(
                .usage,
                "the base is what all cohorts stand on, and cannot be forgotten; `cambium reset` goes back "
                    + "to a model before it")
        }
        guard let id = try? resolve(name) else {
            let known = names.sorted(by: isBefore).prefix(20).joined(separator: ", ")
            throw CambiumError(
                .notFound,
                "there is no cohort and no commit '\(name)' on '\(branch)'"
                    + (known.isEmpty ? ", which has no cohorts" : "; its cohorts are \(known)"))
        }
        let commit = try commit(id)
        guard let cohort = commit.metadata["train.cohort"] else {
            throw CambiumError(
                .usage,
                "\(id.short) is no round of a cohort; `cambium revert \(id.short)` undoes it when "
                    + "nothing depends on it")
        }
        let made = rounds[cohort] ?? []
        guard names.contains(cohort), made.contains(where: { $0.id == id }) else {
            throw CambiumError(
                .notFound,
                "'\(branch)' has nothing of \(id.short), a round of cohort '\(cohort)'")
        }
        let others = made.filter { $0.id != id }
        guard others.isEmpty else {
            throw CambiumError(
                .dependedOn,
                "round \(id.short) cannot be forgotten alone: cohort '\(cohort)' was trained by "
                    + others.prefix(5).map(\.words).joined(separator: ", ")
                    + (others.count > 5 ? " and \(others.count - 5) more" : "")
                    + " as well, on the same weights; `cambium forget \(cohort)` forgets all of them"
            )
        }
        return cohort
    }

    /// Refuses to take out what a commit changed that is no round of the cohort: its work would be lost.
    private func checkEdits(
        _ cohort: String, _ tree: Tree, _ made: [HistoryEntry], _ reader: inout CohortReader
    ) throws {
        let now = CohortContent(
            tensors: CohortReader.tensors(tree.trunk)[cohort] ?? [:],
            pools: tree.layers.compactMapValues { $0.cohorts[cohort] })
        var edits: [HistoryEntry] = []
        for entry in made
        where try reader.cohorts(ofTree: entry.commit.tree)[cohort] == now {
            var isFirst = true
            for parent in entry.commit.parents {
                let tree = try commit(parent).tree
                if try reader.cohorts(ofTree: tree)[cohort] != nil { isFirst = false }
            }
            // Rounds, imports and merges are where a cohort comes from.
            if entry.commit.metadata["train.cohort"] == cohort || isFirst
                || entry.commit.parents.count > 1
            {
                return
            }
            edits.append(entry)
        }
        guard let edit = edits.first else { return }
        throw CambiumError(
            .dependedOn,
            "cohort '\(cohort)' was edited by \(edits.map(\.words).joined(separator: ", ")), which "
                + "would be lost; revert that first: cambium revert \(edit.id.short)")
    }

    /// The branches, tags and entries of the reflog that lead to something of a cohort.
    private func holders(
        of cohort: String, _ reader: inout CohortReader
    ) throws -> (holders: [ForgottenCohort.Holder], reflogEntries: Int) {
        let references = try references()
        let reflog = try reflog()
        var tips = Set(references.branches.values).union(references.tags.values)
        for id in reflog.flatMap({ [$0.old, $0.new] }).compactMap({ $0 })
        where (try? commit(id)) != nil {
            tips.insert(id)
        }
        let roots = Array(tips)
        let entries = try history(from: roots)
        var has: Set<ObjectID> = []
        var leads: Set<ObjectID> = []
        for entry in entries.reversed() {
            if try reader.has(cohort, inTree: entry.commit.tree) { has.insert(entry.id) }
            if has.contains(entry.id) || entry.commit.parents.contains(where: leads.contains) {
                leads.insert(entry.id)
            }
        }
        var holders: [ForgottenCohort.Holder] = []
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
