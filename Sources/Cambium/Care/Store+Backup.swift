internal import Migrations
internal import Snapshots

/// A backup that was made, or a store that was made of one.
public struct BackupResult: Sendable, Encodable {
    /// Its path.
    public let target: String
    /// `store` for a folder that can be opened, `file` for one file.
    public let kind: String
    /// Length of its data file.
    public let bytes: Int
    /// Commits that were checked in it.
    public let commits: Int
    /// Objects in it; each was checked against its name, but for the promised ones.
    public let objects: Int
    /// Of these, those whose data lie on a remote: the backup needs it, too.
    public let promisedObjects: Int
    /// Bytes of their data.
    public let promisedBytes: Int
}

extension BackupResult {
    fileprivate init(_ target: String, _ kind: String, _ report: BackupReport) {
        let verification = report.verification
        self.init(
            target: target, kind: kind, bytes: report.bytes, commits: verification.commits,
            objects: verification.objects, promisedObjects: verification.promisedObjects,
            promisedBytes: verification.promisedBytes)
    }
}

extension Store {
    /// Copies the store as it is now, while others read and write it, and checks the copy.
    ///
    /// The copy has no free space inside. Rounds of training that were stopped and usage profiles are not
    /// part of it.
    ///
    /// - Parameters:
    ///   - target: A name that ends with `.mdb` becomes one file, which ``restore(_:to:progress:)`` makes a
    ///     store of; any other a folder that can be opened as a store. It must not exist.
    ///   - progress: Told how many packs were checked.
    /// - Throws: `exists`; `corrupt` when the copy has a fault; `disk-full`. Then there is no target.
    @discardableResult
    public func backup(
        to target: String, progress: ProgressReporter = { _ in }
    ) throws -> BackupResult {
        guard !target.isEmpty else { throw CambiumError(.usage, "the backup has no name") }
        let asFile = target.hasSuffix(".mdb")
        let report = try snapshots.backup(to: target, asFile: asFile) {
            try progress(Progress("packs", $0, $1))
        }
        return BackupResult(target, asFile ? "file" : "store", report)
    }

    /// Makes a store of a backup that is one file, and checks it.
    ///
    /// - Parameters:
    ///   - file: The backup; one of an older format is migrated in the copy.
    ///   - directory: Must not exist, or be an empty folder.
    ///   - progress: Told how many packs were checked.
    /// - Throws: `exists`, `not-a-store`, `corrupt`. Then there is no store.
    @discardableResult
    public static func restore(
        _ file: String, to directory: String, progress: ProgressReporter = { _ in }
    ) throws -> BackupResult {
        guard !directory.isEmpty else { throw CambiumError(.usage, "the store has no path") }
        let report = try SnapshotStore.restore(
            file, to: directory, progress: { try progress(Progress("packs", $0, $1)) }
        ) { folder in _ = try Migrations.migrate(directory: folder) }
        return BackupResult(directory, "store", report)
    }
}
