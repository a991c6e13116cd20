internal import Elements
package import Objects
package import Snapshots
package import Tensors

/// What a commit made of its branch's model.
package struct CommittedModel: Sendable {
    package let outcome: CommitOutcome
    package let branch: String
    package let parents: [ObjectID]
    /// Whether the commit made the branch.
    package let startedBranch: Bool
    package let architecture: String
    /// Expert layers.
    package let layers: Int
    package let experts: Int
    /// Experts whose bytes the store did not have.
    package let newExperts: Int
    /// Of new objects.
    package let nonFinite: NonFiniteCount
    /// Files whose headers are canonical from this commit on.
    package let canonical: [String]
    /// What experts were told apart by where the architecture did not tell.
    package let patterns: [String]
    /// What a user should know.
    package let notes: [String]

    /// - Parameter layout: Of a checkpoint that was committed.
    package init(
        _ outcome: CommitOutcome, _ tree: Tree, _ target: CommitTarget, _ request: CommitRequest,
        newExperts: Int, nonFinite: NonFiniteCount, layout: CheckpointLayout? = nil, notes: [String]
    ) {
        self.outcome = outcome
        branch = target.branch
        parents = outcome.unchanged ? target.grandparents : outcome.parents
        startedBranch = target.isNewBranch || target.parent == nil
        architecture = tree.architecture
        layers = tree.layers.count
        experts =
            tree.layers.values.flatMap(\.pools.values)
            .reduce(0) { $0 + Int(clamping: $1.count) }
            - (layout?.pools.reduce(0) { $0 + $1.absent.count } ?? 0)
        self.newExperts = newExperts
        patterns = layout?.patterns ?? []
        self.nonFinite = nonFinite
        var canonical: [String] = []
        if !outcome.unchanged, let commit = try? target.store.commit(outcome.id) {
            canonical = LayoutFit.files(in: commit.metadata)
        }
        self.canonical = canonical
        self.notes = notes + Self.notes(outcome, canonical, target.branch, request.note)
    }

    private static func notes(
        _ outcome: CommitOutcome, _ canonical: [String], _ branch: String, _ note: CommitNote
    ) -> [String] {
        var notes: [String] = []
        // What a command says of itself nobody asked to keep.
        let words = note.metadata.keys.filter { $0 != RowTables.bitsKey }
        if outcome.unchanged, !note.metrics.isEmpty || !words.isEmpty {
            let names = (Array(note.metrics.keys) + words).sorted(by: isBefore)
            notes.append(
                "no commit was made, so \(names.joined(separator: ", ")) "
                    + "\(names.count == 1 ? "was" : "were") not kept: add numbers to the commit that "
                    + "is there with `cambium note \(branch) --metric NAME=NUMBER`, or make "
                    + "one of the same model with `cambium commit --allow-empty`")
        }
        if !canonical.isEmpty {
            notes.append(
                "\(canonical.joined(separator: ", ")): the tensors are not those that came, so an export "
                    + "writes the header in canonical form")
        }
        return notes
    }
}

extension CommitTarget {
    /// Commits a draft here, its layout fitted to its tensors.
    ///
    /// - Parameter layout: What holds the experts, where that changed; nil for what did before.
    /// - Throws: `unfit` for a model that would not run as the branch's did, unless the request takes it.
    package func commit(
        fitting draft: consuming CommitDraft, _ request: CommitRequest, layout: Layout? = nil,
        newExperts: Int = 0,
        nonFinite: NonFiniteCount = NonFiniteCount(nan: 0, infinite: 0), notes: [String] = []
    ) throws -> CommittedModel {
        var fitted = request
        if let before {
            if !request.allowsUnfit {
                try store.checkFit(draft.tree, after: before, "the model on branch '\(branch)'")
            }
            let canonical = try draft.fitLayout(before, store, holding: layout)
            if !canonical.isEmpty {
                fitted.note.metadata[LayoutFit.canonicalKey] = canonical.joined(separator: "\n")
            }
        }
        let tree = draft.tree
        return CommittedModel(
            try commit(draft, fitted), tree, self, request, newExperts: newExperts,
            nonFinite: nonFinite, notes: notes)
    }
}
