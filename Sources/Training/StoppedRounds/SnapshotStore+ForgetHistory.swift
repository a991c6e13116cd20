internal import Checkpoints
package import Elements
internal import Objects
package import Snapshots

extension SnapshotStore {
    /// Takes an adapter out of all history, with its stopped rounds; without `prune` only looks.
    ///
    /// - Parameter branch: Only this one; nil for all branches and tags.
    /// - Throws: As ``SnapshotStore/forget(_:in:dryRun:branch:by:observer:progress:removal:finish:)``; `usage` for
    ///   the base.
    package static func forgetFromHistory(
        _ adapter: String, in directory: String, branch: String?, prune: Bool,
        by note: ReflogNote, progress: ProgressReporter
    ) throws -> ForgetReport {
        guard adapter != ExpertPool.base else {
            throw CambiumError(
                .usage, "the base is what all adapters stand on, and cannot be forgotten")
        }
        // Reports what is wrong with the store before anything is locked.
        _ = try open(directory, readOnly: true).directory
        return try forget(
            adapter, in: directory, dryRun: !prune, branch: branch, by: note, progress: progress,
            removal: { store, tips in
                var removal = try AdapterRemoval(adapter, store, tips: tips)
                return { try removal.removed(from: $0).map { ($0.tree, $0.layout) } }
            },
            finish: { store, names in
                // What says which experts a text picks, of commits that are gone.
                try store.removeStaleProfiles()
                for round in try store.stoppedRounds()
                where round.fields["train.cohort"].map(names.contains) ?? false {
                    try round.remove()
                }
            })
    }
}
