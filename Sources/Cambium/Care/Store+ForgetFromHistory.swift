internal import Objects
internal import Snapshots
internal import Training

/// What was forgotten of a store's whole history, or would be.
public struct HistoryForgetResult: Sendable, Encodable {
    /// One branch or tag that got another history.
    public struct Reference: Sendable, Encodable, Equatable {
        /// Its name.
        public let name: String
        /// "branch" or "tag".
        public let kind: String
        /// The commit that it was at.
        public let old: String
        /// The commit that it is at.
        public let new: String
    }

    /// The adapter.
    public let adapter: String
    /// Whether it was done, or only looked at.
    public let pruned: Bool
    /// The branches and tags that got another history.
    public let references: [Reference]
    /// Commits that got another id.
    public let rewritten: Int
    /// Commits of which nothing was left.
    public let dropped: Int
    /// Entries of reflogs that went, since they named old commits.
    public let reflogEntries: Int
    /// Objects that were removed; 0 in a preview.
    public let objects: Int
    /// Length of the store's file before.
    public let bytesBefore: Int
    /// Length after; the same in a preview.
    public let bytesAfter: Int
}

extension Store {
    /// Takes an adapter out of all history, so that no byte of its weights and evidence is left in the store.
    ///
    /// Branches and tags get a history without the adapter's rounds: commits of which nothing is left are
    /// dropped, those that follow get other ids. Entries of reflogs that name old commits go. What nothing
    /// names any more is then removed, and the file is written anew without free pages; stopped rounds of the
    /// adapter are discarded. Each step is done
    /// wholly or not at all; after an interruption the same call goes on. Disks and backups may keep what
    /// was in the old file.
    ///
    /// - Parameters:
    ///   - adapter: Its name.
    ///   - path: The store's directory.
    ///   - branch: Only this one; nil for all branches and tags.
    ///   - prune: Whether to do it, or only to look.
    ///   - signature: Who does it; for the reflog.
    ///   - progress: Told what is being done.
    /// - Throws: `busy` when the store is open, here or elsewhere; `not-found` when nothing has the adapter;
    ///   `depended-on` when other branches or tags lead to it than the one that was named.
    public static func forgetFromHistory(
        _ adapter: String, at path: String, branch: String? = nil, prune: Bool = false,
        _ signature: Signature = .current, progress: ProgressReporter = { _ in }
    ) throws -> HistoryForgetResult {
        let report = try SnapshotStore.forgetFromHistory(
            adapter, in: path, branch: branch, prune: prune,
            by: signature.note("forget: history rewritten"), progress: progress)
        let rewrite = report.rewrite
        return HistoryForgetResult(
            adapter: adapter, pruned: prune,
            references: rewrite.moves.map {
                .init(name: $0.name, kind: $0.kind.word, old: $0.old.hex, new: $0.new.hex)
            }, rewritten: rewrite.commits.count - rewrite.dropped, dropped: rewrite.dropped,
            reflogEntries: rewrite.reflogEntries, objects: report.objects,
            bytesBefore: report.bytesBefore, bytesAfter: report.bytesAfter)
    }
}
