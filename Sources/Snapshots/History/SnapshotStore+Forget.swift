package import Elements
internal import Files
internal import KeyValue
package import Objects

extension SnapshotStore {
    /// What ``forget(_:in:dryRun:branch:by:observer:progress:removal:)`` did.
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

    /// Takes an adapter out of all history and out of the store's file: rewrites history, removes what nothing
    /// names any more, also where it shares packs with what stays, and writes the file anew, for free pages
    /// keep their bytes.
    ///
    /// Each step is done wholly or not at all; the file `forgetting` says what calls that ended early were at, so
    /// that the same call goes on, and the next one that comes to its end clears up for all.
    ///
    /// - Parameters:
    ///   - name: The adapter's.
    ///   - branch: Only this one is rewritten; nil for all branches and tags.
    ///   - removal: Makes what takes it out of a tree, of the store and its branches' and tags' commits.
    ///   - finish: Removes what lies beside the store's file, of every adapter that was being taken out.
    /// - Throws: `.busy` when the store is open; `.dependedOn` when other branches or tags lead to it than the one
    ///   that was named; `.notFound` when nothing does.
    package static func forget(
        _ name: String, in directory: String, dryRun: Bool, branch: String?, by note: ReflogNote,
        observer: (@Sendable (String) -> Void)? = nil,
        progress: ProgressReporter = { _ in },
        removal: (SnapshotStore, [ObjectID]) throws -> TreeRemoval,
        finish: (SnapshotStore, _ names: [String]) throws -> Void
    ) throws -> ForgetReport {
        try alone(directory, "forgetting") {
            let file = directory + "/data.mdb"
            let mark = directory + "/forgetting"
            let unfinished = try unfinished(mark)
            let goesOn = unfinished.contains(name)
            let names = goesOn ? unfinished : unfinished + [name]
            let before = try fileLength(file)
            try progress(Progress("history", 0, 3))
            if !dryRun, !goesOn { try self.note(names, in: mark) }
            var report: ForgetReport
            do {
                report = try rewrite(directory, dryRun, branch, note, observer, removal)
            } catch {
                if !dryRun, !goesOn { try self.note(unfinished, in: mark) }
                throw error
            }
            report.bytesBefore = before
            report.bytesAfter = before
            let rewrite = report.rewrite
            guard rewrite.blocking.isEmpty, !rewrite.commits.isEmpty || goesOn else {
                if !dryRun, !goesOn { try self.note(unfinished, in: mark) }
                guard rewrite.blocking.isEmpty else {
                    throw CambiumError(
                        .dependedOn,
                        "\(rewrite.blocking.joined(separator: ", ")) still lead to adapter '\(name)'; "
                            + "leave --branch out to rewrite them all, or remove them first")
                }
                throw CambiumError(
                    .notFound,
                    "no branch, tag or entry of the reflog leads to an adapter '\(name)'"
                        + (unfinished.isEmpty
                            ? ""
                            : "; forgetting '\(unfinished[0])' was interrupted: give that once more")
                )
            }
            guard !dryRun else { return report }
            // From here on history is new: what is left must be done.
            try? progress(Progress("objects", 1, 3))
            report.objects = try collectAll(directory, note.time, observer)
            try? progress(Progress("file", 2, 3))
            try replaceByCopy(directory, observer)
            report.bytesAfter = try fileLength(file)
            try finish(try openAlone(directory, observer), names)
            try self.note([], in: mark)
            try? progress(Progress("file", 3, 3))
            return report
        }
    }

    /// The adapters that calls which ended early were taking out.
    private static func unfinished(_ mark: String) throws -> [String] {
        guard fileExists(mark) else { return [] }
        return String(decoding: try readStoreFile(mark), as: UTF8.self)
            .split(separator: "\n").map(String.init)
    }

    private static func note(_ names: [String], in mark: String) throws {
        if !names.isEmpty {
            try writeStoreFile(mark, Array(names.joined(separator: "\n").utf8))
        } else if fileExists(mark) {
            try removeFile(mark)
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
        let tips = references.tips.sorted()
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
