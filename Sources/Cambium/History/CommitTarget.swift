internal import Elements
internal import Objects
internal import Snapshots

/// Where a commit goes: its branch, the parent that it gets, and the parent's model.
struct CommitTarget {
    let branch: String
    let parent: ObjectID?
    /// The branch does not exist yet and starts at the parent.
    let isNewBranch: Bool
    /// The parent's tree.
    let before: Tree?
    /// The parent's own parents.
    let grandparents: [ObjectID]
    private let store: Store

    /// - Throws: `branch-moved` when the branch is not at the commit that the options expect; `bad-name` for a
    ///   new branch; `usage` for an empty message.
    init(_ options: CommitOptions, _ store: Store) throws {
        try Commit.check(message: options.message)
        let references = try store.snapshots.references()
        let branch = try references.branch(options.branch)
        let head = references.branches[branch]
        if head == nil {
            try references.checkUnshared(branch, .branch)
            // Now, not after hours of training.
            try ReferenceName.check(branch, "branch")
        }
        let parent = head ?? (options.branch == nil ? nil : references.headCommit)
        if let expected = options.expectedParent {
            let id = try store.id(expected)
            guard id == parent else {
                throw Self.moved(branch, exists: head != nil, parent, expected, id)
            }
        }
        self.store = store
        self.branch = branch
        self.parent = parent
        isNewBranch = head == nil && parent != nil
        let commit = try parent.map { id in try store.snapshots.commit(id) }
        grandparents = commit?.parents ?? []
        before = try commit.map { commit in
            try store.snapshots.tree(commit.tree)
        }
    }

    /// The parent and its tree.
    ///
    /// - Throws: `not-found` for a branch without a model.
    func model() throws -> (parent: ObjectID, before: Tree) {
        guard let parent, let before else {
            throw CambiumError(
                .notFound, "branch '\(branch)' has no model; commit a checkpoint first")
        }
        return (parent, before)
    }

    private static func moved(
        _ branch: String, exists: Bool, _ parent: ObjectID?, _ expected: String, _ id: ObjectID
    ) -> CambiumError {
        let place = parent?.short ?? "no commit"
        return CambiumError(
            .branchMoved,
            exists
                ? "branch '\(branch)' is at \(place), not at the expected \(id.short); nothing was "
                    + "changed"
                : "branch '\(branch)' does not exist and would start at HEAD (\(place)), not at the "
                    + "expected \(id.short); make it first: cambium branch \(branch) \(expected)")
    }

    /// Commits a draft here.
    ///
    /// - Parameter isFitted: Whether the layout lists the tensors of the tree already.
    func commit(
        _ draft: consuming CommitDraft, _ options: CommitOptions, isFitted: Bool = false
    ) throws -> CommitOutcome {
        var options = options
        if !isFitted, let before {
            let canonical = try draft.fitLayout(before, store)
            if !canonical.isEmpty {
                options.metadata[LayoutFit.canonicalKey] = canonical.joined(separator: "\n")
            }
        }
        let note = CommitNote(
            time: options.signature.time, author: options.signature.author,
            message: options.message, metadata: options.metadata, metrics: options.metrics,
            series: options.series)
        return try draft.commit(
            to: branch, parents: parent.map { [$0] } ?? [], startingBranch: isNewBranch,
            note: note, keepsUnchanged: options.allowsUnchanged)
    }
}

extension CommitTarget {
    /// Files whose headers are canonical from a commit on.
    fileprivate func canonicalFiles(_ outcome: CommitOutcome) -> [String] {
        guard !outcome.unchanged, let commit = try? store.snapshots.commit(outcome.id) else {
            return []
        }
        return LayoutFit.files(in: commit.metadata)
    }
}

/// What a commit's model holds, besides what the storage counted.
struct CommitContents {
    let architecture: String
    let layers: Int
    let experts: Int
    let newExperts: Int
    let nonFinite: (nan: Int, infinite: Int)
    let notes: [String]
}

extension CommitResult {
    init(
        _ outcome: CommitOutcome, _ target: CommitTarget, _ options: CommitOptions,
        _ contents: CommitContents
    ) {
        var notes = contents.notes
        if outcome.unchanged, !options.metrics.isEmpty || !options.metadata.isEmpty {
            let names = (Array(options.metrics.keys) + Array(options.metadata.keys))
                .sorted(by: isBefore)
            notes.append(
                "no commit was made, so \(names.joined(separator: ", ")) "
                    + "\(names.count == 1 ? "was" : "were") not kept: add numbers to the commit that "
                    + "is there with `cambium note \(target.branch) --metric NAME=NUMBER`, or make "
                    + "one of the same model with --allow-empty")
        }
        let canonical = target.canonicalFiles(outcome)
        if !canonical.isEmpty {
            notes.append(
                "\(canonical.joined(separator: ", ")): the tensors are not those that came, so an export "
                    + "writes the header in canonical form")
        }
        self.init(
            id: outcome.id.hex, tree: outcome.tree.hex, branch: target.branch,
            parents: (outcome.unchanged ? target.grandparents : outcome.parents).map(\.hex),
            unchanged: outcome.unchanged,
            architecture: contents.architecture, layers: contents.layers,
            experts: contents.experts, newExperts: contents.newExperts,
            startedBranch: target.isNewBranch || target.parent == nil,
            newObjects: outcome.newObjects, newBytes: outcome.newBytes,
            reusedObjects: outcome.reusedObjects, reusedBytes: outcome.reusedBytes,
            nanCount: contents.nonFinite.nan, infiniteCount: contents.nonFinite.infinite,
            canonical: canonical, notes: notes)
    }
}
