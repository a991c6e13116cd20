internal import Elements
internal import Files
internal import KeyValue
package import Objects

/// What one store has and another lacks: some commits, their records, and the packs of their data.
///
/// While it lives no collection removes or moves what it names.
package struct Shipment: ~Copyable, Sendable {
    /// A record to be sent.
    fileprivate enum Item: Sendable {
        /// A pack as it is stored: every object in it is needed, or known on the other side.
        case whole(UInt32)
        /// Some objects of packs that hold others besides; whether they are compressed anew.
        case some([ObjectID], compresses: Bool)
    }

    private let lock: FileLock
    /// The records; valid as long as the shipment.
    package let records: Records
    /// Bytes of each record's bulk, about.
    package let sizes: [Int]
    /// All but the names of packs.
    package let bundle: CommitBundle
    /// Objects whose data are sent.
    package let objects: Int

    /// Finds out what leads to `tips` and not to `known`.
    ///
    /// - Parameter known: Commits that the other side has whole, with all that leads to them.
    /// - Complexity: What is new, and a mark for each object of the known commits.
    package init(_ store: SnapshotStore, of tips: [ObjectID], without known: [ObjectID]) throws {
        let lock = try store.maintenanceLock(.shared, wait: true)
        let entries = try store.history(from: tips, without: known).reversed()
        let environment = store.environment
        let plan = try environment.read { transaction in
            var plan = try Plan(known, transaction)
            for entry in entries { try plan.add(entry, transaction) }
            try plan.finish(transaction)
            return plan
        }
        self.lock = lock
        records = Records(store: store, items: plan.items)
        sizes = plan.sizes
        bundle = plan.bundle
        objects = plan.needed.count
    }

    /// The records that are to be sent, to be taken from any thread.
    package struct Records: Sendable {
        fileprivate let store: SnapshotStore
        fileprivate let items: [Item]
    }
}

extension Shipment.Records {
    package var count: Int { items.count }

    /// One of the records, taken apart; its bulk is not copied where it is a whole pack.
    ///
    package func parts(_ index: Int) throws -> PackParts {
        try store.environment.read { transaction in
            let reader = try ObjectReader(transaction)
            switch items[index] {
            case .whole(let number):
                return try PackParts(try reader.pack(number, transaction))
            case .some(let ids, let compresses):
                var objects: [StoredObject] = []
                for id in ids {
                    let object = try reader.object(id, transaction)
                    // What was damaged on disk must not spread.
                    try object.check()
                    objects.append(object)
                }
                return try PackParts(of: objects, compresses: compresses)
            }
        }
    }

    /// Hashes the objects of a record against their names.
    ///
    /// - Throws: `.corrupt`: what was damaged on disk must not spread.
    package func check(_ index: Int) throws {
        guard case .whole(let number) = items[index] else { return }
        try store.environment.read { transaction in
            let reader = try ObjectReader(transaction)
            let stored = try reader.pack(number, transaction)
            // Segments are objects of their own.
            guard stored.segments == nil else { return }
            let pack = try reader.readable(stored, transaction)
            for object in 0..<pack.count { try pack.stored(object).check() }
        }
    }
}

