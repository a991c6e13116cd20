internal import Objects
internal import Snapshots

/// One commit, as a user sees it.
public struct CommitInfo: Sendable, Encodable {
    /// The commit's id, 64 hexadecimal digits.
    public let id: String
    /// The model tree's id: equal for equal models.
    public let tree: String
    /// Ids of the parents; two or more for a merge.
    public let parents: [String]
    /// Seconds since 1970-01-01 00:00 UTC.
    public let time: Int64
    /// Who committed.
    public let author: String
    /// What the round was.
    public let message: String
    /// Free text by key.
    public let metadata: [String: String]
    /// Numbers by name.
    public let metrics: [String: Double]
    /// Branches and tags that point here.
    public let references: [String]
    /// What became known later, the oldest first.
    public let notes: [NoteInfo]
}

/// One branch or tag.
public struct ReferenceInfo: Sendable, Encodable {
    /// The name.
    public let name: String
    /// The commit's id.
    public let id: String
    /// The first line of the commit's message.
    public let subject: String
    /// Whether HEAD is on it.
    public let isHead: Bool
    /// When the commit was made, in seconds since 1970.
    public let time: Int64
    /// Who made it.
    public let author: String
    /// Commits that it has and HEAD has not; nil unless asked for.
    public let ahead: Int?
    /// Commits that HEAD has and it has not; nil unless asked for.
    public let behind: Int?
}

/// One move of a reference.
public struct ReflogInfo: Sendable, Encodable {
    /// "HEAD", "heads/NAME" or "tags/NAME".
    public let reference: String
    /// Where it was; nil when it was made.
    public let old: String?
    /// Where it went; nil when it was removed.
    public let new: String?
    /// Seconds since 1970.
    public let time: Int64
    /// Who moved it.
    public let author: String
    /// Why.
    public let message: String
}

extension Store {
    /// One commit.
    public func show(_ revision: String) throws -> CommitInfo {
        let id = try id(revision)
        return CommitInfo(
            id, try snapshots.commit(id), try snapshots.references().names,
            try snapshots.notes(of: id))
    }

    /// All branches, by name.
    ///
    /// - Parameter comparing: Whether to count the commits that each is ahead of HEAD, and behind it.
    /// - Complexity: One commit for each; the whole history with `comparing`.
    public func branches(comparing: Bool = false) throws -> [ReferenceInfo] {
        let references = try snapshots.references()
        return try infos(references.branches, references, comparing: comparing)
    }

    /// All tags, by name.
    public func tags() throws -> [ReferenceInfo] {
        let references = try snapshots.references()
        return try infos(references.tags, references)
    }

    func infos(
        _ table: [String: ObjectID], _ references: References, comparing: Bool = false
    ) throws -> [ReferenceInfo] {
        let head = comparing ? references.headCommit : nil
        return try table.sorted { isBefore($0.key, $1.key) }.map { name, id in
            let commit = try snapshots.commit(id)
            let divergence = try head.map { try snapshots.divergence(of: id, from: $0) }
            return ReferenceInfo(
                name: name, id: id.hex, subject: commit.subject,
                isHead: references.head == .branch(name), time: commit.time,
                author: commit.author, ahead: divergence?.ahead, behind: divergence?.behind)
        }
    }

    /// The branch that HEAD is on, or nil when it is detached; it may have no commits yet.
    public func currentBranch() throws -> String? {
        guard case .branch(let name) = try snapshots.references().head else { return nil }
        return name
    }

    /// Makes a branch at a revision.
    ///
    /// - Throws: `exists`, `bad-name`, `not-found`.
    public func createBranch(
        _ name: String, at revision: String = "HEAD", _ signature: Signature = .current
    ) throws {
        try snapshots.createReference(
            .branch, name, at: try id(revision),
            by: signature.note("branch: created from \(revision)"))
    }

    /// Makes a tag at a revision.
    ///
    /// Tags do not move.
    public func createTag(
        _ name: String, at revision: String = "HEAD", _ signature: Signature = .current
    ) throws {
        try snapshots.createReference(
            .tag, name, at: try id(revision), by: signature.note("tag: created from \(revision)"))
    }

