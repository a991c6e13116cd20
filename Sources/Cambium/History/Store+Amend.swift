internal import Objects
internal import Snapshots

/// What an amendment did.
public struct AmendResult: Sendable, Encodable {
    /// The branch.
    public let branch: String
    /// Its head before, which its reflog keeps.
    public let old: String
    /// Its head now; the same when nothing changed.
    public let id: String
    /// The model, which stays.
    public let tree: String
    /// The new message.
    public let message: String
}

extension Store {
    /// Gives a branch's last commit another message, or more metrics and metadata.
    ///
    /// The commit is replaced by one of the same model, parents, author and time; the old one stays in
    /// the reflog.
    ///
    /// - Parameters:
    ///   - branch: Nil for the one that HEAD is on.
    ///   - message: Nil to keep it.
    ///   - metadata: Added to what is there, or put in place of it.
    ///   - metrics: Added to what is there, or put in place of it.
    ///   - expectedHead: The commit that the branch must be at.
    ///   - signature: Who amends, and when; for the reflog.
    /// - Throws: `not-found` for a branch without commits; `branch-moved`; `usage` for an empty message.
    @discardableResult
    public func amend(
        branch: String? = nil, message: String? = nil, metadata: [String: String] = [:],
        metrics: [String: Double] = [:], expectedHead: String? = nil,
        _ signature: Signature = .current
    ) throws -> AmendResult {
        let (name, old, new, commit) = try snapshots.amend(
            branch, message: message, metadata: metadata, metrics: metrics,
            expectedHead: expectedHead, time: signature.time, author: signature.author)
        return AmendResult(
            branch: name, old: old.hex, id: new.hex, tree: commit.tree.hex,
            message: commit.message)
    }
}
