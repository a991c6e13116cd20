internal import Elements
internal import KeyValue
package import Objects

extension SnapshotStore {
    /// Merges commits into a branch: three-way per entity against the merge bases, for any number of
    /// sides at once.
    ///
    /// The merged tree is a function of the trees' content: the order of `others` does not matter,
    /// unless an order-dependent policy (`ours`, `theirs`) settles a conflict.
    ///
    /// - Parameters:
    ///   - policy: Its sides are the target and then ``mergeSides(_:_:)``.
    ///   - decisions: Asked before the policy.
    ///   - note: The merge commit's note; the policy and the sides are added to its metadata.
    ///   - form: Settles the layout; without it a layout that sides changed differently is a conflict.
    ///   - dryRun: Decide and report, but move no branch.
    ///   - check: Refuses by throwing: a merged tree, or with true the one that a fast-forward leads to.
    ///   - sides: Gives trees that are merged in the place of the sides', by those of the bases and the sides, and the
    ///     form of the outcome; nil to merge them as they are.
    /// - Returns: With conflicts left, their list; then nothing was written.
    /// - Throws: `.unrelated` when two of the sides have no common ancestor.
    package func merge(
        _ others: [ObjectID], into branch: String, policy: (any ConflictPolicy)?,
        decisions: (any ConflictDecisions)? = nil, note: CommitNote,
        form: (any MergeForm)? = nil, dryRun: Bool = false,
        check: (Tree, _ isForward: Bool) throws -> Void = { _, _ in },
        sides rewritten: ((_ bases: [Tree], [Tree]) throws -> ([Tree], any MergeForm))? = nil
    ) throws -> MergeOutcome {
        guard let target = try references().branches[branch] else {
            throw CambiumError(.notFound, "there is no branch '\(branch)' to merge into")
        }
        let sides = try mergeSides(target, others)
        if sides.isEmpty {
            try decisions?.finish()
            return MergeOutcome(
                kind: .upToDate, tree: try commit(target).tree, commit: nil, conflicts: [],
                resolved: [], bases: [target], parents: [target], sides: [target])
        }
        if sides.count == 1, try isAncestor(target, of: sides[0]) {
            try decisions?.finish()
            try check(try tree(try commit(sides[0]).tree), true)
            return try fastForward(branch, target, sides[0], note, dryRun: dryRun)
        }
        let parents = [target] + sides
        let pairs = try pairBases(parents)
        let count = parents.count
        guard pairs.indices.allSatisfy({ $0 / count == $0 % count || !pairs[$0].isEmpty }) else {
            throw CambiumError(
                .unrelated,
                "the histories of \(parents.map(\.short).joined(separator: ", ")) share no commit; "
                    + "commit the model on a branch of the other history first")
        }
        let bases = Set(pairs.joined()).sorted()
        let ancestry = try MergeBases(sideCount: parents.count, pairs) {
            (id) throws in try tree(try commit(id).tree)
        }
        var trees: [Tree] = []
        for parent in parents { trees.append(try tree(try commit(parent).tree)) }
        var form = form
        if let rewritten { (trees, form) = try rewritten(ancestry.trees, trees) }
        var merge = try TreeMerge(
            self, bases: ancestry, sides: trees, policy: policy, decisions: decisions, form: form)
        try merge.run()
        try decisions?.finish()
        let conflicts = merge.conflicts
        let resolved = merge.resolved
        guard conflicts.isEmpty else {
            return MergeOutcome(
                kind: .conflicts, tree: nil, commit: nil, conflicts: conflicts,
                resolved: resolved, bases: bases, parents: parents, sides: parents)
        }
        let merged = try merge.stageTree()
        try check(merge.draft.tree, false)
        guard !dryRun else {
            return MergeOutcome(
                kind: .merged, tree: merged, commit: nil, conflicts: [], resolved: resolved,
                bases: bases, parents: parents, sides: parents)
        }
        var note = note
        note.action = "merge"
        note.metadata["merge.policy"] = policy?.name ?? "none"
        note.metadata["merge.resolved"] = "\(resolved.count)"
        note.metadata.merge(merge.formNotes) { first, _ in first }
        let outcome = try merge.commit(to: branch, parents: parents, note: note)
        return MergeOutcome(
            kind: .merged, tree: outcome.tree, commit: outcome.id, conflicts: [],
            resolved: resolved, bases: bases, parents: parents, sides: parents)
    }

    /// The commits that add something: not in the target's history, nor in another's.
    package func mergeSides(
        _ target: ObjectID, _ others: [ObjectID]
    ) throws -> [ObjectID] {
        var result: [ObjectID] = []
        for other in others where !result.contains(other) {
            if try !isAncestor(other, of: target) { result.append(other) }
        }
        var kept: [ObjectID] = []
        for candidate in result {
            var covered = false
            for other in result where other != candidate {
                if try isAncestor(candidate, of: other) { covered = true }
            }
            if !covered { kept.append(candidate) }
        }
        return kept
    }

    private func fastForward(
        _ branch: String, _ target: ObjectID, _ side: ObjectID, _ note: CommitNote, dryRun: Bool
    ) throws -> MergeOutcome {
        if !dryRun {
            try moveReference(
                .branch, branch, from: target, to: side,
                by: ReflogNote(
                    time: note.time, author: note.author, message: "merge: fast-forward"))
        }
        return MergeOutcome(
            kind: .fastForward, tree: try commit(side).tree, commit: dryRun ? nil : side,
            conflicts: [], resolved: [], bases: [target], parents: [target],
            sides: [target, side])
    }

    /// The merge bases of each pair of commits (i, j), at i · count + j.
    func pairBases(_ commits: [ObjectID]) throws -> [[ObjectID]] {
        let count = commits.count
        var pairs = [[ObjectID]](repeating: [], count: count * count)
        for left in 0..<count {
            for right in 0..<left {
                let bases = try mergeBases(commits[left], commits[right])
                pairs[left * count + right] = bases
                pairs[right * count + left] = bases
            }
        }
        return pairs
    }
}
