internal import Checkpoints
internal import Routing
internal import Snapshots

/// A text of which excerpts are kept as evidence: windows spread over it, as they are.
public struct Excerpts: Sendable {
    /// The text.
    public var text: [UInt8]
    /// Which data it is, for people.
    public var label: String
    /// Bytes of all windows together, at most.
    public var limit: Int

    /// Excerpts of a text; some 40 windows of 256 bytes unless it is said otherwise.
    public init(_ text: [UInt8], label: String = "", limit: Int? = nil) {
        self.text = text
        self.label = label
        self.limit = limit ?? ExcerptContribution.standardBytes
    }
}

extension Store {
    /// Keeps excerpts of texts that a branch's model knows, and commits the records: merges by ``MergePolicy/solve``
    /// run the branch's model over them.
    ///
    /// The windows are part of the snapshot, word for word. A text has one record: one that the branch has stays as it is.
    ///
    /// - Parameters:
    ///   - excerpts: One record each.
    ///   - options: The branch, which must have a model, and the message.
    /// - Throws: `usage` for an empty text, a label or limit that cannot be; `not-found` for a branch without a
    ///   model; `branch-moved`. Then nothing is committed.
    @discardableResult
    public func addExcerpts(
        _ excerpts: [Excerpts], _ options: CommitOptions
    ) throws -> EvidenceResult {
        var options = options
        options.excerpts = excerpts
        return try EvidenceResult(snapshots.addExcerpts(options.request))
    }
}
