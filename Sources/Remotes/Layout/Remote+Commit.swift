internal import Elements
internal import Objects
package import Snapshots

extension Remote {
    /// The commit that a branch or tag is at, without its model.
    ///
    /// - Throws: `corrupt` when the bundles that should have it do not.
    package func commit(at tip: ReferenceTip) throws -> Commit {
        // The newest bundle has it, unless the branch was made at a commit that was there.
        for bundle in tip.entry.bundles.reversed() {
            for record in try self.bundle(bundle.id).records
            where record.kind == .commit {
                if try record.id() == tip.entry.commit { return try Commit(decoding: record.bytes) }
            }
        }
        throw CambiumError(
            .corrupt,
            "no bundle of \(transport.url) has the commit of \(tip.kind.word) '\(tip.name)'; push it again"
        )
    }
}
