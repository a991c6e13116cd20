internal import Elements
internal import Files
internal import KeyValue
package import Objects

/// What a rewriting of history did, or would do.
package struct HistoryRewrite: Sendable {
    /// One branch or tag that moved.
    package struct Move: Sendable {
        package let kind: ReferenceKind
        package let name: String
        package let old: ObjectID
        package let new: ObjectID
    }

    /// The commits that others took the place of, by the old id; a dropped one leads to its parent.
    package var commits: [ObjectID: ObjectID] = [:]
    /// How many of them are left out, as nothing of them is left.
    package var dropped = 0
    package var moves: [Move] = []
    /// Entries of reflogs that named what was rewritten.
    package var reflogEntries = 0
    /// Branches and tags that were to stay and lead to what is taken out.
    package var blocking: [String] = []
}

extension SnapshotStore {
    /// Gives references a history in which every model is without something.
    ///
    /// A commit of which nothing is left is dropped: its model is its parent's now, and was not before. The
    /// others keep author, time, message, metadata, metrics and notes. Reflog entries that name an old
    /// commit go, for they would keep it. One transaction moves everything; what is left behind is removed
    /// by the next collection.
    ///
    /// Only for a caller that has the store for itself.
    ///
    /// - Parameters:
    ///   - isWanted: Which branches and tags are rewritten.
    ///   - dryRun: Find out what would be done, and write nothing.
    ///   - strip: A tree without what is to go, and the layout that it gets when that changes as well; nil
    ///     for a tree that has nothing of it.
    /// - Throws: `.badName` when HEAD is on no branch and its commit would be left behind.
    package func rewriteHistory(
        where isWanted: (ReferenceKind, String) -> Bool, dryRun: Bool, by note: ReflogNote,
        strip: (Tree) throws -> (tree: Tree, layout: Layout?)?
    ) throws -> HistoryRewrite {
        // What is staged here is neither collected nor taken for left over.
        var lock: FileLock?
        if !dryRun { lock = try maintenanceLock(.shared, wait: true) }
        let references = try references()
        let named =
            references.branches.map { (ReferenceKind.branch, $0.key, $0.value) }
            + references.tags.map { (ReferenceKind.tag, $0.key, $0.value) }
            + references.remotes.map { (ReferenceKind.remote, $0.key, $0.value) }
        let reflog = try reflog()
        var known = Set<ObjectID>()
        for id in Set(reflog.flatMap { [$0.old, $0.new] }.compactMap { $0 }) {
            // An earlier collection may have removed it.
            if (try? commit(id)) != nil { known.insert(id) }
        }
        if case .detached(let id) = references.head { known.insert(id) }
        let environment = environment
        var rewriter = HistoryRewriter(
            self, try ObjectStaging(environment))
        // Children come before their parents.
        for entry in try history(from: named.map(\.2) + known).reversed() {
            try rewriter.add(entry, strip: strip)
        }
        var result = HistoryRewrite()
        result.commits = rewriter.commits.filter { $0.key != $0.value }
        result.dropped = rewriter.dropped.count
        var outdated: [String] = []
        for (kind, name, old) in named.sorted(by: { isBefore($0.1, $1.1) }) {
            guard let new = rewriter.commits[old], new != old else { continue }
            if kind == .remote {
                // What a remote has is not rewritten here; where it was is forgotten, since it would keep it.
                outdated.append(name)
            } else if isWanted(kind, name) {
                result.moves.append(.init(kind: kind, name: name, old: old, new: new))
            } else {
                result.blocking.append("\(kind.word) '\(name)'")
            }
        }
        if case .detached(let id) = references.head, result.commits[id] != nil {
            throw CambiumError(
                .badName,
                "HEAD is at commit \(id.short), which would be left behind; switch to a branch first"
            )
        }
        let gone = result.commits
        func isGone(_ entry: ReflogEntry) -> Bool {
            [entry.old, entry.new].contains { $0.map { gone[$0] != nil } ?? false }
        }
        result.reflogEntries = reflog.count(where: isGone)
        guard !dryRun, result.blocking.isEmpty else { return result }
        try rewriter.finishWriting()
        var staging = rewriter.staging
        let (moves, dropped) = (result.moves, rewriter.dropped)
        let shallow = rewriter.shallow
        try environment.write("rewrite") { transaction in
            try staging.flush(transaction)
            for id in shallow { try Self.setShallow(id, true, transaction) }
            environment.step("rewrite: objects written")
            var keys: [[UInt8]] = []
            try Self.scanReflog(nil, transaction) { (key, entry) in
                if isGone(entry) { keys.append(key) }
            }
            let table = environment.table(Self.reflogTable)
            for key in keys { try transaction.delete(table, key) }
            try Self.moveNotes(gone, dropped, transaction)
            for name in outdated { try Self.put(.remote, name, nil, transaction) }
            for move in moves {
                // The entry must not name the old commit: it would keep it.
                try Self.setReference(
                    move.kind, move.name, move.new, old: move.new, note, transaction)
            }
        }
        _ = consume lock
        return result
    }
}

