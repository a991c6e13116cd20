internal import Files
internal import Objects
internal import Remotes
internal import Snapshots

/// A store that was made of a remote.
public struct CloneResult: Sendable, Encodable {
    /// The store's directory.
    public let path: String
    /// The branch that HEAD is on; nil for a remote without branches.
    public let branch: String?
    /// The commit that it is at.
    public let head: String?
    /// What came.
    public let fetch: FetchResult
}

extension Store {
    /// Makes a store of a remote, which it knows as `origin`.
    ///
    /// A clone that ended early is gone on with by the same call: what came is kept, unless that was nothing.
    ///
    /// - Parameters:
    ///   - url: `file:///a/folder` or `s3://BUCKET/PREFIX`.
    ///   - directory: Must not exist, or be an empty folder, or an unfinished clone of the same URL.
    ///   - branch: The only branch that comes, and that HEAD is on; nil for all, HEAD being on `main` where there is one.
    ///   - depth: Commits of each branch at most; nil for all.
    ///   - lazy: Whether tensors and experts stay on the remote until they are read; so do those of later fetches.
    ///   - access: How the remote is reached.
    ///   - transfer: How much moves at a time.
    ///   - signature: Who does it, and when, for the reflog.
    ///   - progress: Told how many bytes moved.
    /// - Throws: `exists`, `usage`, `not-found`, `network`, `denied`, `remote`, `corrupt`.
    @discardableResult
    public static func clone(
        _ url: String, to directory: String, branch: String? = nil, depth: Int? = nil,
        lazy: Bool = false, _ access: RemoteAccess = RemoteAccess(),
        transfer: TransferOptions = TransferOptions(),
        _ signature: Signature = .current, progress: ProgressReporter = { _ in }
    ) throws -> CloneResult {
        guard !directory.isEmpty else { throw CambiumError(.usage, "the store has no path") }
        guard depth.map({ $0 > 0 }) ?? true else {
            throw CambiumError(.usage, "a clone has a depth of at least 1")
        }
        let named = NamedRemote(
            name: RemoteList.origin, address: try RemoteAddress(url), options: access.options)
        let remote = try open(named, transfer)
        // Before anything is made: a URL that is wrong leaves nothing behind.
        try remote.checkFormat()
        let isUnfinished = try isUnfinishedClone(directory, of: named)
        if !isUnfinished {
            try create(at: directory, branch: branch ?? "main")
            var list = try RemoteList(directory)
            try list.add(named)
        }
        if lazy {
            var list = try RemoteList(directory)
            try list.setLazy(named.name)
        }
        let store = try Store(directory)
        let fetch = Fetch(
            store.snapshots, from: remote, named: named.name, by: signature.note("clone"))
        let report: FetchReport
        do {
            report = try fetch.run(
                branches: branch.map { [$0] }, depth: depth, lazy: lazy, progress: progress)
        } catch let error as CambiumError where error.code == .network {
            throw error.adding(
                "the clone in \(directory) is not finished; the same command goes on with it")
        }
        let result = FetchResult(named, report)
        guard let chosen = try branch ?? store.defaultBranch(of: named.name) else {
            return CloneResult(path: directory, branch: nil, head: nil, fetch: result)
        }
        let head = try store.id("\(named.name)/\(chosen)")
        try store.snapshots.createReference(
            .branch, chosen, at: head, by: signature.note("clone: \(named.address.url)"))
        try store.snapshots.setHead(.branch(chosen), by: signature.note("clone"))
        return CloneResult(path: directory, branch: chosen, head: head.hex, fetch: result)
    }

    /// The branch of a remote that HEAD goes to where none was named; nil where none came.
    private func defaultBranch(of remote: String) throws -> String? {
        let prefix = remote + "/"
        let names = try snapshots.references().remotes.keys.filter { $0.hasPrefix(prefix) }
            .map { String($0.dropFirst(prefix.count)) }.sorted(by: isBefore)
        return ["main", "master"].first { names.contains($0) } ?? names.first
    }

    /// Whether a directory is a store that a clone of the remote left without branches.
    private static func isUnfinishedClone(
        _ directory: String, of remote: NamedRemote
    ) throws -> Bool {
        guard exists(at: directory) else { return false }
        let known = try? RemoteList(directory).remote(named: remote.name)
        let store = try Store(directory)
        guard known?.address == remote.address,
            try store.snapshots.references().branches.isEmpty
        else {
            throw CambiumError(
                .exists,
                "\(directory) is a store already; `cambium -C \(directory) fetch` brings what is new, or "
                    + "take another folder")
        }
        return true
    }
}
