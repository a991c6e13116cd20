internal import Elements
internal import Evidence
internal import Objects
internal import Routing
internal import Snapshots

/// What history still leads to something that was forgotten.
public struct HistoryHolder: Sendable, Encodable, Equatable {
    /// A branch's or tag's name.
    public let name: String
    /// "branch" or "tag".
    public let kind: String
    /// Whether its own model has it, not only a commit before.
    public let inModel: Bool
}

/// What was forgotten.
public struct ForgetResult: Sendable, Encodable {
    /// The cohort.
    public let cohort: String
    /// The new commit's id.
    public let commit: String
    /// The model tree's id: that of a history that never had the cohort's rounds.
    public let tree: String
    /// The branch.
    public let branch: String
    /// Tensors of the trunk that went.
    public let tensors: Int
    /// Experts that went.
    public let experts: Int
    /// Bytes of both.
    public let bytes: Int
    /// Ids of the records of evidence that went.
    public let evidence: [String]
    /// Ids of the commits that had made the cohort what it was, newest first.
    public let rounds: [String]
    /// The branches and tags whose history still leads to it.
    public let holders: [HistoryHolder]
    /// Entries of the reflog that do.
    public let reflogEntries: Int
}

extension Store {
    /// Takes a cohort out of a branch's model, exactly: its deltas, its experts and its evidence.
    ///
    /// The new commit's model is, by its id, the one of a history that never had the cohort's rounds. What
    /// history still has of it stays until ``forgetFromHistory(_:at:branch:prune:_:progress:)``.
    ///
    /// - Parameters:
    ///   - name: A cohort's name, or the commit of its only round.
    ///   - options: The branch, and the message.
    /// - Throws: `not-found` without such a cohort; `depended-on`, which names what depends on it: edits of its
    ///   weights by other commits, or of a commit later rounds of the cohort. Then nothing is committed.
    @discardableResult
    public func forget(
        _ name: String, _ options: CommitOptions
    ) throws -> ForgetResult {
        let target = try CommitTarget(options, self)
        let (parent, before) = try target.model()
        var reader = CohortReader(self)
        let rounds = try reader.rounds(of: parent)
        let cohort = try cohort(name, before, parent, rounds, &reader, branch: target.branch)
        let made = rounds[cohort] ?? []
        try checkEdits(cohort, before, made, &reader)
        var removal = try CohortRemoval(cohort, self, tips: [parent])
        guard let removed = try removal.removed(from: before) else {
            throw CambiumError(
                .notFound, "branch '\(target.branch)' has nothing of cohort '\(cohort)'")
        }
        let kept = try EvidenceName.records(removed.tree).map { id in
            try record(id)
        }
        // Before anything is committed: a set that no gate can be solved from is refused.
        _ = try EvidenceGate(kept.counts)
        var draft = try CommitDraft(snapshots, tree: removed.tree)
        if let layout = removed.layout {
            draft.tree.layout = try draft.put(.layout, layout.encoded)
        }
        var options = options
        options.metadata["forget.cohort"] = cohort
        let outcome = try target.commit(draft, options)
        let (holders, entries) = try holders(of: cohort, &reader)
        return ForgetResult(
            cohort: cohort, commit: outcome.id.hex, tree: outcome.tree.hex, branch: target.branch,
            tensors: removed.content.tensors.count
                + removed.content.pools.values.reduce(0) { $0 + $1.router.count },
            experts: removed.content.experts, bytes: removed.content.bytes,
            evidence: removed.evidence.map(\.hex), rounds: made.map(\.id.hex), holders: holders,
            reflogEntries: entries)
    }

    /// The cohort that a name or the commit of a round means.
    private func cohort(
        _ name: String, _ tree: Tree, _ head: ObjectID, _ rounds: [String: [HistoryEntry]],
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
        guard let id = try? id(name) else {
            let known = names.sorted(by: isBefore).prefix(20).joined(separator: ", ")
            throw CambiumError(
                .notFound,
                "there is no cohort and no commit '\(name)' on '\(branch)'"
                    + (known.isEmpty ? ", which has no cohorts" : "; its cohorts are \(known)"))
        }
        let commit = try show(id.hex)
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
                let tree = try snapshots.commit(parent).tree
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
    ) throws -> ([HistoryHolder], reflogEntries: Int) {
        let references = try snapshots.references()
        let reflog = try snapshots.reflog()
        var tips = Set(references.branches.values).union(references.tags.values)
        for id in reflog.flatMap({ [$0.old, $0.new] }).compactMap({ $0 })
        where (try? snapshots.commit(id)) != nil {
            tips.insert(id)
        }
        let roots = Array(tips)
        let entries = try snapshots.history(from: roots)
        var has: Set<ObjectID> = []
        var leads: Set<ObjectID> = []
        for entry in entries.reversed() {
            if try reader.has(cohort, inTree: entry.commit.tree) { has.insert(entry.id) }
            if has.contains(entry.id) || entry.commit.parents.contains(where: leads.contains) {
                leads.insert(entry.id)
            }
        }
        var holders: [HistoryHolder] = []
        for (kind, table) in [("branch", references.branches), ("tag", references.tags)] {
            for (name, id) in table.sorted(by: { isBefore($0.key, $1.key) })
            where leads.contains(id) {
                holders.append(
                    HistoryHolder(name: name, kind: kind, inModel: has.contains(id)))
            }
        }
        let named = reflog.count { entry in
            [entry.old, entry.new].contains { $0.map(leads.contains) ?? false }
        }
        return (holders, named)
    }

    /// A record of evidence by its id.
    private func record(_ id: ObjectID) throws -> NamedContribution {
        let bytes = try snapshots.data(of: id).1
        return (
            id,
            try counted(.corrupt) {
                try EvidenceRecord(decoding: bytes)
            }
        )
    }
}

extension HistoryEntry {
    /// The commit in a few words: `3fa9c01b12cd "round 2"`.
    fileprivate var words: String {
        "\(id.short) \"\(commit.message.prefix { !$0.isNewline })\""
    }
}
