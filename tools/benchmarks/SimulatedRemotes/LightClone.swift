internal import Elements
package import Objects
package import Remotes
internal import Snapshots

/// Reads a branch as a clone does, and checks all of it; what it reads it does not keep.
package struct LightClone {
    /// The commit of the branch, and all that lead to it.
    package let tip: ObjectID
    package let commits: Set<ObjectID>

    /// - Returns: Nil when there is no such branch.
    /// - Throws: `corrupt` when something is missing or is not what its name says.
    package static func read(_ branch: String, of remote: Remote) throws -> LightClone? {
        guard let entry = try remote.tip(.branch, branch)?.entry, let tip = entry.commit else {
            return nil
        }
        var records: [ObjectID: CommitBundle.Record] = [:]
        var packs: [CommitBundle.PackName] = []
        try orderedWork(entry.bundles.count, width: remote.width) {
            try remote.bundle(entry.bundles[$0].id)
        } _: { _, bundle in
            for record in bundle.records { records[try record.id()] = record }
            for pack in bundle.packs where !packs.contains(pack) { packs.append(pack) }
        }
        func bytes(_ id: ObjectID, _ kind: ObjectKind) throws -> [UInt8] {
            guard let record = records[id], record.kind == kind else {
                throw CambiumError(.corrupt, "no record of \(kind) \(id.short) in the bundles")
            }
            return record.bytes
        }
        var commits: Set<ObjectID> = [tip]
        var stack = [tip]
        var files: Set<ObjectID> = []
        while let id = stack.popLast() {
            let commit = try Commit(decoding: try bytes(id, .commit))
            let tree = try TreeRecord(decoding: try bytes(commit.tree, .tree))
            _ = try bytes(tree.trunk, .trunk)
            files.formUnion(tree.files.values)
            for parent in commit.parents where commits.insert(parent).inserted {
                stack.append(parent)
            }
        }
        var catalog = PackCatalog(remote)
        try catalog.read(packs) { _, _ in }
        guard let wanted = try catalog.records(of: files.sorted(), isStored: { _ in [] }) else {
            throw CambiumError(.corrupt, "objects are in no pack")
        }
        let reads = Download.reads(wanted)
        try orderedWork(reads.count, width: remote.jobs) {
            try Download.fetch(reads[$0], remote)
        } _: {
            _, found in
            for record in found {
                let pack = try Pack(number: 0, record: MappedBytes(copying: record))
                for index in 0..<pack.count {
                    try pack.stored(index).check()
                    files.remove(pack.id(index))
                }
            }
        }
        guard files.isEmpty else { throw CambiumError(.corrupt, "packs lack what they list") }
        return LightClone(tip: tip, commits: commits)
    }
}
