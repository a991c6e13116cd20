internal import Checkpoints
internal import Objects
internal import Snapshots

extension Store {
    /// What turns one revision's weights into another's: for a reader that has the older ones in memory, or on disk.
    ///
    /// - Parameters:
    ///   - old: The revision to start from; any two commits will do.
    ///   - new: The revision to come to.
    /// - Throws: `not-found`, `ambiguous`, `bad-revision`; `unsupported` for experts that have no names in a checkpoint.
    /// - Complexity: Grows with what differs, not with the models.
    public func changes(from old: String, to new: String) throws -> Changes {
        let (left, right) = (try map(old), try map(new))
        return Changes(
            try SnapshotChanges(from: left, to: right, in: snapshots), from: left.id.hex,
            to: right.id.hex)
    }
}
