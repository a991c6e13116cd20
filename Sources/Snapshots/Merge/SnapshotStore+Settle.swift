internal import Elements
internal import Objects

extension SnapshotStore {
    /// Merges models that are no commits of their own, over one base, and commits the outcome on the branch that they
    /// came from.
    ///
    /// - Parameter sides: Made of objects that the store has.
    /// - Returns: With conflicts left, their list; then nothing was written.
    package func settle(
        _ sides: [Tree], over base: Tree, on branch: String, policy: (any ConflictPolicy)?,
        note: CommitNote, form: any MergeForm, check: (Tree) throws -> Void
    ) throws -> MergeOutcome {
        guard let head = try references().branches[branch] else {
            throw CambiumError(.notFound, "there is no branch '\(branch)'")
        }
        var merge = try TreeMerge(
            self, bases: MergeBases(of: sides.count, over: base), sides: sides, policy: policy,
            form: form)
        try merge.run()
        let (conflicts, resolved) = (merge.conflicts, merge.resolved)
        let all = [ObjectID](repeating: head, count: sides.count)
        guard conflicts.isEmpty else {
            return MergeOutcome(
                kind: .conflicts, tree: nil, commit: nil, conflicts: conflicts,
                resolved: resolved, bases: [head], parents: [head], sides: all)
        }
        try check(merge.draft.tree)
        var note = note
        note.action = "resolve"
        note.metadata["merge.policy"] = policy?.name ?? "none"
        note.metadata["merge.resolved"] = "\(resolved.count)"
        note.metadata.merge(merge.formNotes) { first, _ in first }
        let outcome = try merge.commit(
            to: branch, parents: [head], note: note, keepsUnchanged: false)
        return MergeOutcome(
            kind: outcome.unchanged ? .upToDate : .merged, tree: outcome.tree,
            commit: outcome.unchanged ? nil : outcome.id, conflicts: [], resolved: resolved,
            bases: [head], parents: [head], sides: all)
    }
}
