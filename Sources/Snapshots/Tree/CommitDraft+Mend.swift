internal import Files
internal import KeyValue
internal import Objects

/// What a commit does when it finds that a stored object is damaged, and has the intact bytes.
extension CommitDraft {
    /// Keeps snapshots from being opened while places change; nil when none will.
    static func gate(
        _ store: SnapshotStore, _ objects: ObjectStaging
    ) throws -> FileLock? {
        guard objects.replaces else { return nil }
        return try SnapshotStore.lock(
            store.directory, "opening.lock", .exclusive, wait: true)
    }

    /// Makes every array name the copies that are to be used.
    ///
    /// Arrays that somebody has mapped stay as they are: the next commit that has the bytes, or a
    /// reader that checks them, finds the newer copy by the index.
    static func replacePlaces(
        _ objects: ObjectStaging, _ store: SnapshotStore,
        _ transaction: borrowing WriteTransaction
    ) throws {
        guard objects.replaces else { return }
        let leases = try Set(store.leasedCommits(removingStale: false))
        let mapped = try mappedRecords(leases, transaction)
        try ArrayRecord.move(objects.replacements, keeping: mapped, transaction)
        transaction.environment.step("damaged objects replaced")
    }

    /// The array records of some commits, those that they build on included.
    private static func mappedRecords(
        _ commits: Set<ObjectID>, _ transaction: borrowing WriteTransaction
    ) throws -> Set<ObjectID> {
        let reader = try ObjectReader(transaction)
        var records: Set<ObjectID> = []
        var stored: [ObjectID] = []
        for id in commits {
            // A lease may be older than the collection that removed its commit.
            let place = try reader.location(of: id, transaction)
            if place != nil { stored.append(id) }
        }
        for tree in try trees(of: stored, reader, transaction) {
            for pool in tree.layers.values.flatMap(\.pools.values) {
                for record in try ArrayView(pool.experts, transaction).chain {
                    records.insert(record.root)
                }
            }
        }
        return records
    }
}
