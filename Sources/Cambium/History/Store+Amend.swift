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
        if let message { try Commit.check(message: message) }
        let references = try snapshots.references()
        let name = try references.branch(branch)
        guard let head = references.branches[name] else {
            throw CambiumError(.notFound, "branch '\(name)' has no commit to amend")
        }
        if let expectedHead {
            let expected = try id(expectedHead)
            guard expected == head else {
                throw CambiumError(
                    .branchMoved,
                    "branch '\(name)' is at \(head.short), not at the expected \(expected.short); "
                        + "nothing was changed")
            }
        }
        let old = try snapshots.commit(head)
        let line = (message ?? old.message).prefix { !$0.isNewline }
        let new = try snapshots.amend(name, at: head, by: signature.note("amend: \(line)")) {
            commit in
            if let message { commit.message = message }
            commit.metadata.merge(metadata) { $1 }
            commit.metrics.merge(metrics) { $1 }
        }
        return AmendResult(
            branch: name, old: head.hex, id: new.hex, tree: old.tree.hex,
            message: message ?? old.message)
    }
}
