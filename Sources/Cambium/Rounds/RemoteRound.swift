internal import Elements
internal import Objects
internal import Snapshots

/// A round that is a task of its own: in a store that is made for it, from a remote and back to it.
///
/// `begin` says whether the remote has it already. If not, train in `store`, whose HEAD is on the branch, or leave a
/// checkpoint in a folder, and call `finish`.
public final class RemoteRound: Sendable {
    /// What a task finds when it begins.
    public enum Beginning: Sendable {
        /// The remote has the round already; nothing is to be done.
        case finished(RoundOutcome)
        /// The round is to be run.
        case ready(RemoteRound)
    }

    /// The store, whose HEAD is on the round's branch, which is at the base.
    public let store: Store
    /// What the round is.
    public let identity: RoundIdentity
    /// The time of the base's commit, which is that of the round's too: so the same round is the same commit, whenever
    /// it ran.
    public let time: Int64
    private let source: RoundSource
    /// Whether the base was given as a branch, which may have moved since another copy of the round began.
    private let isAnyBase: Bool

    private init(
        _ store: Store, _ identity: RoundIdentity, _ time: Int64, _ source: RoundSource,
        _ isAnyBase: Bool
    ) {
        self.store = store
        self.identity = identity
        self.time = time
        self.source = source
        self.isAnyBase = isAnyBase
    }

    /// Looks whether the remote has the round, and if not, clones its base.
    ///
    /// - Parameters:
    ///   - source: Where from and where to.
    ///   - base: A branch of the remote, or a commit's whole id. Of a branch, a round that is finished may have started
    ///     from any commit.
    ///   - baseBranch: The branch that has that commit; nil for `base`, or the one whose head it is.
    ///   - branch: The branch that the round ends on.
    ///   - command: What will be run.
    ///   - task: Which of many tasks it is.
    ///   - takesAnyBase: Whether a finished round may have started from any commit where the base is one, too.
    ///   - directory: The new store's; it must not exist, but for what the same round left when its machine stopped.
    ///     It is gone again when this throws.
    ///   - progress: Told what comes.
    /// - Throws: `not-found` for a base that the remote does not have; `exists` when the branch is there and has
    ///   something else than this round; `network`, `denied`, `remote`.
    public static func begin(
        _ source: RoundSource, base: String, baseBranch: String? = nil, branch: String,
        command: [String], task: RoundTask? = nil, takesAnyBase: Bool = false,
        in directory: String,
        progress: ProgressReporter = { _ in }
    ) throws -> Beginning {
        // Thousands of tasks may ask: each looks at its own branches only, where it knows them.
        let isNamed = baseBranch != nil || ObjectID(hex: base) == nil
        let heads = try source.heads(isNamed ? [baseBranch ?? base, branch] : nil)
        let start = try heads.base(base, in: baseBranch)
        let identity = try RoundIdentity(
            base: start.commit, branch: branch, command: command, task: task)
        guard start.branch != branch else {
            throw CambiumError(
                .usage, "branch '\(branch)' has the base; a round ends on a branch of its own")
        }
        // A name stands for the commit that it had when the round first ran.
        let isAnyBase = takesAnyBase || heads.tips[base] != nil
        if let tip = heads.tips[branch] {
            return .finished(try source.finished(identity, at: tip, isAnyBase: isAnyBase))
        }
        let isHead = heads.commit(of: start.branch) == start.commit
        let asked = try RoundIdentity(base: base, branch: branch, command: command, task: task)
        return try RoundFolder.make(directory, key: asked.key) {
            let store = try source.clone(
                start.branch, depth: isHead ? 1 : nil, to: directory, progress)
            try store.createBranch(branch, at: start.commit)
            try store.switchHead(to: branch)
            return .ready(
                RemoteRound(
                    store, identity, try store.show(start.commit).time, source, isAnyBase))
        }
    }

