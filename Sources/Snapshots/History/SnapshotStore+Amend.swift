internal import Elements
internal import Files
internal import KeyValue
package import Objects

extension SnapshotStore {
    /// Gives a branch's last commit another message, or more metrics and metadata.
    ///
    /// - Parameters:
    ///   - branch: Nil for the one that HEAD is on.
    ///   - message: Nil to keep it.
    ///   - expectedHead: The commit that the branch must be at; nil for any.
    ///   - time: For the reflog, as the author.
    /// - Returns: The branch, its head before and now, and the commit that it is now.
    /// - Throws: `.notFound` for a branch without commits; `.branchMoved`; `.usage` for an empty message.
    package func amend(
        _ branch: String?, message: String?, metadata: [String: String],
        metrics: [String: Double], expectedHead: String?, time: Int64, author: String
    ) throws -> (branch: String, old: ObjectID, new: ObjectID, commit: Commit) {
        if let message { try Commit.check(message: message) }
        let references = try references()
        let name = try references.branch(branch)
        guard let head = references.branches[name] else {
            throw CambiumError(.notFound, "branch '\(name)' has no commit to amend")
        }
        if let expectedHead {
            let expected = try resolve(expectedHead)
            guard expected == head else {
                throw CambiumError(
                    .branchMoved,
                    "branch '\(name)' is at \(head.short), not at the expected \(expected.short); "
                        + "nothing was changed")
            }
        }
        var commit = try commit(head)
        if let message { commit.message = message }
        commit.metadata.merge(metadata) { $1 }
        commit.metrics.merge(metrics) { $1 }
        let note = ReflogNote(time: time, author: author, message: "amend: \(commit.subject)")
        let new = try amend(name, at: head, by: note) { $0 = commit }
        return (name, head, new, commit)
    }

    /// Puts another commit of the same model and parents in place of a branch's head.
    ///
    /// The old one stays in the reflog; its notes are kept, and copied.
    ///
    /// - Parameters:
    ///   - head: Where the branch must be.
    ///   - note: Who amends; the commit keeps its own author and time.
    ///   - change: Makes the new commit of the old one; its tree and its parents must stay.
    /// - Returns: The new head; the old one when nothing changed.
    /// - Throws: `.branchMoved` when the branch is elsewhere; then nothing was changed.
    package func amend(
        _ branch: String, at head: ObjectID, by note: ReflogNote,
        _ change: (inout Commit) -> Void
    ) throws -> ObjectID {
        let lock = try maintenanceLock(.shared, wait: true)
        let old = try commit(head)
        var new = old
        change(&new)
        precondition(new.tree == old.tree && new.parents == old.parents, "another snapshot")
        let environment = environment
        let bytes = new.encoded
        var objects = try ObjectStaging(environment)
        let id = try objects.put(ObjectHeader(.commit, byteCount: bytes.count), bytes.raw)
        try objects.finish()
        try environment.write("amend") { transaction in
            let current = try Self.reference(.branch, branch, transaction)
            try CommitDraft.checkHead(current, head, branch)
            guard id != head else { return }
            try objects.flush(transaction)
            // It has the old one's parents, which may have been left out.
            if !new.absentParents.isEmpty { try Self.setShallow(id, true, transaction) }
            try Self.setReference(.branch, branch, id, old: head, note, transaction)
            // What was noted of the old commit is true of the new one.
            for note in try Self.notes(of: head, transaction) {
                var copy = note
                copy.commit = id
                try Self.put(copy, transaction)
            }
        }
        _ = lock
        return id
    }
}