extension Shipment {
    /// Collects what is to be sent, commit by commit, parents first.
    fileprivate struct Plan {
        var bundle = CommitBundle()
        fileprivate var items: [Item] = []
        var sizes: [Int] = []
        /// Objects whose data are sent, in the order in which they were met.
        var needed: [(id: ObjectID, location: Location)] = []
        private var known: Reachability
        private var marks: PlaceMarks
        private var seen: Set<ObjectID> = []
        private var trees: [ObjectID: ObjectID] = [:]

        init(_ known: [ObjectID], _ transaction: borrowing ReadTransaction) throws {
            self.known = try Reachability(transaction)
            try self.known.add(known, transaction)
            marks = PlaceMarks(lastPack: try ObjectReader.lastPack(transaction))
        }

        mutating func add(
            _ entry: HistoryEntry, _ transaction: borrowing ReadTransaction
        ) throws {
            guard entry.commit.absentParents.isEmpty else {
                throw CambiumError(
                    .notFound,
                    "the history behind commit \(entry.id.short) was left out when this store was cloned; "
                        + "fetch it from where it came (`cambium fetch --depth 0`) before you push it"
                )
            }
            let reader = try ObjectReader(transaction)
            bundle.commits.append(entry.id)
            try addRecord(entry.id, reader, transaction)
            bundle.notes += try SnapshotStore.notes(of: entry.id, transaction)
            guard seen.insert(entry.commit.tree).inserted else { return }
            let before = try entry.commit.parents.first.map { parent in
                try SnapshotStore.tree(
                    try SnapshotStore.commit(parent, reader, transaction).tree, reader, transaction)
            }
            try addTree(entry.commit.tree, before, reader, transaction)
        }

        private mutating func addTree(
            _ id: ObjectID, _ before: Tree?, _ reader: ObjectReader,
            _ transaction: borrowing ReadTransaction
        ) throws {
            let record = try SnapshotStore.treeRecord(id, reader, transaction)
            try addRecord(id, reader, transaction)
            try addRecord(record.trunk, reader, transaction)
            for layer in record.layers.sorted(by: { $0.key < $1.key }).map(\.value) {
                try addRecord(layer, reader, transaction)
            }
            if let layout = record.layout { try addRecord(layout, reader, transaction) }
            let tree = try SnapshotStore.tree(id, reader, transaction)
            for (_, file) in sortedByKey(tree.files) { try need(file, reader, transaction) }
            for (_, tensor) in sortedByKey(tree.trunk.tensors) {
                try need(tensor.id, reader, transaction)
            }
            for (number, layer) in tree.layers.sorted(by: { $0.key < $1.key }) {
                for (name, pool) in sortedByKey(layer.pools) {
                    for (_, tensor) in sortedByKey(pool.router) {
                        try need(tensor.id, reader, transaction)
                    }
                    let base = before?.layers[number]?.pools[name]?.experts
                    try addArray(pool.experts, base, reader, transaction)
                }
            }
        }

        /// Adds a record of a commit or a tree, unless the other side has it.
        private mutating func addRecord(
            _ id: ObjectID, _ reader: ObjectReader, _ transaction: borrowing ReadTransaction
        ) throws {
            let object = try reader.object(id, transaction)
            guard !known.marks.contains(object.location), !marks.contains(object.location) else {
                return
            }
            marks.insert(object.location)
            try object.check()
            bundle.records.append(
                .init(kind: object.header.kind, bytes: object.payload.copy()))
        }

        private mutating func addArray(
            _ root: ObjectID, _ base: ObjectID?, _ reader: ObjectReader,
            _ transaction: borrowing ReadTransaction
        ) throws {
            guard root != base, seen.insert(root).inserted else { return }
            let array = try ArrayView(root, transaction)
            var change: [Int] = Array(0..<array.count)
            var from = ObjectID.zero
            if let base {
                let before = try ArrayView(base, transaction)
                if before.count <= array.count {
                    let differences = try array.differences(from: before, reader, transaction)
                    if differences.count * 2 < array.count { (change, from) = (differences, base) }
                }
            }
            let entries = array.entries(change.map { $0..<$0 + 1 })
            let ids = try reader.ids(of: entries, transaction)
            bundle.arrays.append(
                ArrayChange(
                    root: root, count: array.count, base: from,
                    ordinals: change.map(UInt32.init), ids: ids))
            for (entry, id) in zip(entries, ids) where !entry.isAbsent {
                try need(id, entry.location, reader, transaction)
            }
        }

        private mutating func need(
            _ id: ObjectID, _ reader: ObjectReader, _ transaction: borrowing ReadTransaction
        ) throws {
            guard let location = try reader.location(of: id, transaction) else {
                throw CambiumError(.notFound, "no object \(id.short) in this store")
            }
            try need(id, location, reader, transaction)
        }

        private mutating func need(
            _ id: ObjectID, _ location: Location, _ reader: ObjectReader,
            _ transaction: borrowing ReadTransaction
        ) throws {
            guard !known.marks.contains(location), !marks.contains(location) else { return }
            marks.insert(location)
            needed.append((id, location))
            for segment in try reader.pack(location.pack, transaction).segments ?? [] {
                try need(segment, reader, transaction)
            }
        }

        /// Decides for each pack whether it travels as it is.
        mutating func finish(_ transaction: borrowing ReadTransaction) throws {
            let reader = try ObjectReader(transaction)
            var byPack: [UInt32: [Int]] = [:]
            for (index, object) in needed.enumerated() {
                byPack[object.location.pack, default: []].append(index)
            }
            for number in byPack.keys.sorted() {
                let pack = try reader.pack(number, transaction)
                let indexes = byPack[number] ?? []
                if try travelsWhole(pack, indexes.count, reader, transaction) {
                    items.append(.whole(number))
                    sizes.append(pack.bulk.count)
                } else {
                    try addSome(indexes, pack, reader)
                }
            }
        }

        private func travelsWhole(
            _ pack: Pack, _ count: Int, _ reader: ObjectReader,
            _ transaction: borrowing ReadTransaction
        ) throws -> Bool {
            // A raw pack is taken apart for the asking; a compressed one would lose what it saves.
            guard count == pack.count || pack.isCold && count * 2 >= pack.count,
                // What lies on a remote comes from there, object by object.
                !pack.isPromised, pack.headerRuns.allSatisfy({ $0.header.kind.isData })
            else { return false }
            for index in 0..<pack.count where count < pack.count {
                let place = pack.location(index)
                guard marks.contains(place) || known.marks.contains(place) else { return false }
            }
            for (_, id) in pack.predecessors {
                guard let place = try reader.location(of: id, transaction),
                    marks.contains(place) || known.marks.contains(place)
                else { return false }
            }
            return true
        }

        private mutating func addSome(
            _ indexes: [Int], _ pack: Pack, _ reader: ObjectReader
        ) throws {
            var ids: [ObjectID] = []
            var size = 0
            func bytes(_ index: Int) -> Int {
                pack.index(needed[index].id, unit: needed[index].location.unit)
                    .map { pack.header($0).payloadCount } ?? 0
            }
            func close(_ items: inout [Item], _ sizes: inout [Int]) {
                guard !ids.isEmpty else { return }
                items.append(.some(ids, compresses: pack.isCompressed))
                sizes.append(size)
                (ids, size) = ([], 0)
            }
            // In the order of their places: neighbours stay neighbours.
            let sorted = indexes.sorted { needed[$0].location.unit < needed[$1].location.unit }
            for index in sorted {
                let count = bytes(index)
                if size + count > PackFormat.target - 65_536 { close(&items, &sizes) }
                ids.append(needed[index].id)
                size += count
            }
            close(&items, &sizes)
        }
    }
}
