internal import KeyValue
internal import Migrations
internal import Objects
internal import Snapshots
internal import Training

/// What a collection found, and removed when it was told to prune.
public struct CollectResult: Sendable, Encodable {
    /// Whether anything was removed.
    public let pruned: Bool
    /// Objects that branches, tags, young reflog entries or leases need.
    public let liveObjects: Int
    /// Their bytes.
    public let liveBytes: Int
    /// Objects that nothing needs.
    public let deadObjects: Int
    /// Their bytes.
    public let deadBytes: Int
    /// Packs without a live object.
    public let deadPacks: Int
    /// Packs so sparse that their live objects move.
    public let sparsePacks: Int
    /// Packs kept only by a lease.
    public let leasedPacks: Int
    /// Snapshots that are mapped somewhere.
    public let leases: Int
    /// Reflog entries older than the grace period.
    public let expiredReflogEntries: Int
    /// Notes about commits that nothing needs.
    public let deadNotes: Int
    /// Free bytes inside the file before: later commits use them.
    public let freeBytesBefore: Int
    /// Free bytes inside the file after.
    public let freeBytesAfter: Int
}

/// What a verification found.
public struct VerifyResult: Sendable, Encodable {
    /// One thing that is wrong.
    public struct Fault: Sendable, Encodable {
        /// What is at fault.
        public let subject: String
        /// What is wrong with it.
        public let message: String
    }

    /// Whether objects were hashed, too.
    public let fast: Bool
    /// Objects that were checked; none of the promised ones.
    public let objects: Int
    /// Their bytes.
    public let bytes: Int
    /// Packs that were checked.
    public let packs: Int
    /// Objects whose data lie on a remote, and that were not read.
    public let promisedObjects: Int
    /// Their bytes.
    public let promisedBytes: Int
    /// What a remote that was to be read said instead, where the store has faults besides; nil otherwise.
    public let remoteFailure: String?
    /// Commits that were followed.
    public let commits: Int
    /// Expert arrays that were checked.
    public let arrays: Int
    /// Every fault; empty when the store is sound.
    public let faults: [Fault]
}

extension VerifyResult {
    init(_ fast: Bool, _ report: VerificationReport) {
        self.init(
            fast: fast, objects: report.objects - report.promisedObjects,
            bytes: report.bytes - report.promisedBytes, packs: report.packs,
            promisedObjects: report.promisedObjects, promisedBytes: report.promisedBytes,
            remoteFailure: report.remoteFailure?.message, commits: report.commits,
            arrays: report.arrays,
            faults: report.faults.map { Fault(subject: $0.subject, message: $0.message) })
    }
}

/// Sizes of a store.
public struct StoreStatistics: Sendable, Encodable {
    /// Length of the store's file.
    public let fileBytes: Int
    /// Bytes inside it that later commits may use.
    public let freeBytes: Int
    /// Objects that are stored.
    public let objects: Int
    /// Bytes of their data.
    public let objectBytes: Int
    /// Of the objects, those whose data lie on a remote.
    public let promisedObjects: Int
    /// Bytes of their data.
    public let promisedBytes: Int
    /// Experts among them.
    public let experts: Int
    /// Records that hold the objects.
    public let packs: Int
    /// Records of expert arrays.
    public let arrays: Int
    /// Commits on branches and tags.
    public let commits: Int
    /// Number of branches.
    public let branches: Int
    /// Number of tags.
    public let tags: Int
    /// Bytes that all commits' models would take as checkpoints of their own.
    public let logicalBytes: Int
    /// The format of the store's files.
    public let format: Int
}

/// What a store is at a glance; ``StoreStatistics`` has more, and counts longer.
public struct StoreOverview: Sendable, Encodable {
    /// Length of the store's file.
    public let fileBytes: Int
    /// Bytes inside it that later commits may use.
    public let freeBytes: Int
    /// Objects that the index names; a copy that a collection left behind counts as well.
    public let objects: Int
    /// Records that hold the objects.
    public let packs: Int
    /// Number of branches.
    public let branches: Int
    /// Number of tags.
    public let tags: Int
    /// Bytes that HEAD's model would take as a checkpoint; 0 without one.
    public let headBytes: Int
    /// The format of the store's files.
    public let format: Int
}

/// What a repack gave back.
public struct RepackResult: Sendable, Encodable {
    /// Length of the store's file before.
    public let bytesBefore: Int
    /// Length after.
    public let bytesAfter: Int
    /// Packs that were compressed; 0 unless asked for.
    public let packsCompressed: Int
    /// What they took before, in bytes.
    public let rawBytes: Int
    /// What they take now.
    public let compressedBytes: Int
}

/// What a migration did.
public struct MigrateResult: Sendable, Encodable {
    /// The format that the store had.
    public let from: Int
    /// The format that it has now; the same when there was nothing to do.
    public let to: Int
}

