internal import Elements
internal import Objects
internal import Remotes
internal import Snapshots

/// The remote of a round: what its tasks share, and nothing else.
public struct RoundSource: Sendable {
    /// Its URL.
    public let url: String
    /// How it is reached.
    public let access: RemoteAccess
    private let remote: Remote
    /// What the remote is called in stores that are made for a round.
    private static let name = "origin"

    init(_ remote: Remote, _ access: RemoteAccess = RemoteAccess()) {
        self.remote = remote
        self.access = access
        url = remote.transport.url
    }

    /// A remote by its URL; nothing is asked of it yet.
    ///
    /// - Throws: `usage`, `denied` without credentials.
    public init(url: String, _ access: RemoteAccess = RemoteAccess()) throws {
        self.init(Remote(try RemoteAddress(url).open(access.options)), access)
    }

    /// Where the branches are.
    ///
    /// - Parameter names: Nil for all; those that are not there are left out.
    /// - Throws: `network`, `denied`, `remote`.
    public func heads(_ names: [String]? = nil) throws -> RoundHeads {
        try remote.checkFormat()
        return RoundHeads(
            url: url,
            tips: Dictionary(
                try remote.tips(.branch, names).map { ($0.name, $0) }, uniquingKeysWith: { $1 }))
    }

    /// What the head of a branch tells of itself.
    func commit(_ tip: ReferenceTip) throws -> RoundHead {
        RoundHead(tip.entry.commit?.hex ?? "", try remote.commit(at: tip))
    }

    /// The outcome of a round that the remote has.
    ///
    /// - Parameter isAnyBase: Whether it may have started from another commit.
    /// - Throws: `exists` when the branch has something else.
    func finished(
        _ identity: RoundIdentity, at tip: ReferenceTip, isAnyBase: Bool
    ) throws -> RoundOutcome {
        let head = try commit(tip)
        var identity = identity
        if isAnyBase, let base = head.metadata[RoundIdentity.baseName] {
            identity = identity.from(base)
        }
        guard head.key == identity.key else {
            throw CambiumError(
                .exists,
                "branch '\(identity.branch)' on \(url) has something else than this round: "
                    + "\(head.commit.prefix(12)), \(quoted(head.message))"
                    + (head.metadata["round.command"].map { ", of the command \($0)" } ?? "")
                    + "; take another branch, or remove that one")
        }
        return RoundOutcome(head, identity, url, isNew: false)
    }

    /// Makes a store with a branch of the remote.
    ///
    /// - Parameter depth: Commits at most; nil for all.
    func clone(
        _ branch: String, depth: Int? = nil, to directory: String, _ progress: ProgressReporter
    ) throws -> Store {
        try Store.create(at: directory, branch: branch)
        let store = try Store(directory)
        try fetch(store, [branch], depth: depth, progress)
        try store.createBranch(branch, at: Self.revision(branch))
        return store
    }

    func fetch(
        _ store: Store, _ names: [String], depth: Int? = nil, _ progress: ProgressReporter
    ) throws {
        _ = try Fetch(
            store.snapshots, from: remote, named: Self.name,
            by: Signature.current.note("fetch: \(url)")
        ).run(branches: names, depth: depth, progress: progress)
    }

    /// How a push ended.
    enum PushEnd {
        case moved
        /// The remote had it.
        case unchanged
        /// The remote's branch is at something that the pushed one does not build on.
        case lost
    }

    /// Pushes a branch.
    func push(_ store: Store, _ branch: String, _ progress: ProgressReporter) throws -> PushEnd {
        let signature = Signature.current
        do {
            let report = try Push(
                store.snapshots, to: remote, named: Self.name, author: signature.author,
                time: signature.time
            ).run([PushedReference(.branch, branch, store.id(branch))], progress: progress)
            return report.updates.allSatisfy(\.isUnchanged) ? .unchanged : .moved
        } catch let error as CambiumError where error.code == .branchMoved {
            return .lost
        }
    }

    /// A branch of the remote as a store that fetched it names it.
    static func revision(_ branch: String) -> String { "\(name)/\(branch)" }
}

/// Where a remote's branches are.
public struct RoundHeads: Sendable {
    let url: String
    let tips: [String: ReferenceTip]

    /// The names of all branches.
    public var names: [String] { tips.keys.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) } }

    /// The commit that a branch is at; nil when there is no such branch.
    public func commit(of branch: String) -> String? { tips[branch]?.entry.commit?.hex }

    /// The commit that a base names, and the branch that has it.
    ///
    /// - Parameters:
    ///   - base: A branch, or a commit's whole id.
    ///   - branch: The branch that has that commit; nil for the one whose head it is.
    /// - Throws: `not-found`.
    public func base(_ base: String, in branch: String?) throws -> (commit: String, branch: String)
    {
        if let commit = commit(of: base) { return (commit, base) }
        guard let id = ObjectID(hex: base) else {
            throw CambiumError(
                .notFound,
                "\(url) has no branch '\(base)'; a base is a branch of the remote, or a commit's whole id"
            )
        }
        if let branch {
            guard tips[branch] != nil else {
                throw CambiumError(
                    .notFound, "\(url) has no branch '\(branch)' that could have the base")
            }
            return (id.hex, branch)
        }
        guard let found = names.first(where: { tips[$0]?.entry.commit == id }) else {
            throw CambiumError(
                .notFound,
                "no branch of \(url) is at \(id.hex.prefix(12)); name the one that has it with --base-branch"
            )
        }
        return (id.hex, found)
    }
}

/// The head of a remote's branch.
public struct RoundHead: Sendable {
    /// Its id.
    public let commit: String
    /// The model's tree.
    public let tree: String
    /// Of a merge, the merged commits among them.
    public let parents: [String]
    /// What it is.
    public let message: String
    /// Free text by key.
    public let metadata: [String: String]
    /// Numbers by name.
    public let metrics: [String: Double]

    /// What names the round that it ends; nil of other commits.
    public var key: String? { metadata[RoundIdentity.keyName] }

    init(_ id: String, _ commit: Commit) {
        self.commit = id
        tree = commit.tree.hex
        parents = commit.parents.map(\.hex)
        message = commit.message
        metadata = commit.metadata
        metrics = commit.metrics
    }
}

extension RoundSource {
    /// The heads of some branches, with what they tell; those that are not there are left out.
    ///
    /// - Throws: `network`, `denied`, `remote`, `corrupt`.
    public func describe(_ names: [String]) throws -> [String: RoundHead] {
        try heads(names).tips.mapValues { try commit($0) }
    }

    /// Whether a branch has some commits in its history.
    ///
    /// - Parameters:
    ///   - branch: The branch's name on the remote.
    ///   - commits: Their whole ids.
    ///   - base: One that all of them build on: behind it nobody looks.
    /// - Throws: `network`, `denied`, `remote`, `corrupt`.
    public func builds(_ branch: String, on commits: Set<String>, from base: String) throws -> Bool
    {
        guard let tip = try heads([branch]).tips[branch] else { return false }
        return try remote.descends(
            tip, from: Set(commits.compactMap { ObjectID(hex: $0) }),
            notBehind: ObjectID(hex: base))
    }
}
