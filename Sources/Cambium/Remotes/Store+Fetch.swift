internal import Objects
internal import Remotes
internal import Snapshots

/// What a fetch brought.
public struct FetchResult: Sendable, Encodable {
    /// The remote's name.
    public let remote: String
    /// Where it is.
    public let url: String
    /// Branches and tags that moved.
    public let updates: [RemoteUpdate]
    /// Names of the remote that were left out: no store may have them, or a tag of the name is elsewhere here.
    public let refused: [String]
    /// What moved.
    public let transfer: TransferInfo
    /// Bytes of data that stayed on the remote, as they are stored there: they come when they are read.
    public let promised: Int

    init(_ named: NamedRemote, _ report: FetchReport) {
        remote = named.name
        url = named.address.url
        updates = report.updates.map {
            RemoteUpdate(
                kind: $0.kind == .tag ? "tag" : "branch", name: $0.name, old: $0.old?.hex,
                new: $0.new?.hex, isUnchanged: false)
        }
        refused = report.refused
        transfer = TransferInfo(commits: report.commits, objects: report.objects, report.counts)
        promised = report.promised
    }
}

/// What a pull did.
public struct PullResult: Sendable, Encodable {
    /// What came.
    public let fetch: FetchResult
    /// The local branch.
    public let branch: String
    /// How the remote's branch and the local one came together; nil where the local one was made.
    public let merge: MergeResult?
    /// The commit that the local branch is at now.
    public let head: String
}

/// How far a local branch is from what a remote's of its name was when it was last seen.
public struct RemoteDistance: Sendable, Encodable {
    /// `REMOTE/BRANCH`.
    public let name: String
    /// Commits that the local branch has and the remote's had not.
    public let ahead: Int
    /// Commits that the remote's had and the local one has not.
    public let behind: Int
}

extension Store {
    /// How far a branch is from those of remotes that have its name, as they were last seen; by name.
    ///
    /// - Complexity: Reads both histories where they are not at one commit.
    public func distances(ofBranch branch: String) throws -> [RemoteDistance] {
        let references = try snapshots.references()
        guard let commit = references.branches[branch] else { return [] }
        return try references.remotes.sorted { isBefore($0.key, $1.key) }
            .filter { $0.key.drop { $0 != "/" }.dropFirst() == branch }
            .map { name, other in
                let distance = try snapshots.divergence(of: commit, from: other)
                return RemoteDistance(
                    name: name, ahead: distance.ahead, behind: distance.behind)
            }
    }

    /// Brings branches of a remote, and with all of them its tags, with the commits and the data that the store lacks.
    ///
    /// A lazy clone leaves data where they are. Local branches stay where they are; the remote's are `REMOTE/BRANCH`. All that comes is checked against its name;
    /// what came before a fetch ended early is used by the next.
    ///
    /// - Parameters:
    ///   - name: Nil for `origin`, or the only remote.
    ///   - branches: Empty for all.
    ///   - depth: Commits of each branch at most, when not all; 0 brings what was left out before.
    ///   - transfer: How much moves at a time.
    ///   - signature: Who does it, and when, for the reflog.
    ///   - progress: Told how many bytes moved.
    /// - Throws: `not-found`, `network`, `denied`, `remote`, `corrupt`.
    @discardableResult
    public func fetch(
        from name: String? = nil, branches: [String] = [], depth: Int? = nil,
        transfer: TransferOptions = TransferOptions(), _ signature: Signature = .current,
        progress: ProgressReporter = { _ in }
    ) throws -> FetchResult {
        let list = try RemoteList(path)
        let named = try list.remote(orOnly: name)
        let fetch = Fetch(
            snapshots, from: try Self.open(named, transfer), named: named.name,
            by: signature.note("fetch"))
        let report = try fetch.run(
            branches: branches.isEmpty ? nil : branches, depth: depth,
            lazy: list.isLazy(named.name),
            progress: progress)
        return FetchResult(named, report)
    }

    /// Fetches a branch and merges it into the local one, which is made when it is missing.
    ///
    /// - Parameters:
    ///   - name: Nil for `origin`, or the only remote.
    ///   - branch: Of the remote, and the local one; nil for the one that HEAD is on.
    ///   - policy: How conflicts are settled; without one a merge with conflicts is told and not made.
    ///   - transfer: How much moves at a time.
    ///   - signature: Who does it, and when, for the reflog.
    ///   - progress: Told how many bytes moved.
    /// - Throws: As ``fetch(from:branches:depth:transfer:_:progress:)``; `unfit`.
    public func pull(
        from name: String? = nil, branch: String? = nil, policy: MergePolicy = .none,
        transfer: TransferOptions = TransferOptions(), _ signature: Signature = .current,
        progress: ProgressReporter = { _ in }
    ) throws -> PullResult {
        let local = try snapshots.references().branch(branch)
        let fetched = try fetch(
            from: name, branches: [local], transfer: transfer, signature, progress: progress)
        let theirs = "\(fetched.remote)/\(local)"
        guard try snapshots.references().branches[local] != nil else {
            let id = try id(theirs)
            try snapshots.createReference(
                .branch, local, at: id, by: signature.note("pull: \(theirs)"))
            return PullResult(fetch: fetched, branch: local, merge: nil, head: id.hex)
        }
        let merge = try merge([theirs], into: local, policy: policy, signature)
        return PullResult(
            fetch: fetched, branch: local, merge: merge, head: try id("heads/\(local)").hex)
    }
}
