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
    /// The commits that lead to the revisions (HEAD when none is given), newest first.
    ///
    /// - Parameters:
    ///   - revisions: Where to start.
    ///   - all: Start from every branch and tag.
    ///   - limit: At most this many.
    ///   - since: Leaves out commits before this time (seconds since 1970).
    public func log(
        _ revisions: [String] = [], all: Bool = false, limit: Int? = nil, since: Int64? = nil
    ) throws(StoreError) -> [CommitInfo] {
        let references = try carrying { () throws(SnapshotError) in try snapshots.references() }
        var tips: [ObjectID] = []
        for revision in revisions.isEmpty && !all ? ["HEAD"] : revisions {
            tips.append(try id(revision))
        }
        if all { tips += Array(references.branches.values) + Array(references.tags.values) }
        let start = tips
        let entries = try carrying { () throws(SnapshotError) in
            try snapshots.history(from: start, limit: limit, since: since)
        }
        let names = references.names
        return entries.map { CommitInfo($0.id, $0.commit, names) }
    }

    /// One commit.
    public func show(_ revision: String) throws(StoreError) -> CommitInfo {
        let id = try id(revision)
        return try carrying { () throws(SnapshotError) in
            CommitInfo(id, try snapshots.commit(id), try snapshots.references().names)
        }
    }

    /// All branches, by name.
    public func branches() throws(StoreError) -> [ReferenceInfo] {
        try carrying { () throws(SnapshotError) in
            let references = try snapshots.references()
            return try infos(references.branches, references)
        }
    }

    /// All tags, by name.
    public func tags() throws(StoreError) -> [ReferenceInfo] {
        try carrying { () throws(SnapshotError) in
            let references = try snapshots.references()
            return try infos(references.tags, references)
        }
    }

    private func infos(
        _ table: [String: ObjectID], _ references: References
    ) throws(SnapshotError) -> [ReferenceInfo] {
        var result: [ReferenceInfo] = []
        for (name, id) in table.sorted(by: { isBefore($0.key, $1.key) }) {
            result.append(
                ReferenceInfo(
                    name: name, id: id.hex,
                    subject: String(try snapshots.commit(id).message.prefix { $0 != "\n" }),
                    isHead: references.head == .branch(name)))
        }
        return result
    }

    /// The branch that HEAD is on, or nil when it is detached; it may have no commits yet.
    public func currentBranch() throws(StoreError) -> String? {
        let head = try carrying { () throws(SnapshotError) in try snapshots.references().head }
        guard case .branch(let name) = head else { return nil }
        return name
    }

    /// Makes a branch at a revision.
    ///
    /// - Throws: `exists`, `bad-name`, `not-found`.
    public func createBranch(
        _ name: String, at revision: String = "HEAD", _ signature: Signature = .current
    ) throws(StoreError) {
        try create(.branch, name, revision, signature)
    }

    /// Makes a tag at a revision.
    ///
    /// Tags do not move.
    public func createTag(
        _ name: String, at revision: String = "HEAD", _ signature: Signature = .current
    ) throws(StoreError) {
        try create(.tag, name, revision, signature)
    }

    private func create(
        _ kind: ReferenceKind, _ name: String, _ revision: String, _ signature: Signature
    ) throws(StoreError) {
        let id = try id(revision)
        let references = try carrying { () throws(SnapshotError) in try snapshots.references() }
        try references.checkUnshared(name, kind)
        try carrying { () throws(SnapshotError) in
            try snapshots.createReference(
                kind, name, at: id, by: signature.note("\(kind.word): created from \(revision)"))
        }
    }

    /// Removes a branch.
    ///
    /// Its commits stay until they are collected after the reflog's grace period.
    public func deleteBranch(
        _ name: String, _ signature: Signature = .current
    ) throws(StoreError) {
        try delete(.branch, name, signature)
    }

    /// Removes a tag.
    public func deleteTag(_ name: String, _ signature: Signature = .current) throws(StoreError) {
        try delete(.tag, name, signature)
    }

    private func delete(
        _ kind: ReferenceKind, _ name: String, _ signature: Signature
    ) throws(StoreError) {
        try carrying { () throws(SnapshotError) in
            let references = try snapshots.references()
            let table = kind == .branch ? references.branches : references.tags
            guard let id = table[name] else {
                throw SnapshotError(.notFound, "there is no \(kind.word) '\(name)'")
            }
            try snapshots.moveReference(
                kind, name, from: id, to: nil, by: signature.note("\(kind.word): deleted"))
        }
    }

    /// Points HEAD at a branch; or, for any other revision, detaches it there.
    public func switchHead(
        to revision: String, _ signature: Signature = .current
    ) throws(StoreError) {
        let references = try carrying { () throws(SnapshotError) in try snapshots.references() }
        let head: Head =
            if references.branches[revision] != nil || references.head == .branch(revision) {
                .branch(revision)
            } else {
                .detached(try id(revision))
            }
        try carrying { () throws(SnapshotError) in
            try snapshots.setHead(head, by: signature.note("switch: to \(revision)"))
        }
    }

    /// Moves a branch (the one that HEAD is on, by default) to any commit.
    ///
    /// - Returns: Where it was and where it is.
    public func reset(
        to revision: String, branch: String? = nil, _ signature: Signature = .current
    ) throws(StoreError) -> (old: String, new: String) {
        let target = try id(revision)
        let references = try carrying { () throws(SnapshotError) in try snapshots.references() }
        let name = try branchName(branch, references)
        guard let old = references.branches[name] else {
            throw StoreError(.notFound, "there is no branch '\(name)' to reset")
        }
        try carrying { () throws(SnapshotError) in
            try snapshots.moveReference(
                .branch, name, from: old, to: target,
                by: signature.note("reset: to \(revision)"))
        }
        return (old.hex, target.hex)
    }

    /// The moves of a reference (HEAD by default), newest first.
    public func reflog(_ reference: String = "HEAD") throws(StoreError) -> [ReflogInfo] {
        try carrying { () throws(SnapshotError) in
            let references = try snapshots.references()
            let name =
                if reference == "HEAD" || reference.hasPrefix("heads/")
                    || reference.hasPrefix("tags/")
                {
                    reference
                } else if references.tags[reference] != nil,
                    references.branches[reference] == nil
                {
                    "tags/" + reference
                } else {
                    "heads/" + reference
                }
            let entries = try snapshots.reflog(of: name)
            guard !entries.isEmpty || reference == "HEAD" else {
                throw SnapshotError(.notFound, "there is no reflog of '\(reference)'")
            }
            return entries.map {
                ReflogInfo(
                    reference: $0.reference, old: $0.old?.hex, new: $0.new?.hex,
                    time: $0.note.time, author: $0.note.author, message: $0.note.message)
            }
        }
    }
}

