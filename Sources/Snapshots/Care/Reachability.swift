internal import Elements
internal import KeyValue
internal import Objects

/// Everything that a set of commits needs: objects, by the place where they lie, and array records.
///
/// A record that another one builds on is needed with all that it names. So whatever record is
/// stored is whole, and a commit of the same array may rely on it.
struct Reachability {
    private(set) var marks: PlaceMarks
    /// Whether older copies of an object are needed, too: somebody may have mapped them before the
    /// newest was written.
    var keepsCopies = false
    /// Live array records: the arrays of trees, and the earlier ones that their change sets refer to.
    private(set) var records: Set<ObjectID> = []
    private(set) var commits: Set<ObjectID> = []
    private var trees: Set<ObjectID> = []
    private var parts: Set<ObjectID> = []

    init(_ transaction: borrowing some TransactionAccess & ~Copyable) throws {
        marks = PlaceMarks(lastPack: try ObjectReader.lastPack(transaction))
    }

    /// Adds what `roots` need.
    ///
    /// A commit that was added before costs nothing, and so does a tree, a layer or a record.
    ///
    /// - Throws: `.corrupt` or `.notFound` when something is missing: then nothing may be removed.
    mutating func add(
        _ roots: some Sequence<ObjectID>,
        _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws {
        let reader = try ObjectReader(transaction)
        var stack = Array(roots)
        while let id = stack.popLast() {
            guard commits.insert(id).inserted else { continue }
            let commit = try SnapshotStore.commit(id, reader, transaction)
            try mark(id, reader, transaction)
            stack.append(contentsOf: commit.parents)
            guard trees.insert(commit.tree).inserted else { continue }
            try addTree(commit.tree, reader, transaction)
        }
    }

    /// Adds a commit's own model: neither its history, nor what the records that its arrays build on
    /// name besides.
    mutating func addModel(
        of commit: ObjectID, _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws {
        let reader = try ObjectReader(transaction)
        let tree = try SnapshotStore.commit(commit, reader, transaction).tree
        guard trees.insert(tree).inserted else { return }
        try mark(commit, reader, transaction)
        try addTree(tree, reader, transaction, wholeRecords: false)
    }

    /// Adds what compressed objects that are marked are differences from.
    ///
    /// As many rounds as chains are long follow all of them to their ends.
    mutating func addPredecessors(
        _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws {
        let reader = try ObjectReader(transaction)
        var cold: [Pack] = []
        let table = transaction.environment.table(ObjectStore.packTable)
        try transaction.scan(table) { key, record in
            let pack = try Pack(
                number: try PackFormat.packNumber(key), record: record, checksum: false)
            if !pack.predecessors.isEmpty { cold.append(pack) }
            return true
        }
        while true {
            let needed = cold.filter { marks.isMarked(pack: $0.number) }
            guard !needed.isEmpty else { return }
            cold.removeAll { marks.isMarked(pack: $0.number) }
            // All of them: the pack is decompressed as a whole.
            for pack in needed {
                for (_, id) in pack.predecessors { try mark(id, reader, transaction) }
            }
        }
    }

    private mutating func addTree(
        _ id: ObjectID, _ reader: ObjectReader,
        _ transaction: borrowing some TransactionAccess & ~Copyable, wholeRecords: Bool = true
    ) throws {
        let record = try SnapshotStore.treeRecord(id, reader, transaction)
        try mark(id, reader, transaction)
        for file in record.files.values { try mark(file, reader, transaction) }
        if let layout = record.layout { try mark(layout, reader, transaction) }
        if parts.insert(record.trunk).inserted {
            try mark(record.trunk, reader, transaction)
            let trunk = try Trunk(decoding: try reader.data(record.trunk, transaction).bytes)
            for tensor in trunk.tensors.values { try mark(tensor.id, reader, transaction) }
        }
        for id in record.layers.values where parts.insert(id).inserted {
            try mark(id, reader, transaction)
            let layer = try Layer(decoding: try reader.data(id, transaction).bytes)
            for pool in layer.pools.values {
                for tensor in pool.router.values { try mark(tensor.id, reader, transaction) }
                if wholeRecords {
                    try addArray(pool.experts, transaction)
                } else {
                    for entry in try ArrayView(pool.experts, transaction).entries() {
                        mark(entry)
                    }
                }
            }
        }
    }

    private mutating func mark(
        _ id: ObjectID, _ reader: ObjectReader,
        _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws {
        let locations =
            try keepsCopies
            ? reader.locations(of: id, transaction)
            : [reader.location(of: id, transaction)].compactMap { $0 }
        guard !locations.isEmpty else {
            throw CambiumError(.notFound, "no object \(id.short) in this store")
        }
        for location in locations {
            marks.insert(location)
            for segment in try reader.pack(location.pack, transaction).segments ?? [] {
                try mark(segment, reader, transaction)
            }
        }
    }

    private mutating func addArray(
        _ root: ObjectID, _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws {
        guard !records.contains(root) else { return }
        for record in try ArrayView(root, transaction).chain {
            // Its bases came with it.
            guard records.insert(record.root).inserted else { return }
            if record.isFull {
                for ordinal in 0..<record.count { mark(record.entry(ordinal)) }
            } else {
                for index in 0..<record.changeCount { mark(record.changedEntry(index)) }
            }
        }
    }

    private mutating func mark(_ entry: ArrayEntry) {
        if !entry.isAbsent { marks.insert(entry.location) }
    }
}
