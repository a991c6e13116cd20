internal import Files
internal import KeyValue
internal import Remotes
internal import Snapshots

extension Store {
    /// Makes a remote known, after finding out that it does what is needed.
    ///
    /// A server that ignores conditions would let two pushes overwrite each other, so it is refused, unless `access` says
    /// that nobody else writes there. An empty place becomes a remote.
    ///
    /// - Parameters:
    ///   - name: For example `origin`.
    ///   - url: `file:///a/folder`, on a local disk or one that is shared, or `s3://BUCKET/PREFIX`.
    ///   - access: How the remote is reached.
    /// - Throws: `exists`, `bad-name`, `usage` for a URL that is none; `network`, `denied`, `remote`.
    @discardableResult
    public func addRemote(
        _ name: String, url: String, _ access: RemoteAccess = RemoteAccess()
    ) throws -> RemoteInfo {
        let named = NamedRemote(
            name: name, address: try RemoteAddress(url), options: access.options)
        var list = try RemoteList(path)
        try list.check(named)
        let remote = try Self.open(named)
        try Probe(remote.transport, isSingleWriter: access.isSingleWriter).run()
        try remote.prepare()
        try list.add(named)
        Self.attachRemotes(to: snapshots)
        return RemoteInfo(named)
    }

    /// The remotes that the store knows, by name.
    public func remotes() throws -> [RemoteInfo] { try RemoteList(path).all().map(RemoteInfo.init) }

    /// Forgets a remote and where its branches were; the remote itself stays as it is.
    ///
    /// - Throws: `not-found`.
    public func removeRemote(_ name: String, _ signature: Signature = .current) throws {
        var list = try RemoteList(path)
        try list.remove(name)
        try snapshots.forgetRemote(name, by: signature.note("remote: removed \(name)"))
    }

    /// The branches of remotes as they were last seen, as `REMOTE/BRANCH`, by name.
    public func remoteBranches() throws -> [ReferenceInfo] {
        let references = try snapshots.references()
        return try infos(references.remotes, references)
    }

    /// Looks whether a remote still does what is needed, and whether all that its branches and tags name is there.
    ///
    /// - Parameters:
    ///   - name: Nil for `origin`, or the only one.
    ///   - readsAll: Whether all data are read and checked against their names, rather than listed.
    ///   - transfer: How much moves at a time.
    ///   - progress: Told how many bytes moved.
    /// - Throws: `network`, `denied`, `remote`; faults of what is there are in the result.
    public func checkRemote(
        _ name: String? = nil, readsAll: Bool = false,
        transfer: TransferOptions = TransferOptions(), progress: ProgressReporter = { _ in }
    ) throws -> RemoteCheck {
        let named = try RemoteList(path).remote(orOnly: name)
        let remote = try Self.open(named, transfer)
        try Probe(remote.transport, isSingleWriter: named.options.isSingleWriter).run()
        try remote.checkFormat()
        let report = try RemoteVerification(remote).run(readsAll: readsAll, progress: progress)
        return RemoteCheck(
            remote: named.name, url: named.address.url, branches: report.branches,
            tags: report.tags, commits: report.commits, packs: report.packs, bytes: report.bytes,
            readsAll: readsAll, faults: report.faults)
    }

    /// Finds, and with `prune` marks and later removes, what no branch or tag of a remote needs.
    ///
    /// - Parameters:
    ///   - name: Nil for `origin`, or the only one.
    ///   - prune: Whether anything is written: what is found is marked, and what was marked a grace period ago is removed.
    ///   - grace: Seconds, at least a day.
    ///   - transfer: How much moves at a time.
    ///   - progress: Told how many bytes moved.
    /// - Throws: `usage`, `busy`, `corrupt` when something is missing that is needed: then nothing is removed.
    public func collectRemote(
        _ name: String? = nil, prune: Bool = false, grace: Int64 = 14 * 24 * 3600,
        transfer: TransferOptions = TransferOptions(), progress: ProgressReporter = { _ in }
    ) throws -> RemoteCollectResult {
        let named = try RemoteList(path).remote(orOnly: name)
        let remote = try Self.open(named, transfer)
        try remote.checkFormat()
        let report = try RemoteCollection(remote, grace: grace).run(
            prune: prune, progress: progress)
        return RemoteCollectResult(named.name, prune, report)
    }

    /// Lets a store that knows remotes ask them for what a lazy clone left there.
    static func attachRemotes(to snapshots: SnapshotStore) {
        let directory = snapshots.directory
        // Settings that cannot be read are told by whoever needs them.
        guard let list = try? RemoteList(directory), let all = try? list.all(), !all.isEmpty else {
            return
        }
        func attach(_ cache: String?) throws {
            try LazyBulk.attach(to: snapshots, cache: cache) {
                let list = try RemoteList(directory)
                let all = try list.all().map { (remote: $0, isLazy: list.isLazy($0.name)) }
                return try (all.filter(\.isLazy) + all.filter { !$0.isLazy }).map {
                    try open($0.remote).transport
                }
            }
        }
        do {
            try attach(environmentVariable("CAMBIUM_REMOTE_CACHE") ?? list.cache)
        } catch {
            // As above.
            try? attach(nil)
        }
    }

    /// Opens a remote; nothing is asked of it yet.
    static func open(
        _ named: NamedRemote, _ transfer: TransferOptions = TransferOptions()
    ) throws -> Remote {
        guard (1...64).contains(transfer.jobs), transfer.rate.map({ $0 > 0 }) ?? true else {
            throw CambiumError(.usage, "give 1 to 64 jobs, and a rate above 0 bytes a second")
        }
        let transport = try named.address.open(
            named.options, traffic: Traffic(rate: transfer.rate))
        return Remote(transport, jobs: transfer.jobs)
    }
}

/// What was found of a remote.
public struct RemoteCheck: Sendable, Encodable {
    /// Its name.
    public let remote: String
    /// Where it is.
    public let url: String
    /// Branches that are there.
    public let branches: Int
    /// Tags that are there.
    public let tags: Int
    /// Commits in the bundles that branches and tags name.
    public let commits: Int
    /// Packs that they name.
    public let packs: Int
    /// Bytes of these packs.
    public let bytes: Int
    /// Whether all data were read and checked.
    public let readsAll: Bool
    /// What is missing or damaged; empty for a sound remote.
    public let faults: [String]
}

/// What a collection of a remote found and did.
public struct RemoteCollectResult: Sendable, Encodable {
    /// A number of keys, and their bytes.
    public struct Amount: Sendable, Encodable {
        /// Keys.
        public let keys: Int
        /// Their bytes.
        public let bytes: Int

        init(_ amount: RemoteCollectionReport.Amount) {
            keys = amount.keys
            bytes = amount.bytes
        }
    }

    /// The remote's name.
    public let remote: String
    /// Whether anything was to be written.
    public let pruned: Bool
    /// What is needed.
    public let live: Amount
    /// What nothing needs.
    public let garbage: Amount
    /// What nothing needs and is younger than a day: it may belong to a push that is under way.
    public let young: Amount
    /// What was marked now.
    public let marked: Amount
    /// What was marked before and removed now.
    public let removed: Amount
    /// When what is marked may be removed, in seconds since 1970 by the remote's clock.
    public let next: Int64?

    init(_ remote: String, _ pruned: Bool, _ report: RemoteCollectionReport) {
        self.remote = remote
        self.pruned = pruned
        live = Amount(report.live)
        garbage = Amount(report.garbage)
        young = Amount(report.young)
        marked = Amount(report.marked)
        removed = Amount(report.removed)
        next = report.next
    }
}
