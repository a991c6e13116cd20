internal import Elements
internal import KeyValue
internal import Objects

/// One reading of a store for a collection: what is live, and what each pack holds of it.
struct Sweep {
    /// Below this share of live bytes a pack is worth moving.
    private static let sparseShare = 0.5

    private(set) var report = CollectionReport()
    /// Packs without live objects and outside every lease.
    private(set) var dead: [UInt32] = []
    /// Packs to move, with their live objects.
    private(set) var sparse: [(pack: UInt32, live: Set<ObjectID>)] = []
    private var expired: [[UInt8]] = []
    private var deadArrays: [ObjectID] = []
    private let live: Set<ObjectID>
    /// Whether the index names objects that nothing needs.
    private var indexNamesDead = false

    init(
        _ leases: Set<ObjectID>, _ threshold: Int64,
        _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws(SnapshotError) {
        let reader = try ObjectReader.of(transaction)
        let references = try References(transaction)
        var roots = Set(references.branches.values).union(references.tags.values)
        if let head = references.headCommit { roots.insert(head) }
        var expired: [[UInt8]] = []
        var logged: Set<ObjectID> = []
        try SnapshotStore.scanReflog(nil, transaction) { (key, entry) in
            if entry.note.time < threshold {
                expired.append(key)
            } else {
                logged.formUnion([entry.old, entry.new].compactMap { $0 })
            }
        }
        // What a reflog or a lease names may be gone since an earlier collection.
        var leasedRoots: Set<ObjectID> = []
        do throws(ObjectError) {
            for id in logged where try reader.location(of: id, transaction) != nil {
                roots.insert(id)
            }
            for id in leases where try reader.location(of: id, transaction) != nil {
                leasedRoots.insert(id)
            }
        } catch {
            throw SnapshotError(error)
        }
        var live = Reachability()
        try live.add(roots.union(leasedRoots), transaction)
        var leased = Reachability()
        try leased.add(leasedRoots, transaction)
        self.expired = expired
        self.live = live.objects
        report.leases = leases.count
        report.expiredReflogEntries = expired.count
        try scanPacks(live.objects, leased.objects, reader, transaction)
        deadArrays = try Self.arrays(transaction).subtracting(live.records).sorted()
        report.deadArrays = deadArrays.count
    }

    private mutating func scanPacks(
        _ live: Set<ObjectID>, _ leased: Set<ObjectID>, _ reader: ObjectReader,
        _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws(SnapshotError) {
        var report = report
        var namesDead = false
        var dead: [UInt32] = []
        var sparse: [(pack: UInt32, live: Set<ObjectID>)] = []
        let table = transaction.environment.table(ObjectStore.packTable)
        try transaction.scan(table) { (key, record) throws(SnapshotError) in
            let pack = try wrapped { () throws(ObjectError) in
                try Pack(number: try PackFormat.packNumber(key), record: record)
            }
            let number = pack.number
            var liveHere: Set<ObjectID> = []
            var liveBytes = 0
            var isLeased = false
            for index in 0..<pack.count {
                let id = pack.id(index)
                let size = pack.header(index).payloadCount
                if leased.contains(id) { isLeased = true }
                // An older copy of an object that was moved is dead though the object lives.
                let indexed = try wrapped { () throws(ObjectError) in
                    try reader.location(of: id, transaction)
                }
                // An older copy of an object that was moved is dead though the object lives.
                let isIndexed = indexed == pack.location(index)
                if live.contains(id), isIndexed {
                    liveHere.insert(id)
                    liveBytes += size
                    report.liveObjects += 1
                    report.liveBytes += size
                } else {
                    report.deadObjects += 1
                    report.deadBytes += size
                    if isIndexed { namesDead = true }
                }
            }
            let isSparse = Double(liveBytes) < Double(pack.used) * Self.sparseShare
            if liveHere.isEmpty {
                if isLeased { report.leasedPacks += 1 } else { dead.append(number) }
            } else if isSparse, liveHere.count < pack.count {
                if isLeased {
                    report.leasedPacks += 1
                } else {
                    sparse.append((number, liveHere))
                }
            }
            return true
        }
        report.deadPacks = dead.count
        report.sparsePacks = sparse.count
        self.report = report
        self.dead = dead
        self.sparse = sparse
        indexNamesDead = namesDead
    }

    /// The roots of all stored array records.
    private static func arrays(
        _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws(SnapshotError) -> Set<ObjectID> {
        var roots: Set<ObjectID> = []
        let table = transaction.environment.table(ArrayRecord.table)
        try transaction.scan(table) { (key, _) throws(SnapshotError) in
            if key.count == ObjectID.byteCount + 4 { roots.insert(ObjectID(key.raw)) }
            return true
        }
        return roots
    }

    /// Removes dead packs, array records and expired reflog entries; the index first.
    ///
    /// Dead objects that share a pack with live ones leave the index, too: what the index names is
    /// whole, so that no one can build on a commit of which a part is gone.
    func remove(_ transaction: borrowing WriteTransaction) throws(SnapshotError) {
        let environment = transaction.environment
        if !dead.isEmpty || indexNamesDead {
            let gone = Set(dead)
            try wrapped { () throws(ObjectError) in
                try ObjectStaging.rebuildIndex(without: gone, keeping: live, transaction)
            }
            environment.step("gc: index rebuilt")
        }
        do throws(KeyValueError) {
            let packs = environment.table(ObjectStore.packTable)
            for number in dead {
                try transaction.delete(packs, bigEndian(UInt64(number)))
                environment.step("gc: pack \(number) removed")
            }
            let reflog = environment.table(SnapshotStore.reflogTable)
            for key in expired { try transaction.delete(reflog, key) }
        } catch {
            throw SnapshotError(error)
        }
        for root in deadArrays { try ArrayRecord.delete(root, transaction) }
        environment.step("gc: arrays and reflog removed")
    }
}
