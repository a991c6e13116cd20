internal import Elements
internal import KeyValue
internal import Objects

/// One reading of a store for a collection: what is live, and what each pack holds of it.
struct Sweep {
    /// Of the dead bytes that share packs with live ones, this share may stay where it is.
    private static let toleratedShare = 0.05

    private(set) var report = CollectionReport()
    /// Packs without live objects and outside every lease.
    private(set) var dead: [UInt32] = []
    /// Packs to move.
    private(set) var sparse: [UInt32] = []
    /// Packs with live and dead objects and outside every lease.
    private(set) var mixed: [UInt32] = []
    /// What the branches, tags, reflog entries and leases need.
    let live: Reachability
    /// What leases need.
    let leased: Reachability
    private var expired: [[UInt8]] = []
    private var deadArrays: [ObjectID] = []
    /// Keys of notes about commits that are not live.
    private var deadNotes: [[UInt8]] = []
    /// Commits that are not live and at which history ends.
    private var deadEnds: [ObjectID] = []
    /// Whether the index names objects that nothing needs.
    private var indexNamesDead = false

    init(
        _ leases: Set<ObjectID>, _ threshold: Int64,
        _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws {
        let reader = try ObjectReader(transaction)
        let references = try References(transaction)
        var roots = references.tips
        if let head = references.headCommit { roots.insert(head) }
        var expired: [[UInt8]] = []
        var logged: Set<ObjectID> = []
        // The newest entries first: one from a clock that ran ahead is no younger than those behind it.
        var entries: [(key: [UInt8], entry: ReflogEntry)] = []
        try SnapshotStore.scanReflog(nil, transaction) { (key, entry) in
            entries.append((key, entry))
        }
        var (name, time) = (ArraySlice<UInt8>(), Int64.max)
        for (key, entry) in entries.reversed() {
            // The key ends with a number of eight bytes.
            if key.dropLast(8) != name { (name, time) = (key.dropLast(8), .max) }
            time = min(time, entry.note.time)
            if time < threshold {
                expired.append(key)
            } else {
                logged.formUnion([entry.old, entry.new].compactMap { $0 })
            }
        }
        // What a reflog names may be gone since an earlier collection.
        for id in logged where try reader.location(of: id, transaction) != nil {
            roots.insert(id)
        }
        let leased = try Self.leased(leases, transaction)
        var live = leased
        live.keepsCopies = false
        try live.add(roots, transaction)
        try live.addPredecessors(transaction)
        self.expired = expired
        self.live = live
        self.leased = leased
        report.leases = leases.count
        report.expiredReflogEntries = expired.count
        try scanPacks(transaction)
        indexNamesDead = reader.indexCount != report.liveObjects
        deadArrays = try SnapshotStore.arrayRoots(transaction).filter {
            !live.records.contains($0)
        }
        report.deadArrays = deadArrays.count
        var deadNotes: [[UInt8]] = []
        try SnapshotStore.scanNotes(from: [], transaction) { (key, note) in
            if !live.commits.contains(note.commit) { deadNotes.append(key) }
            return true
        }
        let commits = live.commits
        deadEnds = try SnapshotStore.shallow(transaction).filter { !commits.contains($0) }
        self.deadNotes = deadNotes
        report.deadNotes = deadNotes.count
    }

    /// What leases need, of the commits that are still there.
    static func leased(
        _ leases: Set<ObjectID>, _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws -> Reachability {
        let reader = try ObjectReader(transaction)
        var roots: [ObjectID] = []
        for id in leases where try reader.location(of: id, transaction) != nil {
            roots.append(id)
        }
        var result = try Reachability(transaction)
        result.keepsCopies = true
        try result.add(roots, transaction)
        return result
    }

    private mutating func scanPacks(
        _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws {
        var report = report
        var dead: [UInt32] = []
        var mixed: [(pack: UInt32, dead: Int, used: Int)] = []
        // Moved, a difference would be raw: it gives room when all of its pack is dead.
        var differences: Set<UInt32> = []
        var places = 0
        let (live, leased) = (live.marks, leased.marks)
        let table = transaction.environment.table(ObjectStore.packTable)
        try transaction.scan(table) { key, record in
            let pack = try Pack(number: try PackFormat.packNumber(key), record: record)
            var liveHere = 0
            var deadBytes = 0
            var last: Location?
            for index in 0..<pack.count {
                // What is on a remote takes no room here.
                let size = pack.isPromised ? 0 : pack.header(index).payloadCount
                let location = pack.location(index)
                if live.contains(location) {
                    liveHere += 1
                    // Objects without data share a place.
                    if location != last { places += 1 }
                    last = location
                    report.liveObjects += 1
                    report.liveBytes += size
                } else {
                    deadBytes += size
                    report.deadObjects += 1
                    report.deadBytes += size
                }
            }
            let isLeased = leased.isMarked(pack: pack.number)
            if liveHere == 0 {
                if isLeased { report.leasedPacks += 1 } else { dead.append(pack.number) }
            } else if liveHere < pack.count {
                if isLeased {
                    report.leasedPacks += 1
                } else if !pack.isPromised {
                    mixed.append((pack.number, deadBytes, pack.used))
                    if !pack.predecessors.isEmpty { differences.insert(pack.number) }
                }
            }
            return true
        }
        guard places == live.count, live.impossible == 0 else {
            throw CambiumError(
                .corrupt,
                "\(live.count + live.impossible - places) objects that snapshots need are not where they should be; "
                    + "nothing was removed. Run `cambium verify`")
        }
        self.dead = dead
        self.mixed = mixed.map(\.pack).sorted()
        sparse = Self.worthMoving(mixed.filter { !differences.contains($0.pack) })
        report.deadPacks = dead.count
        report.sparsePacks = sparse.count
        self.report = report
    }

    /// The packs with the largest dead shares, until what stays dead in the others is tolerable.
    ///
    /// A pack that is hardly dead is left alone: moving it would write twenty bytes for each that
    /// comes free.
    private static func worthMoving(
        _ packs: [(pack: UInt32, dead: Int, used: Int)]
    ) -> [UInt32] {
        let total = packs.reduce(0) { $0 + $1.dead }
        var left = total
        var chosen: [UInt32] = []
        for pack in packs.sorted(by: { $0.dead * $1.used > $1.dead * $0.used }) {
            guard Double(left) > toleratedShare * Double(total),
                Double(pack.dead) > toleratedShare * Double(pack.used)
            else { break }
            left -= pack.dead
            chosen.append(pack.pack)
        }
        return chosen.sorted()
    }

    /// Removes dead packs, array records and expired reflog entries; the index first.
    ///
    /// Dead objects that share a pack with live ones leave the index, too: what the index names is
    /// whole, so that no one can build on a commit of which a part is gone.
    func remove(_ transaction: borrowing WriteTransaction) throws {
        let environment = transaction.environment
        if indexNamesDead {
            try rebuildIndex(transaction)
            environment.step("gc: index rebuilt")
        }
        let packs = environment.table(ObjectStore.packTable)
        for number in dead {
            try transaction.delete(packs, bigEndian(UInt64(number)))
            environment.step("gc: pack \(number) removed")
        }
        let reflog = environment.table(SnapshotStore.reflogTable)
        for key in expired { try transaction.delete(reflog, key) }
        // No staging is under way, so what was staged is dead.
        try StagedPacks.forget(StagedPacks.keys(transaction), transaction)
        for root in deadArrays { try ArrayRecord.delete(root, transaction) }
        for id in deadEnds { try SnapshotStore.setShallow(id, false, transaction) }
        for key in deadNotes { try SnapshotStore.deleteNote(key, transaction) }
        environment.step("gc: arrays and reflog removed")
    }

    private func rebuildIndex(_ transaction: borrowing WriteTransaction) throws {
        var named: [(id: ObjectID, location: Location)] = []
        named.reserveCapacity(report.liveObjects)
        let marks = live.marks
        let table = transaction.environment.table(ObjectStore.packTable)
        try transaction.scan(table) { key, record in
            let pack = try Pack(
                number: try PackFormat.packNumber(key), record: record, checksum: false)
            for index in 0..<pack.count where marks.contains(pack.location(index)) {
                named.append((pack.id(index), pack.location(index)))
            }
            return true
        }
        try ObjectStaging.replaceIndex(with: named, transaction)
    }
}
