internal import Checkpoints
internal import Evidence
internal import Objects
internal import Snapshots

/// What history still leads to something that was forgotten.
public struct HistoryHolder: Sendable, Encodable, Equatable {
    /// A branch's or tag's name.
    public let name: String
    /// "branch" or "tag".
    public let kind: String
    /// Whether its own model has it, not only a commit before.
    public let inModel: Bool
}

/// What was forgotten.
public struct ForgetResult: Sendable, Encodable {
    /// The adapter.
    public let adapter: String
    /// The new commit's id.
    public let commit: String
    /// The model tree's id: that of a history that never had the adapter's rounds.
    public let tree: String
    /// The branch.
    public let branch: String
    /// Tensors of the trunk that went.
    public let tensors: Int
    /// Experts that went.
    public let experts: Int
    /// Bytes of both.
    public let bytes: Int
    /// Ids of the records of evidence that went.
    public let evidence: [String]
    /// Ids of the commits that had made the adapter what it was, newest first.
    public let rounds: [String]
    /// The branches and tags whose history still leads to it.
    public let holders: [HistoryHolder]
    /// Entries of the reflog that do.
    public let reflogEntries: Int
}

extension Store {
    /// Takes an adapter out of a branch's model, exactly: its deltas, its experts and its evidence.
    ///
    /// The new commit's model is, by its id, the one of a history that never had the adapter's rounds. What
    /// history still has of it stays until ``forgetFromHistory(_:at:branch:prune:_:progress:)``.
    ///
    /// - Parameters:
    ///   - name: An adapter's name, or the commit of its only round.
    ///   - options: The branch, and the message.
    /// - Throws: `not-found` without such an adapter; `depended-on`, which names what depends on it: edits of its
    ///   weights by other commits, or of a commit later rounds of the adapter. Then nothing is committed.
    @discardableResult
    public func forget(_ name: String, _ options: CommitOptions) throws -> ForgetResult {
        let forgotten = try snapshots.forget(name, options.request)
        let removed = forgotten.removed
        return ForgetResult(
            adapter: forgotten.adapter, commit: forgotten.outcome.id.hex,
            tree: forgotten.outcome.tree.hex, branch: forgotten.branch,
            tensors: removed.content.tensorCount, experts: removed.content.experts,
            bytes: removed.content.bytes,
            evidence: removed.evidence.map(\.hex), rounds: forgotten.rounds.map(\.id.hex),
            holders: forgotten.holders.map {
                HistoryHolder(name: $0.name, kind: $0.kind.word, inModel: $0.inModel)
            }, reflogEntries: forgotten.reflogEntries)
    }
}
