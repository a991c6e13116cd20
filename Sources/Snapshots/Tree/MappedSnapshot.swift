internal import Elements
internal import KeyValue
package import Objects
internal import Synchronization

/// A snapshot mapped for reading: its tree, and its tensors and experts in place.
///
/// Holds a lease, so that no collection removes what it maps, and no transaction, so that writers
/// may reuse pages. Opening reads the tree's records; experts are found when they are first used.
package final class MappedSnapshot: Sendable {
    package let id: ObjectID
    package let commit: Commit
    package let tree: Tree
    private let store: SnapshotStore
    private let lease: Lease?
    private let arrays: [ObjectID: ArrayView]
    /// Whether decompressed packs stay, so that their experts keep their addresses.
    private let keepsDecompressed: Bool
    /// Packs whose structure was checked; their records stay in place under the lease.
    private let packs = Mutex<[UInt32: Pack]>([:])
    /// Intact copies of experts that are damaged where the arrays have them.
    private let mended = Mutex<[Location: StoredObject]>([:])
    /// Experts that came from a remote together and were not read yet.
    private let ahead = Mutex<[Location: StoredObject]>([:])

    fileprivate init(
        _ id: ObjectID, _ commit: Commit, _ tree: Tree, _ store: SnapshotStore, _ lease: Lease?,
        _ arrays: [ObjectID: ArrayView], keepsDecompressed: Bool
    ) {
        self.keepsDecompressed = keepsDecompressed
        self.id = id
        self.commit = commit
        self.tree = tree
        self.store = store
        self.lease = lease
        self.arrays = arrays
    }

    /// The same snapshot with another tree, whose arrays of experts are this one's.
    package func showing(_ tree: Tree) -> MappedSnapshot {
        MappedSnapshot(
            id, commit, tree, store, lease, arrays, keepsDecompressed: keepsDecompressed)
    }

    /// How the model's checkpoint was laid out; nil when that is not kept.
    ///
    /// - Throws: What reading throws.
    package func layout() throws -> Layout? { try store.layout(of: tree) }

    /// Whether some data may lie on a remote.
    package var isLazy: Bool { store.environment.promisedBulk != nil }

    /// Some objects, in their order, to run a model on; what lies on a remote comes together.
    package func objects(_ ids: [ObjectID]) throws -> [StoredObject] {
        try store.environment.objects(ids).map(leased)
    }

    /// As ``object(_:)``, of what does not lie on a remote; nil of what does.
    package func objectHere(_ id: ObjectID) throws -> StoredObject? {
        do {
            return leased(
                try store.environment.read { transaction in
                    var reader = try ObjectReader(transaction)
                    reader.fetches = false
                    return try reader.object(id, transaction)
                })
        } catch let error as CambiumError where error.code == .remote {
            return nil
        }
    }

    /// A copy of an object's data, checked against its name: for whatever is kept, copied into new
    /// objects or given out.
    package func data(of id: ObjectID) throws -> [UInt8] {
        try checked(id).payload.copy()
    }

    /// An object whose data were checked against its name.
    ///
    /// - Throws: `.corrupt` when they were damaged on disk.
    package func checked(_ id: ObjectID) throws -> StoredObject {
        let object = try object(id)
        try object.check()
        return object
    }

    /// An object's data in place, to run a model on: they are not checked.
    ///
    /// The bytes hold the lease, so they may outlive this snapshot.
    package func object(_ id: ObjectID) throws -> StoredObject {
        leased(try store.environment.object(id))
    }

    private func leased(_ object: StoredObject) -> StoredObject {
        guard let lease else { return object }
        return object.owned(by: lease)
    }

    /// The experts of a pool; nil when the tree has no such pool.
    package func experts(layer: UInt32, pool: String) -> MappedExperts? {
        guard let entry = tree.layers[layer]?.pools[pool], let array = arrays[entry.experts]
        else { return nil }
        return MappedExperts(array, entry, snapshot: self)
    }

    /// The pack that an array entry names, and the expert's position in it.
    fileprivate func find(_ entry: ArrayEntry) throws -> (pack: Pack, index: Int) {
        let number = entry.location.pack
        var pack = packs.withLock { $0[number] }
        if pack == nil {
            pack = try store.environment.read { transaction in
                let found = try ObjectReader.packIfPresent(number, transaction)
                // Compressed data cannot be mapped: they are decompressed and kept, but for what a remote has.
                guard let found, found.isCold else { return found }
                let reader = try ObjectReader(transaction)
                return try reader.isHere(found, transaction)
                    ? reader.readable(found, transaction) : found
            }
            // Another thread may have been faster; the first stays, since addresses into it may be
            // kept as long as this snapshot.
            if keepsDecompressed || pack?.isCold != true || pack?.isReadable == false {
                pack = packs.withLock { known in
                    if let first = known[number] { return first }
                    known[number] = pack
                    return pack
                }
            }
        }
        guard let pack, let index = pack.index(unit: entry.location.unit, check: entry.check)
        else { throw ObjectReader.misplaced(entry.location) }
        return (pack, index)
    }

    /// Copies mapped data without touching the map, so that they do not count as memory of the process
    /// beside the copy.
    ///
    /// - Parameters:
    ///   - address: Of data that this snapshot lent and that lie in the map.
    ///   - buffer: Filled.
    package func copy(
        from address: UInt, into buffer: inout MutableRawSpan
    ) throws {
        try store.environment.copy(from: address, into: &buffer)
    }

    /// Asks the system to read mapped data into its cache, for ``copy(from:into:)``.
    package func willCopy(from addresses: [UInt], size: Int) throws {
        try store.environment.willNeed(addresses, size: size)
    }

    /// The copy that the index names of the object of an entry, checked.
    fileprivate func newestCopy(_ entry: ArrayEntry) throws -> StoredObject {
        let id = try store.environment.read { transaction in
            try ObjectReader(transaction).id(
                at: entry.location, check: entry.check, transaction)
        }
        let object = try checked(id)
        mended.withLock { $0[entry.location] = object }
        return object
    }

    /// Asks for experts that lie on a remote, all at once; each is taken when it is read next.
    fileprivate func fetch(_ entries: [ArrayEntry]) throws {
        var wanted: [(pack: Pack, index: Int)] = []
        for entry in entries where !entry.isAbsent {
            guard ahead.withLock({ $0[entry.location] }) == nil else { continue }
            let place = try find(entry)
            if !place.pack.isReadable { wanted.append(place) }
        }
        // One comes when it is read.
        guard wanted.count > 1 else { return }
        let objects = try store.environment.objects(wanted)
        ahead.withLock { ahead in
            for object in objects { ahead[object.location] = object }
        }
    }

    fileprivate func expert(_ entry: ArrayEntry) throws -> StoredObject {
        if let copy = mended.withLock({ $0[entry.location] }) { return copy }
        if let object = ahead.withLock({ $0.removeValue(forKey: entry.location) }) { return object }
        let (pack, index) = try find(entry)
        guard pack.isReadable else { return try store.environment.objects([(pack, index)])[0] }
        return leased(pack.stored(index))
    }
}

