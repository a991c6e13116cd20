internal import Checkpoints
internal import Objects
internal import Snapshots
internal import Training

/// What recording squared gradients did.
public struct SquaredGradientsResult: Sendable, Encodable {
    /// Bytes that were predicted.
    public let tokens: Int
    /// Experts with a record.
    public let experts: Int
    /// Experts that the texts picked; the records of the others are zeros.
    public let picked: Int
    /// Tensors of the trunk and the routers with a record.
    public let tensors: Int
    /// The commit's id; of the branch's head when nothing changed.
    public let commit: String
    /// The branch.
    public let branch: String
    /// True when these very gradients were recorded already; then no commit was made.
    public let unchanged: Bool
}

extension Store {
    /// Records how much a branch's model minds changes of each of its weights on some texts, for merges by
    /// `fisher`, and commits it.
    ///
    /// The texts are run forward and backward in windows of the context length, in order. What is recorded
    /// is the mean over tokens of the squared gradient of -ln p, of all tensors and all experts of the model
    /// itself (not of adapters), in place of what was recorded of them before; records of objects that the
    /// model no longer has are removed.
    ///
    /// - Parameters:
    ///   - texts: Each of at least 2 bytes; what the branch should keep knowing.
    ///   - threads: Windows that run at the same time; the bits do not depend on it.
    ///   - options: The branch, which must have a peer-lm model, and the message.
    ///   - progress: Called with the windows done.
    /// - Throws: `usage` for texts that cannot be; `not-found` for a branch without a model; `unsupported`
    ///   for a model that cannot be trained or has more than 65,536 experts; `diverged`; `branch-moved`. Then
    ///   nothing is committed.
    /// - Complexity: A forward and a backward pass over the texts; 12 bytes of memory per weight, and of
    ///   disk 4.
    @discardableResult
    public func addSquaredGradients(
        _ texts: [[UInt8]], threads: Int = 1, _ options: CommitOptions,
        progress: ProgressReporter = { _ in }
    ) throws -> SquaredGradientsResult {
        let done = try snapshots.addSquaredGradients(
            texts, threads: threads, options.request, progress: progress)
        return SquaredGradientsResult(
            tokens: done.tokens, experts: done.experts, picked: done.picked, tensors: done.tensors,
            commit: done.model.outcome.id.hex, branch: done.model.branch,
            unchanged: done.model.outcome.unchanged)
    }
}
