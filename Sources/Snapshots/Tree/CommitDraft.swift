internal import Elements
internal import Files
internal import KeyValue
package import Objects

/// What to record with a commit besides its tree.
package struct CommitNote: Sendable {
    package var time: Int64
    package var author: String
    package var message: String
    package var metadata: [String: String]
    package var metrics: [String: Double]
    /// Curves that are kept beside the commit, as a ``Note``.
    package var series: [String: [Note.Point]]
    /// The reflog's words, for example "commit" or "merge".
    package var action: String

    package init(
        time: Int64, author: String, message: String, metadata: [String: String] = [:],
        metrics: [String: Double] = [:], series: [String: [Note.Point]] = [:],
        action: String = "commit"
    ) {
        self.time = time
        self.author = author
        self.message = message
        self.metadata = metadata
        self.metrics = metrics
        self.series = series
        self.action = action
    }
}

/// Joins what a commit records of many things, bounded.
package func recordedText(_ texts: [String], limit: Int = 16_384) throws -> String {
    let whole = texts.joined(separator: "; ")
    guard whole.utf8.count > limit else { return whole }
    var (length, count) = (0, 0)
    for text in texts {
        length += text.utf8.count + 2
        guard length <= limit else { break }
        count += 1
    }
    let id = try ObjectID(ofFile: Array(whole.utf8)).hex
    return texts.prefix(count).joined(separator: "; ")
        + "; and \(texts.count - count) more, all of them \(id)"
}

/// What a commit did.
package struct CommitOutcome: Sendable {
    package let id: ObjectID
    package let tree: ObjectID
    package let parents: [ObjectID]
    /// True when the tree equals the parent's and nothing was written.
    package let unchanged: Bool
    package let newObjects: Int
    package let newBytes: Int
    /// Bytes of the records that hold them: few where little changed.
    package let storedBytes: Int
    package let reusedObjects: Int
    package let reusedBytes: Int
}