extension References {
    /// A revision means the branch where a branch and a tag have one name, so that the tag could not
    /// be named.
    ///
    /// - Throws: `exists` when the other kind has the name.
    func checkUnshared(_ name: String, _ kind: ReferenceKind) throws(StoreError) {
        let other = kind == .branch ? ReferenceKind.tag : .branch
        guard (kind == .branch ? tags : branches)[name] != nil else { return }
        throw StoreError(
            .exists,
            "there is a \(other.word) '\(name)' already; give the \(kind.word) a name of its own")
    }

    /// Names by commit, branches first.
    var names: [ObjectID: [String]] {
        var names: [ObjectID: [String]] = [:]
        for (name, id) in branches.sorted(by: { isBefore($0.key, $1.key) }) {
            names[id, default: []].append(name)
        }
        for (name, id) in tags.sorted(by: { isBefore($0.key, $1.key) }) {
            names[id, default: []].append("tag: \(name)")
        }
        return names
    }
}

extension CommitInfo {
    init(_ id: ObjectID, _ commit: Commit, _ names: [ObjectID: [String]]) {
        self.init(
            id: id.hex, tree: commit.tree.hex, parents: commit.parents.map(\.hex),
            time: commit.time, author: commit.author, message: commit.message,
            metadata: commit.metadata, metrics: commit.metrics, references: names[id] ?? [])
    }
}
