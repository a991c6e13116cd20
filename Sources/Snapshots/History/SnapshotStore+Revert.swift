internal import Elements
internal import KeyValue
package import Objects

extension SnapshotStore {
    /// Undoes one commit on a branch: merges its parent into the branch's head with the commit
    /// itself as the base, so that what came later stays.
    ///
    /// - Parameter parent: Which parent to go back to, from 1; a merge commit has several.
    /// - Returns: With conflicts left (later commits changed the same things), their list; then
    ///   nothing was written.
    package func revert(
        _ id: ObjectID, parent number: Int, on branch: String, policy: (any ConflictPolicy)?,
        note: CommitNote, form: (any MergeForm)? = nil,
        check: (Tree) throws -> Void = { _ in }
    ) throws -> MergeOutcome {
        guard let head = try references().branches[branch] else {
            throw CambiumError(.notFound, "there is no branch '\(branch)'")
        }
        let commit = try commit(id)
        guard try isAncestor(id, of: head) else {
            throw CambiumError(
                .unrelated, "\(id.short) is not in the history of branch '\(branch)'")
        }
        guard number >= 1, number <= commit.parents.count else {
            throw CambiumError(
                .badRevision,
                "\(id.short) has \(commit.parents.count) parent(s); parent \(number) is none of them"
            )
        }
        let ends = [head, commit.parents[number - 1]]
        let before = try tree(try self.commit(ends[1]).tree)
        let sides = [try tree(try self.commit(head).tree), before]
        var merge = try TreeMerge(
            self, bases: MergeBases(of: 2, over: try tree(commit.tree)), sides: sides,
            policy: policy,
            form: form)
        try merge.run()
        let conflicts = merge.conflicts
        let resolved = merge.resolved
        guard conflicts.isEmpty else {
            return MergeOutcome(
                kind: .conflicts, tree: nil, commit: nil, conflicts: conflicts,
                resolved: resolved, bases: [id], parents: [head], sides: ends)
        }
        try check(merge.draft.tree)
        var note = note
        note.action = "revert"
        note.metadata["revert.commit"] = id.hex
        note.metadata.merge(merge.formNotes) { first, _ in first }
        let outcome = try merge.commit(
            to: branch, parents: [head], note: note, keepsUnchanged: false)
        return MergeOutcome(
            kind: outcome.unchanged ? .upToDate : .merged, tree: outcome.tree,
            commit: outcome.unchanged ? nil : outcome.id, conflicts: [], resolved: resolved,
            bases: [id], parents: [head], sides: ends)
    }
}