/// A commit in the making: a tree whose objects are staged as they come.
///
/// Holds the maintenance lock, shared, so that no collection removes what it relies on; several
/// drafts may be open in several processes. Nothing is reachable before `commit` returns.
package struct CommitDraft: ~Copyable {
    let store: SnapshotStore
    /// Before the lock: when a draft is given up, its writes have ended before the lock goes.
    private var objects: ObjectStaging
    private let lock: FileLock
    private var arrays: [ObjectID: ArrayEdit] = [:]
    /// Stored arrays whose experts others take the place of.
    let known = KeptArrays()
    /// The tree that will be committed; starts as the given one.
    package var tree: Tree

    /// - Parameters:
    ///   - tree: What the draft starts from.
    ///   - flushThreshold: Bytes of new objects that are kept in memory before they are written.
    ///   - segments: From which size on tensors are kept in segments of how many bytes, when not as usual (tests).
    ///   - aloneLimit: Bytes of an object from which on it is written at once, by itself.
    package init(
        _ store: SnapshotStore, tree: Tree, flushThreshold: Int = ObjectStaging.flushThreshold,
        segments: (limit: Int, bytes: Int)? = nil, aloneLimit: Int = ObjectStaging.aloneLimit
    ) throws {
        try store.freeAbandoned()
        let held = try store.maintenanceLock(.shared, wait: true)
        let environment = store.environment
        let staging =
            if let segments {
                try ObjectStaging(
                    environment, flushThreshold: flushThreshold, segmentLimit: segments.limit,
                    segmentBytes: segments.bytes, aloneLimit: aloneLimit)
            } else {
                try ObjectStaging(
                    environment, flushThreshold: flushThreshold, aloneLimit: aloneLimit)
            }
        lock = held
        self.store = store
        self.tree = tree
        objects = staging
    }

    /// Objects staged so far that the store did not have.
    package var newObjects: Int { objects.newObjects }

    /// Makes room for objects to come.
    package mutating func reserve(_ count: Int) { objects.reserve(count) }

    /// Stages one object and returns its id.
    ///
    /// The payload is copied unless the store has it.
    ///
    /// - Parameter predecessor: What the object takes the place of: where little of it changed, the changes are
    ///   stored.
    package mutating func put(
        _ header: ObjectHeader, _ payload: RawSpan, after predecessor: Predecessor? = nil
    ) throws -> ObjectID {
        let id = header.id(of: payload)
        _ = try objects.put(id, header, payload, after: predecessor)
        return id
    }

    /// Stages an object of which all may be known already.
    package mutating func put(
        _ header: ObjectHeader, _ payload: RawSpan, _ prepared: PreparedObject?,
        after predecessor: Predecessor?
    ) throws -> ObjectID {
        guard let prepared else { return try put(header, payload, after: predecessor) }
        _ = try objects.put(header, payload, prepared, after: predecessor)
        return prepared.id
    }

    /// Stages an object whose id is known to be right, and tells where it is.
    package mutating func put(
        _ id: ObjectID, _ header: ObjectHeader, _ payload: RawSpan
    ) throws -> Placement {
        return try objects.put(id, header, payload)
    }

    /// What the store has already, to look for from any thread while objects are staged.
    package var copies: StoredCopies { objects.copies }

    /// Stages an object of which ``copies`` told what the store has.
    package mutating func put(
        _ id: ObjectID, _ header: ObjectHeader, _ payload: RawSpan, _ found: StoredCopies.Found?,
        as difference: ObjectDifference?
    ) throws -> Placement {
        return try objects.put(id, header, payload, found, as: difference)
    }

    /// Stages plain bytes.
    package mutating func put(
        _ kind: ObjectKind, _ bytes: [UInt8]
    ) throws -> ObjectID {
        let header = try ObjectHeader(kind, byteCount: bytes.count)
        return try put(header, bytes.raw)
    }

    /// Notes the expert ids of an array, all staged or stored, and returns its root.
    ///
    /// - Parameter places: Where each of them is, as ``put(_:_:_:)`` told; without, they are looked
    ///   up.
    /// - Complexity: Hashes all ids; ``putExperts(changing:_:)`` only those near a change.
    package mutating func putExperts(
        _ ids: [ObjectID], places: [Placement]? = nil
    ) -> ObjectID {
        let edit = ArrayEdit(ids, places: places)
        arrays[edit.root] = edit
        return edit.root
    }

    /// Notes an array that differs from a stored one in some experts, all staged or stored.
    ///
    /// - Parameters:
    ///   - base: The root of the stored array.
    ///   - changes: Ids by ordinal, ``ObjectID/zero`` to remove; ordinals behind the end add
    ///     experts, absent ones in between.
    /// - Returns: The root and the number of experts up to the last one that is not absent.
    package mutating func putExperts(
        changing base: ObjectID, _ changes: [Int: ObjectID]
    ) throws -> (root: ObjectID, count: Int) {
        let edit = try store.environment.read { transaction in
            try ArrayEdit(changing: base, changes, transaction)
        }
        guard let edit else { return (base, try store.count(ofArray: base)) }
        arrays[edit.root] = edit
        return (edit.root, edit.count)
    }

    /// See ``SnapshotStore/absentOrdinals(ofArray:)``; the array may be staged.
    package func absentOrdinals(ofArray root: ObjectID) throws -> [Int] {
        guard let edit = arrays[root] else { return try store.absentOrdinals(ofArray: root) }
        var absent = Set(try edit.base.map { try store.absentOrdinals(ofArray: $0) } ?? [])
        for (ordinal, id) in zip(edit.ordinals, edit.ids) {
            if id == .zero { absent.insert(ordinal) } else { absent.remove(ordinal) }
        }
        return absent.sorted()
    }

    /// Writes the commit and moves `branch` to it, in one transaction.
    ///
    /// - Parameters:
    ///   - parents: The commit's parents; the first is where the branch must be (none: the branch
    ///     must not exist).
    ///   - startingBranch: The branch must not exist, though there is a parent; it starts here.
    ///   - keepsUnchanged: Whether to commit even when the tree equals the first parent's.
    /// - Throws: `.branchMoved` when the branch is elsewhere; then nothing is reachable.
    package consuming func commit(
        to branch: String, parents: [ObjectID], startingBranch: Bool = false, note: CommitNote,
        keepsUnchanged: Bool = false
    ) throws -> CommitOutcome {
        if startingBranch || parents.isEmpty { try ReferenceName.check(branch, "branch") }
        let record = try stageTree()
        if let first = parents.first, !keepsUnchanged,
            try store.commit(first).tree == record
        {
            let head = try store.references().branches[branch]
            try Self.checkHead(head, startingBranch ? nil : first, branch)
            if startingBranch {
                try store.createReference(
                    .branch, branch, at: first,
                    by: ReflogNote(
                        time: note.time, author: note.author, message: "branch: created"))
            }
            try mend()
            return outcome(first, record, parents, unchanged: true)
        }
        let commit = Commit(
            tree: record, parents: parents, time: note.time, author: note.author,
            message: note.message, metadata: note.metadata, metrics: note.metrics)
        let id = try put(.commit, commit.encoded)
        try objects.finish()
        let store = store
        var objects = objects
        let arrays = arrays
        let tree = tree
        let gate = try Self.gate(store, objects)
        try Stagings.writing {
            try store.environment.write(note.action) { transaction in
                let head = try SnapshotStore.reference(.branch, branch, transaction)
                try Self.checkHead(head, startingBranch ? nil : parents.first, branch)
                // Made before the first write of the transaction, so what it maps does not move.
                let current = try ObjectReader(transaction)
                let trees = try Self.trees(of: parents, current, transaction)
                try Self.checkObjects(of: tree, objects, current, transaction)
                try objects.flush(transaction)
                transaction.environment.step("\(note.action): objects written")
                try Self.writeArrays(arrays, tree, trees, objects, current, transaction)
                try Self.replacePlaces(objects, store, transaction)
                transaction.environment.step("\(note.action): arrays written")
                let line = note.message.prefix { $0 != "\n" }
                try SnapshotStore.setReference(
                    .branch, branch, id, old: head,
                    ReflogNote(
                        time: note.time, author: note.author, message: "\(note.action): \(line)"),
                    transaction)
                guard !note.series.isEmpty else { return }
                try SnapshotStore.put(
                    Note(commit: id, time: note.time, author: note.author, series: note.series),
                    transaction)
            }
        }
        _ = gate
        self.objects = objects
        return outcome(id, record, parents, unchanged: false)
    }

    /// Stores what was damaged anew, where no commit is to be made.
    private mutating func mend() throws {
        guard objects.replaces else { return }
        try objects.finish()
        let store = store
        var objects = objects
        let gate = try Self.gate(store, objects)
        try Stagings.writing {
            try store.environment.write("mend") { transaction in
                try objects.flush(transaction)
                try Self.replacePlaces(objects, store, transaction)
            }
        }
        _ = gate
        self.objects = objects
    }

    /// The id that the tree has now; stages its records.
    package mutating func stageTree() throws -> ObjectID {
        let trunk = try put(.trunk, tree.trunk.encoded)
        var layers: [UInt32: ObjectID] = [:]
        for (number, layer) in tree.layers.sorted(by: { $0.key < $1.key }) {
            layers[number] = try put(.layer, layer.encoded)
        }
        let record = TreeRecord(
            architecture: tree.architecture, files: tree.files, layout: tree.layout, trunk: trunk,
            layers: layers)
        return try put(.tree, record.encoded)
    }

    private func outcome(
        _ id: ObjectID, _ tree: ObjectID, _ parents: [ObjectID], unchanged: Bool
    ) -> CommitOutcome {
        CommitOutcome(
            id: id, tree: tree, parents: parents, unchanged: unchanged,
            newObjects: objects.newObjects, newBytes: objects.newBytes,
            storedBytes: unchanged ? 0 : objects.storedBytes,
            reusedObjects: objects.reusedObjects, reusedBytes: objects.reusedBytes)
    }
}
