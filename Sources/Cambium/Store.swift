internal import Files
internal import KeyValue
internal import Objects
package import Snapshots

/// An expert store: a versioned database of mixture-of-experts models in one directory.
///
/// ```swift
/// try Store.create(at: "S")
/// let store = try Store("S")
/// let round = try store.commit(checkpoint: "base", CommitOptions(message: "base"))
/// print(try store.export(round.id, to: "out").files)
/// ```
///
/// One store may be used by many threads and processes at once: readers are never blocked, writers
/// take turns. A store must lie on a local disk (LMDB does not work over NFS).
public final class Store: Sendable {
    package let snapshots: SnapshotStore
    /// The directory that was opened.
    public let path: String

    /// Opens an existing store.
    ///
    /// - Parameters:
    ///   - path: The store's directory.
    ///   - readOnly: Never writes and waits for no writer; works on a read-only disk, and for a user who may
    ///     not write the data. A store that is opened again to write becomes writable for both.
    /// - Throws: `not-a-store`, `format-too-old` (migrate it), `format-too-new`, `read-only`, `hard-linked`
    ///   when its file is shared with a copy of it and is to be written.
    public convenience init(_ path: String, readOnly: Bool = false) throws {
        let snapshots = try SnapshotStore.open(path, readOnly: readOnly)
        Self.attachRemotes(to: snapshots)
        self.init(snapshots, path)
    }

    package init(_ snapshots: SnapshotStore, _ path: String) {
        self.snapshots = snapshots
        self.path = path
    }

    /// Makes a new, empty store; the directory is created when it is missing.
    ///
    /// - Parameters:
    ///   - path: Its directory.
    ///   - branch: The branch that HEAD is on.
    /// - Throws: `exists` when there is a store already, `bad-name`.
    public static func create(at path: String, branch: String = "main") throws {
        try SnapshotStore.create(at: path, branch: branch)
    }

    /// Whether a directory holds a store, of whatever format.
    public static func exists(at path: String) -> Bool { fileExists(path + "/data.mdb") }

    /// Removes the files that this process is writing, and runs `body`, which ends the process.
    ///
    /// For a program that a signal ends: what is being exported or repacked leaves nothing behind.
    public static func abandonFiles(_ body: () -> Void) { TemporaryFiles.end(body) }

    /// Frees what this process wrote of commits that it did not finish; it commits nothing from then on.
    ///
    /// For a program that a signal ends. Takes at most the given time: what cannot be freed until then, because
    /// another process is writing, is freed by the next commit.
    public static func abandonCommits(seconds: Double = 5) { Stagings.abandon(seconds: seconds) }

    /// The commit that a revision names: a branch, a tag, `HEAD`, a hash prefix, each with `~N`,
    /// `^N` or `@{N}` as in git.
    ///
    /// - Throws: `not-found`, `ambiguous`, `bad-revision`.
    public func resolve(_ revision: String) throws -> String { try id(revision).hex }

    func id(_ revision: String) throws -> ObjectID { try snapshots.resolve(revision) }

    func tree(_ revision: String) throws -> Tree { try snapshots.tree(at: revision) }

    func map(_ revision: String) throws -> MappedSnapshot { try snapshots.map(at: revision) }
}

/// Who makes a change and when; recorded in commits and reflogs.
public struct Signature: Sendable {
    /// For example "Ada <ada@example.org>".
    public var author: String
    /// Seconds since 1970-01-01 00:00 UTC.
    public var time: Int64

    /// Names an author and a time.
    public init(author: String, time: Int64) {
        self.author = author
        self.time = time
    }

    /// The author of `CAMBIUM_AUTHOR`, else the user's name as USER, LOGNAME or the system has it, now; `SOURCE_DATE_EPOCH` overrides the
    /// time, so that histories can be reproduced.
    public static var current: Signature {
        Signature(author: currentAuthor(), time: fixedTime() ?? secondsSince1970())
    }

    func note(_ message: String) -> ReflogNote {
        ReflogNote(time: time, author: author, message: message)
    }
}