extension Store {
    /// Finds what no branch, tag, reflog entry within the grace period or lease needs; with
    /// `prune`, removes it.
    ///
    /// May be interrupted anywhere and run again.
    ///
    /// - Parameters:
    ///   - prune: Whether to remove, or only to report.
    ///   - grace: Seconds for which the reflog keeps commits; 14 days by default.
    ///   - now: Seconds since 1970.
    public func collect(
        prune: Bool = false, grace: Int64 = 14 * 86_400, now: Int64 = Signature.current.time
    ) throws -> CollectResult {
        let report = try snapshots.collect(prune: prune, now: now, grace: grace)
        if prune {
            try snapshots.removeStaleProfiles()
            try snapshots.removeStaleRoundFolders()
        }
        return CollectResult(
            pruned: report.pruned, liveObjects: report.liveObjects, liveBytes: report.liveBytes,
            deadObjects: report.deadObjects, deadBytes: report.deadBytes,
            deadPacks: report.deadPacks, sparsePacks: report.sparsePacks,
            leasedPacks: report.leasedPacks, leases: report.leases,
            expiredReflogEntries: report.expiredReflogEntries, deadNotes: report.deadNotes,
            freeBytesBefore: report.freeBefore, freeBytesAfter: report.freeAfter)
    }

    /// Checks every object against its name and every reference; reports all faults and changes
    /// nothing.
    ///
    /// - Parameters:
    ///   - fast: Structure and references only.
    ///   - fetch: Whether data that lie on a remote are read, too; otherwise they are counted.
    ///   - progress: Told how many packs are done.
    /// - Throws: With `fetch` also `network`, `denied`, `remote`, where the store has no faults.
    public func verify(
        fast: Bool = false, fetch: Bool = false, progress: ProgressReporter = { _ in }
    ) throws -> VerifyResult {
        let report = try snapshots.verify(fast: fast, fetch: fetch) {
            try progress(Progress("packs", $0, $1))
        }
        return VerifyResult(fast, report)
    }

    /// Checks a store as ``verify(fast:fetch:progress:)`` does, one too that is too damaged to be opened.
    ///
    /// - Throws: `not-a-store`, `format-too-old`, `format-too-new`, or what the system says.
    public static func verify(
        at path: String, fast: Bool = false, fetch: Bool = false,
        progress: ProgressReporter = { _ in }
    ) throws -> VerifyResult {
        if fetch {
            return try Store(path, readOnly: true).verify(
                fast: fast, fetch: true, progress: progress)
        }
        return VerifyResult(
            fast,
            try SnapshotStore.verify(at: path, fast: fast) {
                try progress(Progress("packs", $0, $1))
            })
    }

    /// What the store is at a glance.
    ///
    /// - Complexity: Grows with the number of branches and tags, not with the history.
    public func overview() throws -> StoreOverview {
        let sizes = try snapshots.sizes()
        let counts = try snapshots.quickCounts()
        let references = try snapshots.references()
        let head = try references.headCommit.map { try snapshots.commit($0).tree }
        return StoreOverview(
            fileBytes: sizes.file, freeBytes: sizes.free, objects: counts.objects,
            packs: counts.packs, branches: references.branches.count,
            tags: references.tags.count,
            headBytes: try snapshots.modelBytes(ofTrees: head.map { [$0] } ?? []),
            format: Int(try snapshots.storedFormat()))
    }

    /// Sizes and counts.
    ///
    /// - Complexity: Reads every commit, and of each pack of up to a megabyte two pages, not the objects.
    public func statistics() throws -> StoreStatistics {
        let sizes = try snapshots.sizes()
        let counts = try snapshots.counts()
        let references = try snapshots.references()
        let tips = Array(references.branches.values) + Array(references.tags.values)
        let history = try snapshots.history(from: tips)
        let logical = try snapshots.modelBytes(ofTrees: history.map(\.commit.tree))
        return StoreStatistics(
            fileBytes: sizes.file, freeBytes: sizes.free, objects: counts.objects,
            objectBytes: counts.bytes, promisedObjects: counts.promisedObjects,
            promisedBytes: counts.promisedBytes, experts: counts.experts, packs: counts.packs,
            arrays: counts.arrays, commits: history.count, branches: references.branches.count,
            tags: references.tags.count, logicalBytes: logical,
            format: Int(try snapshots.storedFormat()))
    }

    /// Rewrites the store's file without free pages, which returns them to the file system.
    ///
    /// - Parameters:
    ///   - path: The store's directory.
    ///   - compress: Whether to compress what only history needs. What the heads of branches and
    ///     tags need stays raw, to be mapped; ids and exports stay what they are.
    ///   - progress: Told how many packs were looked at.
    /// - Throws: `busy` when the store is open, here or elsewhere.
    public static func repack(
        _ path: String, compress: Bool = false, progress: ProgressReporter = { _ in }
    ) throws -> RepackResult {
        let report = try SnapshotStore.repack(
            path, compress: compress, progress: { try progress(Progress("packs", $0, $1)) })
        return RepackResult(
            bytesBefore: report.bytesBefore, bytesAfter: report.bytesAfter,
            packsCompressed: report.compression?.packs ?? 0,
            rawBytes: report.compression?.rawBytes ?? 0,
            compressedBytes: report.compression?.coldBytes ?? 0)
    }

    /// Brings a store of an older format to the current one, in place and in one transaction.
    ///
    /// - Throws: `busy` when the store is open, here or elsewhere; `format-too-new`, `not-a-store`.
    public static func migrate(_ path: String) throws -> MigrateResult {
        let outcome = try Migrations.migrate(directory: path)
        return MigrateResult(from: Int(outcome.from), to: Int(outcome.to))
    }
}
