internal import Objects
internal import Remotes
internal import Snapshots

/// What a push did.
public struct PushResult: Sendable, Encodable {
    /// The remote's name.
    public let remote: String
    /// Where it is.
    public let url: String
    /// Whether nothing was to be sent.
    public let dryRun: Bool
    /// Branches and tags.
    public let updates: [RemoteUpdate]
    /// Bytes of packs that a dry run would send; 0 otherwise.
    public let planned: Int
    /// What moved.
    public let transfer: TransferInfo
}

extension Store {
    /// Sends branches and tags to a remote, with the commits and the data that it lacks.
    ///
    /// What is sent is written before the branches move, so a push that ends early leaves only what a collection of the
    /// remote removes.
    ///
    /// - Parameters:
    ///   - name: Nil for `origin`, or the only remote.
    ///   - branches: Empty for the one that HEAD is on.
    ///   - tags: Whether all tags are sent as well.
    ///   - delete: Whether the branches are removed from the remote instead.
    ///   - force: Whether a branch is moved also where that loses commits of others.
    ///   - dryRun: Find out, and send nothing.
    ///   - transfer: How much moves at a time.
    ///   - signature: Who does it, and when, for the reflog.
    ///   - progress: Told how many bytes moved.
    /// - Throws: `branch-moved` when the remote's branch has what this one has not; `exists` for a tag that is elsewhere;
    ///   `not-found`, `network`, `denied`, `remote`.
    @discardableResult
    public func push(
        to name: String? = nil, branches: [String] = [], tags: Bool = false, delete: Bool = false,
        force: Bool = false, dryRun: Bool = false, transfer: TransferOptions = TransferOptions(),
        _ signature: Signature = .current, progress: ProgressReporter = { _ in }
    ) throws -> PushResult {
        let named = try RemoteList(path).remote(orOnly: name)
        let references = try snapshots.references()
        var wanted: [PushedReference] = []
        let names = branches.isEmpty && !tags ? [try references.branch(nil)] : branches
        for (index, branch) in names.enumerated() where !names[..<index].contains(branch) {
            guard !delete else {
                wanted.append(PushedReference(.branch, branch, nil))
                continue
            }
            guard let commit = references.branches[branch] else {
                throw CambiumError(
                    .notFound,
                    "there is no branch '\(branch)' with a commit to push; `cambium branch` lists them"
                )
            }
            wanted.append(PushedReference(.branch, branch, commit))
        }
        if tags {
            wanted += references.tags.sorted { isBefore($0.key, $1.key) }
                .map { PushedReference(.tag, $0.key, $0.value) }
        }
        let push = Push(
            snapshots, to: try Self.open(named, transfer), named: named.name,
            author: signature.author, time: signature.time)
        let report = try push.run(wanted, force: force, dryRun: dryRun, progress: progress)
        if !dryRun {
            // Where the remote is behind, it is not where this branch is.
            let seen = report.updates.filter {
                $0.kind == .branch && (!$0.isUnchanged || $0.new != nil)
            }
            try snapshots.track(
                Dictionary(
                    uniqueKeysWithValues: seen.map { ("\(named.name)/\($0.name)", $0.new) }),
                by: signature.note("push"))
        }
        return PushResult(
            remote: named.name, url: named.address.url, dryRun: dryRun,
            updates: report.updates.map {
                RemoteUpdate(
                    kind: $0.kind.word, name: $0.name, old: $0.old?.hex, new: $0.new?.hex,
                    isUnchanged: $0.isUnchanged)
            }, planned: report.planned,
            transfer: TransferInfo(
                commits: report.commits, objects: report.objects, report.counts))
    }
}
