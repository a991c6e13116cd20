internal import Elements
internal import KeyValue
package import Objects

/// Where the branches of remotes were when they were last seen.
extension SnapshotStore {
    /// Notes where branches of a remote are; nil forgets one.
    ///
    /// - Parameter places: By `REMOTE/BRANCH`.
    package func track(_ places: [String: ObjectID?], by note: ReflogNote) throws {
        let known = try references().remotes
        let changed = places.filter { known[$0.key] != $0.value }
        guard !changed.isEmpty else { return }
        try environment.write("reference") { transaction in
            for (name, commit) in sortedByKey(changed) {
                let old = try Self.reference(.remote, name, transaction)
                if old == commit { continue }
                try Self.setReference(.remote, name, commit, old: old, note, transaction)
            }
        }
    }

    /// Forgets all branches of a remote.
    package func forgetRemote(_ remote: String, by note: ReflogNote) throws {
        let names = try references().remotes.keys.filter { $0.hasPrefix(remote + "/") }
        try track(Dictionary(uniqueKeysWithValues: names.map { ($0, nil) }), by: note)
    }
}