/// The experts of one pool, by ordinal.
package struct MappedExperts: Sendable {
    package let pool: ExpertPool
    private let array: ArrayView
    package let snapshot: MappedSnapshot
    /// What an absent row is.
    private let zeros: StoredObject?

    fileprivate init(_ array: ArrayView, _ pool: ExpertPool, snapshot: MappedSnapshot) {
        self.array = array
        self.pool = pool
        self.snapshot = snapshot
        let header = pool.kind == .row ? try? ObjectHeader(.row, pool.parts) : nil
        zeros = header.map { StoredObject(zeros: $0) }
    }

    package var count: Int { Int(clamping: pool.count) }

    /// Whether there is no expert at this ordinal: it was removed, or never came.
    package func isAbsent(_ ordinal: Int) -> Bool { entry(ordinal).isAbsent }

    /// Whether reading the expert at this ordinal throws since there is none; a row that is absent reads as zeros.
    package func isMissing(_ ordinal: Int) -> Bool { pool.kind != .row && isAbsent(ordinal) }

    /// Refuses an ordinal that no expert has, rows as well.
    package func checkPresent(_ ordinal: Int) throws {
        if isAbsent(ordinal) { throw Self.noExpert(ordinal) }
    }

    private static func noExpert(_ ordinal: Int) -> CambiumError {
        CambiumError(.notFound, "there is no expert \(ordinal): it was removed, or never came")
    }

    private func entry(_ ordinal: Int) -> ArrayEntry {
        ordinal < array.count || ordinal >= count ? array.entry(ordinal) : .absent
    }

    /// The expert's id; ``ObjectID/zero`` when there is none at this ordinal.
    ///
    /// - Throws: `.corrupt` when it is not where the array says.
    package func id(_ ordinal: Int) throws -> ObjectID {
        let entry = entry(ordinal)
        guard !entry.isAbsent else { return .zero }
        let (pack, index) = try snapshot.find(entry)
        return pack.id(index)
    }

    /// The expert as what a new one takes the place of; nil where there is none.
    package func predecessor(_ ordinal: Int) -> Predecessor? {
        ordinal < count ? entry(ordinal).predecessor : nil
    }

    /// Asks for experts that lie on a remote, all at once: each comes with the next call for it.
    package func fetch(_ ordinals: some Sequence<Int>) throws {
        guard snapshot.isLazy else { return }
        try snapshot.fetch(ordinals.map(entry))
    }

    /// A copy of the expert's data, checked against its name; see ``checked(_:)``.
    package func data(_ ordinal: Int) throws -> [UInt8] {
        try checked(ordinal).payload.copy()
    }

    /// The expert, its data checked against its name: for whatever is kept, copied into new objects or
    /// given out.
    ///
    /// - Throws: As ``expert(_:)``, and `.corrupt` when the data were damaged on disk and no other copy
    ///   is stored.
    package func checked(_ ordinal: Int) throws -> StoredObject {
        do {
            let object = try expert(ordinal)
            try object.check()
            return object
        } catch let error as CambiumError where error.code == .corrupt {
            // The bytes may have been stored again since the snapshot was mapped.
            guard let other = try? snapshot.newestCopy(entry(ordinal)),
                other.header.kind == pool.kind, other.header.parts == pool.parts
            else { throw error }
            return other
        }
    }

    /// The expert's data in place, to run a model on: they are not checked.
    ///
    /// Traps when the ordinal is out of bounds.
    ///
    /// - Throws: `.notFound` for an absent expert that is no row, `.corrupt` when it does not have the pool's
    ///   shape.
    package func expert(_ ordinal: Int) throws -> StoredObject {
        let entry = entry(ordinal)
        guard !entry.isAbsent else {
            if let zeros { return zeros }
            throw Self.noExpert(ordinal)
        }
        let object = try snapshot.expert(entry)
        guard object.header.kind == pool.kind, object.header.parts == pool.parts else {
            throw CambiumError(
                .corrupt,
                "expert \(ordinal) is \(object.header.kind) \(object.header.parts), but its pool "
                    + "holds \(pool.kind) \(pool.parts); run `cambium verify`")
        }
        return object
    }
}

