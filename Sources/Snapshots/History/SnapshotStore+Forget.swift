internal import Elements
internal import Files
internal import KeyValue
package import Objects

extension SnapshotStore {
    /// What ``forget(_:dryRun:branch:by:observer:progress:removal:)`` did.
    package struct ForgetReport: Sendable {
        package var rewrite: HistoryRewrite
        /// Objects that were removed.
        package var objects = 0
        package var bytesBefore = 0
        package var bytesAfter = 0
    }

    /// Makes what a function of a tree.
    package typealias TreeRemoval =
        (Tree) throws -> (tree: Tree, layout: Layout?)?

    /// Takes something out of all history and out of the store's file: rewrites history, removes what nothing
    /// names any more, also where it shares packs with what stays, and writes the file anew, for free pages
    /// keep their bytes.
    ///
    /// - Parameters:
    ///   - branch: Only this one is rewritten; nil for all branches and tags.
    ///   - progress: Called with what is being done, how much of it and of how much.
    ///   - removal: Makes what takes it out of a tree, of the store and its branches' and tags' commits.
    /// - Throws: `.busy` when the store is open.
    package static func forget(
        _ directory: String, dryRun: Bool, branch: String?, by note: ReflogNote,
        observer: (@Sendable (String) -> Void)? = nil,
        progress: (String, Int, Int) throws -> Void = { _, _, _ in },
        removal: (SnapshotStore, [ObjectID]) throws -> TreeRemoval
    ) throws -> ForgetReport {
        try alone(directory, "forgetting") {
            func length() throws -> Int {
                return try fileLength(directory + "/data.mdb")
            }
            let before = try length()
            try progress("history", 0, 3)
            var report = try rewrite(directory, dryRun, branch, note, observer, removal)
            report.bytesBefore = before
            report.bytesAfter = before
            guard !dryRun, report.rewrite.blocking.isEmpty else { return report }
            // From here on history is new: what is left must be done.
            try? progress("objects", 1, 3)
            report.objects = try collectAll(directory, note.time, observer)
            try? progress("file", 2, 3)
            try replaceByCopy(directory, observer)
            report.bytesAfter = try length()
            try? progress("file", 3, 3)
            return report
        }
    }

    private static func rewrite(
        _ directory: String, _ dryRun: Bool, _ branch: String?, _ note: ReflogNote,
        _ observer: (@Sendable (String) -> Void)?,
        _ removal: (SnapshotStore, [ObjectID]) throws -> TreeRemoval
    ) throws -> ForgetReport {
        let store = try openAlone(directory, observer)
        let references = try store.references()
        if let branch, references.branches[branch] == nil {
            throw CambiumError(.notFound, "there is no branch '\(branch)'")
        }
        let tips = Set(references.branches.values).union(references.tags.values).sorted()
        let strip = try removal(store, tips)
        return ForgetReport(
            rewrite: try store.rewriteHistory(
                where: { kind, name in branch == nil || (kind == .branch && name == branch) },
                dryRun: dryRun, by: note, strip: strip))
    }

    /// Removes everything that nothing names, in packs of whatever use.
    private static func collectAll(
        _ directory: String, _ now: Int64, _ observer: (@Sendable (String) -> Void)?
    ) throws -> Int {
        try openAlone(directory, observer).collect(
            prune: true, now: now, grace: .max, movesAll: true
        ).deadObjects
    }
}
