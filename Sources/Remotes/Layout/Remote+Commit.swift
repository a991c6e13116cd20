internal import Elements
package import Objects
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

    /// Whether the history of a branch or tag has some commits, as far as its own bundles tell.
    ///
    /// - Parameter base: Where nobody looks further.
    package func descends(
        _ tip: ReferenceTip, from commits: Set<ObjectID>, notBehind base: ObjectID?
    ) throws -> Bool {
        var missing = commits
        var seen: Set<ObjectID> = []
        var next = [tip.entry.commit].compactMap { $0 }[...]
        var known: [ObjectID: Commit] = [:]
        var bundles = tip.entry.bundles[...]
        while let id = next.popFirst() {
            guard id != base, seen.insert(id).inserted else { continue }
            missing.remove(id)
            if missing.isEmpty { return true }
            while known[id] == nil, let bundle = bundles.popLast() {
                for record in try self.bundle(bundle.id).records where record.kind == .commit {
                    known[try record.id()] = try Commit(decoding: record.bytes)
                }
            }
            next += known[id]?.parents ?? []
        }
        return false
    }
}