extension SnapshotStore {
    /// Maps a commit's model.
    ///
    /// - Parameter keepsDecompressed: Whether compressed packs, once read, stay in memory, so that experts
    ///   keep their addresses.
    /// - Throws: `.notFound` when the commit does not exist (any more).
    package func map(
        _ id: ObjectID, keepsDecompressed: Bool = true
    ) throws -> MappedSnapshot {
        let (lease, parts) = try leasing(id) {
            try environment.read { transaction in
                let reader = try ObjectReader(transaction)
                let commit = try Self.commit(id, reader, transaction)
                let tree = try Self.tree(commit.tree, reader, transaction)
                var arrays: [ObjectID: ArrayView] = [:]
                for layer in tree.layers.values {
                    for pool in layer.pools.values where arrays[pool.experts] == nil {
                        let array = try ArrayView(pool.experts, transaction)
                        guard pool.holds(arrayCount: array.count) else {
                            throw CambiumError(
                                .corrupt,
                                "an array of \(array.count) experts stands for \(pool.count)")
                        }
                        arrays[pool.experts] = array
                    }
                }
                return (commit, tree, arrays)
            }
        }
        return MappedSnapshot(
            id, parts.0, parts.1, self, lease, parts.2,
            keepsDecompressed: keepsDecompressed)
    }
}