extension SnapshotStore {
    /// Notes of commits that others took the place of become theirs; those of dropped commits go.
    private static func moveNotes(
        _ gone: [ObjectID: ObjectID], _ dropped: Set<ObjectID>,
        _ transaction: borrowing WriteTransaction
    ) throws {
        var notes: [(key: [UInt8], note: Note)] = []
        try scanNotes(from: [], transaction) { (key, note) in
            if gone[note.commit] != nil { notes.append((key, note)) }
            return true
        }
        for (key, note) in notes {
            try deleteNote(key, transaction)
            guard !dropped.contains(note.commit), let new = gone[note.commit] else { continue }
            var moved = note
            moved.commit = new
            try put(moved, transaction)
        }
    }
}

/// Makes the new commits, parents first.
private struct HistoryRewriter {
    private let store: SnapshotStore
    var staging: ObjectStaging
    /// Every commit's new id.
    private(set) var commits: [ObjectID: ObjectID] = [:]
    /// New commits whose parents were left out by a clone.
    private(set) var shallow: [ObjectID] = []
    /// Those of which nothing was left.
    private(set) var dropped: Set<ObjectID> = []
    /// The trees of commits, new ones as well.
    private var trees: [ObjectID: ObjectID] = [:]
    private var stripped: [ObjectID: ObjectID] = [:]

    init(_ store: SnapshotStore, _ staging: ObjectStaging) {
        self.store = store
        self.staging = staging
    }

    mutating func add(
        _ entry: HistoryEntry,
        strip: (Tree) throws -> (tree: Tree, layout: Layout?)?
    ) throws {
        let old = entry.commit
        trees[entry.id] = old.tree
        let tree = try self.tree(old.tree, strip: strip)
        var parents: [ObjectID] = []
        for parent in old.parents.map({ commits[$0] ?? $0 }) where !parents.contains(parent) {
            parents.append(parent)
        }
        guard tree != old.tree || parents != old.parents else {
            commits[entry.id] = entry.id
            return
        }
        if parents.count == 1, trees[parents[0]] == tree,
            old.parents.count > 1 || trees[old.parents[0]] != old.tree
        {
            commits[entry.id] = parents[0]
            dropped.insert(entry.id)
            return
        }
        var new = old
        new.tree = tree
        new.parents = parents
        new.metadata = old.metadata.mapValues(renamed)
        let id = try put(.commit, new.encoded)
        if !new.absentParents.isEmpty { shallow.append(id) }
        commits[entry.id] = id
        trees[id] = tree
    }

    /// A text in which ids of commits are the new ones.
    private func renamed(_ text: String) -> String {
        guard text.utf8.count >= 64 else { return text }
        var result = text
        for word in Set(text.split(whereSeparator: { !$0.isHexDigit })) where word.count == 64 {
            guard let old = ObjectID(hex: String(word)), let new = commits[old], new != old else {
                continue
            }
            result = result.split(separator: word, omittingEmptySubsequences: false)
                .joined(separator: new.hex)
        }
        return result
    }

    private mutating func tree(
        _ id: ObjectID, strip: (Tree) throws -> (tree: Tree, layout: Layout?)?
    ) throws -> ObjectID {
        if let known = stripped[id] { return known }
        var result = id
        if let found = try strip(try store.tree(id)) {
            var tree = found.tree
            if let layout = found.layout { tree.layout = try put(.layout, layout.encoded) }
            let trunk = try put(.trunk, tree.trunk.encoded)
            var layers: [UInt32: ObjectID] = [:]
            for (number, layer) in tree.layers.sorted(by: { $0.key < $1.key }) {
                layers[number] = try put(.layer, layer.encoded)
            }
            let record = TreeRecord(
                architecture: tree.architecture, files: tree.files, layout: tree.layout,
                trunk: trunk, layers: layers)
            result = try put(.tree, record.encoded)
        }
        stripped[id] = result
        return result
    }

    private mutating func put(_ kind: ObjectKind, _ bytes: [UInt8]) throws
        -> ObjectID
    {
        return try staging.put(try ObjectHeader(kind, byteCount: bytes.count), bytes.raw)
    }

    mutating func finishWriting() throws {
        try staging.finish()
    }
}
