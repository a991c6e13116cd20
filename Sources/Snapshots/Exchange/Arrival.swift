internal import Elements
internal import Files
internal import KeyValue
package import Objects

/// Commits of another store on their way into this one.
///
/// Data come first, in transactions of their own, each object checked against its name; until ``finish`` nothing
/// reaches them, and what was written when the process dies is used by the next arrival, or collected. Holds the
/// maintenance lock, shared, so that no collection comes between.
package struct Arrival: ~Copyable {
    private let store: SnapshotStore
    private let lock: FileLock

    /// One reference that is moved when everything is there.
    package struct Move: Sendable {
        package let kind: ReferenceKind
        package let name: String
        /// Nil removes it.
        package let commit: ObjectID?
        /// Whether it is moved wherever it is; otherwise it must not exist.
        package let overwrites: Bool

        package init(
            _ kind: ReferenceKind, _ name: String, _ commit: ObjectID?, overwrites: Bool
        ) {
            self.kind = kind
            self.name = name
            self.commit = commit
            self.overwrites = overwrites
        }
    }

    package init(_ store: SnapshotStore) throws {
        try store.freeAbandoned()
        lock = try store.maintenanceLock(.shared, wait: true)
        self.store = store
    }

    /// Those of some objects that the store lacks, in their order.
    package func lacking(_ ids: [ObjectID]) throws -> [ObjectID] {
        try store.environment.read { transaction in
            let reader = try ObjectReader(transaction)
            return try ids.filter { try reader.location(of: $0, transaction) == nil }
        }
    }

    /// Writes pack records, all or none, and returns their bytes.
    ///
    /// - Throws: `.corrupt` when anything in them is not what its name says.
    package func write(_ records: [[UInt8]]) throws -> Int {
        try store.environment.write("arrived packs") { transaction in
            try ArrivedPacks.write(records, transaction)
        }
    }

    /// Writes records of packs whose data stay on a remote, all or none.
    ///
    /// What the store has already stays as it is.
    ///
    /// - Parameter promises: Each behind those that it needs.
    /// - Throws: `.corrupt` when a record is not one, or what it needs is missing.
    package func write(promises: [[UInt8]]) throws {
        guard !promises.isEmpty else { return }
        var staging = try ObjectStaging(store.environment)
        for record in promises { try staging.put(arrived: record) }
        try staging.finish()
        try store.environment.write("arrived promises") { try staging.flush($0) }
    }

    /// Adds the commits, whose data are stored, and moves references; one transaction.
    ///
    /// - Throws: `.corrupt` when something that a commit names is missing or of another form; `.exists`.
    package consuming func finish(
        _ delivery: Delivery, _ selection: Delivery.Selection, _ moves: [Move], by note: ReflogNote
    ) throws {
        let store = store
        var objects = try ObjectStaging(store.environment)
        for record in try Self.records(of: selection, delivery, store) {
            let header = try ObjectHeader(record.kind, byteCount: record.bytes.count)
            try objects.put(header, record.bytes.raw)
        }
        try objects.finish()
        for move in moves where move.commit != nil {
            try ReferenceName.check(move.name, move.kind.word)
        }
        try store.environment.write("arrival") { transaction in
            try objects.flush(transaction)
            transaction.environment.step("arrival: objects written")
            try Self.addCommits(selection, delivery, transaction)
            transaction.environment.step("arrival: arrays written")
            for move in moves { try Self.apply(move, note, transaction) }
        }
    }

    private static func apply(
        _ move: Move, _ note: ReflogNote, _ transaction: borrowing WriteTransaction
    ) throws {
        let old = try SnapshotStore.reference(move.kind, move.name, transaction)
        if old == move.commit { return }
        guard old == nil || move.overwrites else {
            throw CambiumError(.exists, "the \(move.kind.word) '\(move.name)' exists already")
        }
        if let commit = move.commit {
            _ = try SnapshotStore.commit(commit, try ObjectReader(transaction), transaction)
        }
        try SnapshotStore.setReference(
            move.kind, move.name, move.commit, old: old, note, transaction)
    }

    /// The records that selected commits name and the store may lack, each once.
    private static func records(
        of selection: Delivery.Selection, _ delivery: Delivery, _ store: SnapshotStore
    ) throws -> [CommitBundle.Record] {
        let environment = store.environment
        return try environment.read { transaction in
            let reader = try ObjectReader(transaction)
            var seen: Set<ObjectID> = []
            var records: [CommitBundle.Record] = []
            func add(_ id: ObjectID) {
                guard seen.insert(id).inserted, let record = delivery.record(id) else { return }
                records.append(record)
            }
            for id in selection.commits {
                let commit = try Commit(
                    decoding: try delivery.bytes(id, .commit, reader, transaction))
                add(id)
                add(commit.tree)
                let tree = try TreeRecord(
                    decoding: try delivery.bytes(commit.tree, .tree, reader, transaction))
                add(tree.trunk)
                for layer in tree.layers.sorted(by: { $0.key < $1.key }) { add(layer.value) }
                if let layout = tree.layout { add(layout) }
            }
            return records
        }
    }

    private static func addCommits(
        _ selection: Delivery.Selection, _ delivery: Delivery,
        _ transaction: borrowing WriteTransaction
    ) throws {
        let reader = try ObjectReader(transaction)
        var trees: Set<ObjectID> = []
        for id in selection.commits {
            let bytes = try delivery.bytes(id, .commit, reader, transaction)
            let commit = try Commit(decoding: bytes)
            let isShallow = selection.shallow.contains(id)
            for parent in commit.parents where !isShallow {
                guard try reader.location(of: parent, transaction) != nil else {
                    throw missing("parent \(parent.short)", of: id)
                }
            }
            try SnapshotStore.setShallow(id, isShallow && !commit.parents.isEmpty, transaction)
            for note in delivery.notes[id] ?? [] { try SnapshotStore.put(note, transaction) }
            guard trees.insert(commit.tree).inserted else { continue }
            let tree = try delivery.tree(commit.tree, reader, transaction)
            try check(tree, id, reader, transaction)
            for (number, layer) in tree.layers.sorted(by: { $0.key < $1.key }) {
                for (name, pool) in sortedByKey(layer.pools) {
                    try addArray(
                        of: pool, "pool \(number)/\(name)", id, delivery, reader, transaction)
                }
            }
        }
    }

    private static func missing(_ what: String, of commit: ObjectID) -> CambiumError {
        CambiumError(
            .corrupt,
            "commit \(commit.short) that came names \(what), which did not come: the remote is damaged"
        )
    }

    /// Refuses a tree that names a file or a tensor that is not there, or of another form.
    private static func check(
        _ tree: Tree, _ commit: ObjectID, _ reader: ObjectReader,
        _ transaction: borrowing WriteTransaction
    ) throws {
        for (name, file) in sortedByKey(tree.files) {
            guard try reader.place(of: file, transaction)?.header.kind == .file else {
                throw missing("file \(name)", of: commit)
            }
        }
        for (name, tensor) in sortedByKey(tree.tensors) {
            let header = try reader.place(of: tensor.id, transaction)?.header
            guard let header, header.kind == .tensor, header.parts == [tensor.shape] else {
                throw missing("tensor \(name)", of: commit)
            }
        }
    }

    private static func addArray(
        of pool: ExpertPool, _ place: String, _ commit: ObjectID, _ delivery: Delivery,
        _ reader: ObjectReader, _ transaction: borrowing WriteTransaction
    ) throws {
        if let stored = try ArrayRecord(pool.experts, transaction) {
            guard pool.holds(arrayCount: stored.count) else { throw missing(place, of: commit) }
            return
        }
        let change = try delivery.change(of: pool.experts)
        let isRelative = try change.base != .zero && ArrayRecord(change.base, transaction) != nil
        var edit: ArrayEdit
        if isRelative {
            let base = try ArrayView(change.base, transaction)
            try change.check(after: base.count)
            edit = try ArrayEdit(
                base: base, change.ordinals.map(Int.init), change.ids, places: nil,
                count: change.count, reader, transaction)
        } else {
            edit = ArrayEdit(try delivery.ids(of: pool.experts, reader, transaction))
        }
        guard edit.root == pool.experts, pool.holds(arrayCount: edit.count), !edit.endsAbsent else {
            throw CambiumError(
                .corrupt,
                "\(place) of commit \(commit.short) that came does not hash to \(pool.experts.short): the "
                    + "remote is damaged")
        }
        var entries: [ArrayEntry] = []
        entries.reserveCapacity(edit.ids.count)
        for (ordinal, id) in zip(edit.ordinals, edit.ids) {
            if id == .zero {
                entries.append(.absent)
                continue
            }
            guard let found = try reader.place(of: id, transaction),
                found.header.kind == pool.kind, found.header.parts == pool.parts
            else { throw missing("expert \(ordinal) of \(place)", of: commit) }
            entries.append(ArrayEntry(id: id, location: found.location))
        }
        try ArrayRecord.write(edit, entries, transaction)
    }
}
