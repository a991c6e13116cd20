internal import Elements
package import Objects

/// What a commit is to record, and where it is to go.
package struct CommitRequest: Sendable {
    package var note: CommitNote
    /// The branch, which is made from HEAD where it is missing; nil for the one that HEAD is on.
    package var branch: String?
    /// Where a branch that is missing begins; nil for HEAD.
    package var start: ObjectID?
    /// The commit that the branch must be at, or the commit fails with `branch-moved`.
    package var expectedParent: String?
    /// Whether a commit is made even when the model is the parent's.
    package var allowsUnchanged: Bool
    /// Whether a model is taken that does not run as the branch's history does.
    package var allowsUnfit: Bool
    /// Texts of which excerpts are kept with the model as evidence.
    package var excerpts: [ExcerptText] = []

    package init(
        _ note: CommitNote, branch: String? = nil, expectedParent: String? = nil,
        allowsUnchanged: Bool = false, allowsUnfit: Bool = false
    ) {
        self.note = note
        self.branch = branch
        self.expectedParent = expectedParent
        self.allowsUnchanged = allowsUnchanged
        self.allowsUnfit = allowsUnfit
    }
}

/// A text of which excerpts are kept.
package struct ExcerptText: Sendable {
    /// Which data it is, for people.
    package let label: String
    package let bytes: [UInt8]
    /// Bytes of all excerpts together, at most.
    package let limit: Int

    package init(label: String, bytes: [UInt8], limit: Int) {
        self.label = label
        self.bytes = bytes
        self.limit = limit
    }
}

/// Where a commit goes: its branch, the parent that it gets, and the parent's model.
package struct CommitTarget {
    package let branch: String
    package let parent: ObjectID?
    /// The branch does not exist yet and starts at the parent.
    package let isNewBranch: Bool
    /// The parent's tree.
    package let before: Tree?
    /// The parent's own parents.
    package let grandparents: [ObjectID]
    package let store: SnapshotStore

    /// - Throws: `branch-moved` when the branch is not at the commit that the request expects; `bad-name` for a
    ///   new branch; `usage` for an empty message.
    package init(_ request: CommitRequest, _ store: SnapshotStore) throws {
        try Commit.check(message: request.note.message)
        let references = try store.references()
        let branch = try references.branch(request.branch)
        let head = references.branches[branch]
        if head == nil {
            try references.checkUnshared(branch, .branch)
            // Now, not after hours of training.
            try ReferenceName.check(branch, "branch")
        }
        let parent =
            head ?? request.start ?? (request.branch == nil ? nil : references.headCommit)
        if let expected = request.expectedParent {
            let id = try store.resolve(expected)
            guard id == parent else {
                throw Self.moved(branch, exists: head != nil, parent, expected, id)
            }
        }
        self.store = store
        self.branch = branch
        self.parent = parent
        isNewBranch = head == nil && parent != nil
        let commit = try parent.map { id in try store.commit(id) }
        grandparents = commit?.parents ?? []
        before = try commit.map { commit in try store.tree(commit.tree) }
    }

    /// The parent and its tree.
    ///
    /// - Throws: `not-found` for a branch without a model.
    package func model() throws -> (parent: ObjectID, before: Tree) {
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
    package func commit(
        _ draft: consuming CommitDraft, _ request: CommitRequest
    ) throws -> CommitOutcome {
        try draft.commit(
            to: branch, parents: parent.map { [$0] } ?? [], startingBranch: isNewBranch,
            note: request.note, keepsUnchanged: request.allowsUnchanged)
    }
}