    /// Commits what the round left, if the branch is still at the base; tells what the round was in its last commit; and
    /// pushes the branch.
    ///
    /// - Parameters:
    ///   - output: A folder: a checkpoint, or one file `patch.safetensors` of what changed. It counts only when nothing
    ///     was committed.
    ///   - message: Of that commit.
    ///   - allowsUnchanged: Whether a round may leave nothing, and is a commit of the same model then.
    ///   - author: Who commits.
    ///   - progress: Told what is sent.
    /// - Throws: `usage` when the round left nothing and must not; the codes of a bad checkpoint; `exists` when the
    ///   branch was pushed meanwhile with something else; `network`, `denied`, `remote`. The store keeps what was
    ///   committed.
    public func finish(
        output: String, message: String? = nil, allowsUnchanged: Bool = false,
        author: String = Signature.current.author, progress: ProgressReporter = { _ in }
    ) throws -> RoundOutcome {
        let signature = Signature(author: author, time: time)
        let files = try RoundOutput(output)
        var options = CommitOptions(
            message: message ?? "round: \(identity.branch)", branch: identity.branch,
            signature: signature)
        options.expectedParent = identity.base
        options.metadata = identity.metadata
        if try store.resolve(identity.branch) != identity.base {
            try checkAncestry()
            try store.amend(
                branch: identity.branch, metadata: identity.metadata, signature)
        } else if files.hasPatch {
            options.allowsUnchanged = allowsUnchanged
            try store.commit(patchFile: files.patch, options, progress: progress)
        } else if !files.isEmpty {
            options.allowsUnchanged = allowsUnchanged
            try store.commit(checkpoint: output, options, progress: progress)
        } else if allowsUnchanged {
            options.allowsUnchanged = true
            try store.commit(options) { _ in }
        }
        let head = try store.resolve(identity.branch)
        guard head != identity.base else {
            throw CambiumError(
                .usage,
                "the command ended well, but left \(files.isEmpty ? "nothing" : "the base's model"): it must commit "
                    + "to branch '\(identity.branch)' of CAMBIUM_STORE, or leave a checkpoint in CAMBIUM_OUTPUT; "
                    + "nothing was pushed (--allow-empty takes a round that changes nothing)")
        }
        if try source.push(store, identity.branch, progress) == .moved {
            let info = try store.show(head)
            return RoundOutcome(
                url: source.url, branch: identity.branch, commit: head, tree: info.tree,
                base: identity.base, key: identity.key, isNew: true, metrics: info.metrics)
        }
        // Another copy of the round was faster, or something else has its branch.
        guard let there = try source.heads([identity.branch]).tips[identity.branch] else {
            throw CambiumError(
                .branchMoved,
                "branch '\(identity.branch)' on \(source.url) came and went; try again")
        }
        return try source.finished(identity, at: there, isAnyBase: isAnyBase)
    }

    private func checkAncestry() throws {
        let base = try store.id(identity.base)
        guard try store.snapshots.divergence(of: store.id(identity.branch), from: base).behind == 0
        else {
            throw CambiumError(
                .usage,
                "the command moved branch '\(identity.branch)' to a history without the base "
                    + "\(identity.base.prefix(12)); nothing was pushed")
        }
    }
}

/// What a round left on the remote.
public struct RoundOutcome: Sendable, Encodable {
    /// The remote.
    public let url: String
    /// The round's branch.
    public let branch: String
    /// Its head: the round's last commit.
    public let commit: String
    /// The model's tree.
    public let tree: String
    /// The commit that it started from.
    public let base: String
    /// What names the round.
    public let key: String
    /// Whether this run pushed it; false when the remote had it.
    public let isNew: Bool
    /// The commit's metrics, such as `train.loss`.
    public let metrics: [String: Double]
}

extension RoundOutcome {
    init(_ head: RoundHead, _ identity: RoundIdentity, _ url: String, isNew: Bool) {
        self.init(
            url: url, branch: identity.branch, commit: head.commit, tree: head.tree,
            base: identity.base, key: identity.key, isNew: isNew, metrics: head.metrics)
    }
}
