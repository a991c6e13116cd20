internal import Checkpoints
internal import Objects
package import Snapshots
internal import Tensors

/// How a checkpoint is to be committed.
public struct CommitOptions: Sendable {
    /// What the round was, in words.
    public var message: String
    /// The branch; nil for the one that HEAD is on.
    ///
    /// A missing one is made, from HEAD.
    public var branch: String?
    /// The commit that the branch must be at, or the commit fails with `branch-moved`.
    public var expectedParent: String?
    /// Free text by key.
    public var metadata: [String: String] = [:]
    /// Numbers by name, for example `wikitext.bpb`.
    public var metrics: [String: Double] = [:]
    /// Whether a commit is made even when the model is the parent's.
    public var allowsUnchanged = false
    /// Whether a checkpoint is committed without any file of the branch's head or, of a single file, of its
    /// folder.
    public var isAlone = false
    /// Whether a model is taken that does not run as the branch's history does: one of another architecture, or
    /// one whose adapters were trained on another base.
    public var allowsUnfit = false
    /// Texts that the model knows, of which excerpts are kept with it as evidence.
    public var excerpts: [Excerpts] = []
    /// Who commits, and when.
    public var signature: Signature

    /// Options with a message; everything else has a default.
    public init(message: String, branch: String? = nil, signature: Signature = .current) {
        self.message = message
        self.branch = branch
        self.signature = signature
    }

    /// What the layers below take.
    package var request: CommitRequest {
        var request = CommitRequest(
            CommitNote(
                time: signature.time, author: signature.author, message: message,
                metadata: metadata, metrics: metrics),
            branch: branch, expectedParent: expectedParent, allowsUnchanged: allowsUnchanged,
            allowsUnfit: allowsUnfit)
        request.excerpts = excerpts.map {
            ExcerptText(label: $0.label, bytes: $0.text, limit: $0.limit)
        }
        return request
    }
}

/// What a commit stored.
public struct CommitResult: Sendable, Encodable {
    /// The commit's id; of the branch's head when nothing changed.
    public let id: String
    /// The model tree's id.
    public let tree: String
    /// The branch that was moved.
    public let branch: String
    /// The parents of that commit.
    public let parents: [String]
    /// True when the checkpoint equals the branch's head; then no commit was made.
    public let unchanged: Bool
    /// The architecture that was recognised, or "unknown".
    public let architecture: String
    /// Expert layers in the model.
    public let layers: Int
    /// Experts in the model; of a patch, those that were removed included.
    public let experts: Int
    /// Experts whose bytes the store did not have.
    public let newExperts: Int
    /// Whether the commit made the branch.
    public let startedBranch: Bool
    /// Objects that the store did not have.
    public let newObjects: Int
    /// Their bytes.
    public let newBytes: Int
    /// Bytes that the store took to keep them: few where little changed, since then what changed is kept.
    public let storedBytes: Int
    /// Objects that it had.
    public let reusedObjects: Int
    /// Their bytes.
    public let reusedBytes: Int
    /// Elements of new objects that are NaN.
    public let nanCount: Int
    /// Elements of new objects that are infinite.
    public let infiniteCount: Int
    /// Files of tensors whose header had been kept as it came and is canonical from this commit on, since their
    /// tensors are not those that came.
    public let canonical: [String]
    /// What experts were told apart by where the architecture did not tell, such as
    /// `model.layers.{n}.mlp.experts.{e}.*`; empty for one that did, and for a model without experts.
    public let patterns: [String]
    /// Sentences that the user should read.
    public let notes: [String]
}

extension CommitResult {
    init(_ model: CommittedModel) {
        let outcome = model.outcome
        self.init(
            id: outcome.id.hex, tree: outcome.tree.hex, branch: model.branch,
            parents: model.parents.map(\.hex), unchanged: outcome.unchanged,
            architecture: model.architecture, layers: model.layers, experts: model.experts,
            newExperts: model.newExperts, startedBranch: model.startedBranch,
            newObjects: outcome.newObjects, newBytes: outcome.newBytes,
            storedBytes: outcome.storedBytes,
            reusedObjects: outcome.reusedObjects, reusedBytes: outcome.reusedBytes,
            nanCount: model.nonFinite.nan, infiniteCount: model.nonFinite.infinite,
            canonical: model.canonical, patterns: model.patterns, notes: model.notes)
    }
}

extension Store {
    /// Commits a checkpoint: a safetensors file, or a folder with one or with shards and an index.
    ///
    /// The expert layout is recognised from config.json, else by the names and shapes of tensors; experts, router tables and trunk tensors
    /// that the store has are not stored again. A single file keeps the files of the branch's head, such as
    /// tokenizer.json, and both it and a folder keep what was recorded about the model; the result's notes say
    /// so (``CommitOptions/isAlone``).
    ///
    /// - Throws: `unfit` for a model that would not run as the branch's history does, unless the options allow
    ///   it; `branch-moved` when another writer was faster or `expectedParent` does not hold;
    ///   the codes of a bad checkpoint, such as `truncated` or `bad-header`. Then the store's
    ///   branches are as they were.
    @discardableResult
    public func commit(
        checkpoint path: String, _ options: CommitOptions,
        progress: ProgressReporter = { _ in }
    ) throws -> CommitResult {
        CommitResult(
            try snapshots.commit(
                checkpoint: path, options.request, keeping: options.isAlone ? .nothing : nil,
                progress: progress))
    }
}