    /// Gives a branch another name; its reflog goes with it.
    ///
    /// - Parameters:
    ///   - old: Nil for the branch that HEAD is on.
    ///   - new: Its new name, which must be free.
    ///   - signature: Who renames it, and when.
    /// - Returns: The old name.
    /// - Throws: `not-found`, `exists`, `bad-name`.
    @discardableResult
    public func renameBranch(
        _ old: String? = nil, to new: String, _ signature: Signature = .current
    ) throws -> String {
        let name = try snapshots.references().branch(old)
        try snapshots.renameBranch(
            name, to: new, by: signature.note("branch: renamed from \(name)"))
        return name
    }

    /// Removes a branch.
    ///
    /// Its commits stay until they are collected after the reflog's grace period.
    public func deleteBranch(_ name: String, _ signature: Signature = .current) throws {
        try deleteBranches([name], signature)
    }

    /// Removes a tag.
    public func deleteTag(_ name: String, _ signature: Signature = .current) throws {
        try deleteTags([name], signature)
    }

    /// Removes branches: all of them, or none when one of them cannot be removed.
    ///
    /// - Returns: The commits that they were at, in the order of the names.
    @discardableResult
    public func deleteBranches(
        _ names: [String], _ signature: Signature = .current
    ) throws -> [String] {
        try snapshots.removeReferences(.branch, names, by: signature.note("branch: deleted")).map(
            \.hex)
    }

    /// Removes tags: all of them, or none when one of them does not exist.
    ///
    /// - Returns: The commits that they named, in the order of the names.
    @discardableResult
    public func deleteTags(
        _ names: [String], _ signature: Signature = .current
    ) throws -> [String] {
        try snapshots.removeReferences(.tag, names, by: signature.note("tag: deleted")).map(\.hex)
    }

    /// Points HEAD at a branch; or, for any other revision, detaches it there.
    ///
    /// A branch that is missing, and that one remote was seen to have, is made where that has it.
    public func switchHead(to revision: String, _ signature: Signature = .current) throws {
        let references = try snapshots.references()
        let isKnown = (references.branches[revision] ?? references.tags[revision]) != nil
        let seen = references.remotes.filter { name, _ in
            name.drop { $0 != "/" }.dropFirst() == revision
        }
        if !isKnown, references.head != .branch(revision), seen.count == 1,
            let (name, commit) = seen.first
        {
            try snapshots.createReference(
                .branch, revision, at: commit, by: signature.note("branch: \(name)"))
        }
        try snapshots.setHead(to: revision, by: signature.note("switch: to \(revision)"))
    }

    /// Moves a branch (the one that HEAD is on, by default) to any commit.
    ///
    /// - Returns: Where it was and where it is.
    public func reset(
        to revision: String, branch: String? = nil, _ signature: Signature = .current
    ) throws -> (old: String, new: String) {
        let (old, new) = try snapshots.reset(
            branch, to: try id(revision), by: signature.note("reset: to \(revision)"))
        return (old.hex, new.hex)
    }

    /// The moves of a reference (HEAD by default), newest first.
    public func reflog(_ reference: String = "HEAD") throws -> [ReflogInfo] {
        try snapshots.reflog(named: reference).map {
            ReflogInfo(
                reference: $0.reference, old: $0.old?.hex, new: $0.new?.hex,
                time: $0.note.time, author: $0.note.author, message: $0.note.message)
        }
    }
}

extension CommitInfo {
    init(_ id: ObjectID, _ commit: Commit, _ names: [ObjectID: [String]], _ notes: [Note]) {
        self.init(
            id: id.hex, tree: commit.tree.hex, parents: commit.parents.map(\.hex),
            time: commit.time, author: commit.author, message: commit.message,
            metadata: commit.metadata, metrics: commit.metrics, references: names[id] ?? [],
            notes: notes.map { NoteInfo($0) })
    }
}
