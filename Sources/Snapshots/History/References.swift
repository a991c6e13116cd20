internal import Elements
internal import KeyValue
package import Objects

/// What HEAD names: a branch, or in detached state a commit.
package enum Head: Sendable, Equatable {
    case branch(String)
    case detached(ObjectID)

    static let key = Array("HEAD".utf8)

    var encoded: [UInt8] {
        switch self {
        case .branch(let name): Array("ref: heads/\(name)".utf8)
        case .detached(let id): Array("id: \(id.hex)".utf8)
        }
    }

    init?(_ bytes: [UInt8]) {
        let text = String(decoding: bytes, as: UTF8.self)
        if text.hasPrefix("ref: heads/") {
            self = .branch(String(text.dropFirst("ref: heads/".count)))
        } else if text.hasPrefix("id: "), let id = ObjectID(hex: String(text.dropFirst(4))) {
            self = .detached(id)
        } else {
            return nil
        }
    }
}

/// The kinds of named references.
package enum ReferenceKind: String, Sendable {
    case branch = "heads/"
    case tag = "tags/"
    /// Where a branch of a remote was when it was last seen; the name is `REMOTE/BRANCH`.
    case remote = "remotes/"

    package var word: String {
        switch self {
        case .branch: "branch"
        case .tag: "tag"
        case .remote: "remote branch"
        }
    }
}

/// One consistent reading of all references.
package struct References: Sendable {
    package let head: Head
    package let branches: [String: ObjectID]
    package let tags: [String: ObjectID]
    /// Branches of remotes as they were last seen, by `REMOTE/BRANCH`.
    package let remotes: [String: ObjectID]

    /// Every commit that a reference names; HEAD's is among them unless it is detached.
    package var tips: Set<ObjectID> {
        Set(branches.values).union(tags.values).union(remotes.values)
    }

    /// The commit that HEAD leads to; nil on a branch without commits.
    package var headCommit: ObjectID? {
        switch head {
        case .branch(let name): branches[name]
        case .detached(let id): id
        }
    }

    /// The named branch, or the one that HEAD is on.
    package func branch(_ name: String?) throws -> String {
        if let name { return name }
        guard case .branch(let name) = head else {
            throw CambiumError(
                .usage, "HEAD is detached: name a branch with --branch, or switch to one first")
        }
        return name
    }

    /// A revision means the branch where a branch and a tag have one name, so that the tag could not
    /// be named.
    ///
    /// - Throws: `exists` when the other kind has the name.
    package func checkUnshared(_ name: String, _ kind: ReferenceKind) throws {
        let other = kind == .branch ? ReferenceKind.tag : .branch
        guard (kind == .branch ? tags : branches)[name] != nil else { return }
        throw CambiumError(
            .exists,
            "there is a \(other.word) '\(name)' already; give the \(kind.word) a name of its own")
    }

    /// Names by commit, branches first.
    package var names: [ObjectID: [String]] {
        var names: [ObjectID: [String]] = [:]
        for (name, id) in sortedByKey(branches) { names[id, default: []].append(name) }
        for (name, id) in sortedByKey(tags) { names[id, default: []].append("tag: \(name)") }
        for (name, id) in sortedByKey(remotes) { names[id, default: []].append(name) }
        return names
    }

    init(_ transaction: borrowing some TransactionAccess & ~Copyable) throws {
        var head: Head?
        var branches: [String: ObjectID] = [:]
        var tags: [String: ObjectID] = [:]
        var remotes: [String: ObjectID] = [:]
        let table = transaction.environment.table(SnapshotStore.referenceTable)
        try transaction.scan(table) { key, value in
            let name = String(decoding: key, as: UTF8.self)
            let bytes = CheckedValue.open(value, table, key)
            if key == Head.key {
                head = bytes.flatMap(Head.init)
            } else if let bytes, bytes.count == ObjectID.byteCount {
                let id = ObjectID(bytes.raw)
                if name.hasPrefix(ReferenceKind.branch.rawValue) {
                    branches[String(name.dropFirst(ReferenceKind.branch.rawValue.count))] = id
                } else if name.hasPrefix(ReferenceKind.tag.rawValue) {
                    tags[String(name.dropFirst(ReferenceKind.tag.rawValue.count))] = id
                } else if name.hasPrefix(ReferenceKind.remote.rawValue) {
                    remotes[String(name.dropFirst(ReferenceKind.remote.rawValue.count))] = id
                }
            } else {
                throw CambiumError(
                    .corrupt,
                    "reference \(name) is damaged on disk; run `cambium verify`, and restore the "
                        + "store from a backup")
            }
            return true
        }
        guard let head else {
            throw CambiumError(.corrupt, "HEAD is missing or damaged; run `cambium switch BRANCH`")
        }
        self.head = head
        self.branches = branches
        self.tags = tags
        self.remotes = remotes
    }
}

extension SnapshotStore {
    package func references() throws -> References {
        try environment.read { transaction in
            try References(transaction)
        }
    }

    /// Creates a branch or a tag at a commit.
    ///
    /// - Throws: `.exists` when the name is taken, by either kind; `.badName`, `.notFound` for a missing commit.
    package func createReference(
        _ kind: ReferenceKind, _ name: String, at commit: ObjectID, by note: ReflogNote
    ) throws {
        try ReferenceName.check(name, kind.word)
        try environment.write("reference", drawsReserve: true) {
            transaction in
            _ = try Self.commit(commit, try ObjectReader(transaction), transaction)
            try References(transaction).checkUnshared(name, kind)
            guard try Self.reference(kind, name, transaction) == nil else {
                throw CambiumError(.exists, "the \(kind.word) '\(name)' exists already")
            }
            try Self.setReference(kind, name, commit, old: nil, note, transaction)
        }
    }

    /// Moves a branch, or with nil removes the reference, if it still is at `expected`.
    ///
    /// - Throws: `.branchMoved` when it is elsewhere, `.notFound` when it does not exist.
    package func moveReference(
        _ kind: ReferenceKind, _ name: String, from expected: ObjectID, to commit: ObjectID?,
        by note: ReflogNote
    ) throws {
        try environment.write("reference", drawsReserve: true) {
            transaction in
            guard let current = try Self.reference(kind, name, transaction) else {
                throw CambiumError(.notFound, "there is no \(kind.word) '\(name)'")
            }
            guard current == expected else {
                throw CambiumError(
                    .branchMoved,
                    "the \(kind.word) '\(name)' moved to \(current.short) meanwhile; try again")
            }
            if let commit {
                _ = try Self.commit(commit, try ObjectReader(transaction), transaction)
            } else if kind == .branch, try References(transaction).head == .branch(name) {
                throw CambiumError(
                    .badName, "HEAD is on '\(name)'; switch to another branch before removing it")
            }
            try Self.setReference(kind, name, commit, old: current, note, transaction)
        }
    }

    /// Moves a branch, by default the one that HEAD is on, to any commit.
    package func reset(
        _ branch: String?, to target: ObjectID, by note: ReflogNote
    ) throws -> (old: ObjectID, new: ObjectID) {
        let references = try references()
        let name = try references.branch(branch)
        guard let old = references.branches[name] else {
            throw CambiumError(.notFound, "there is no branch '\(name)' to reset")
        }
        try moveReference(.branch, name, from: old, to: target, by: note)
        return (old, target)
    }

    /// Removes references, all or none, and returns where they were.
    ///
    /// - Throws: `.notFound` when one does not exist, `.badName` for the branch that HEAD is on.
    package func removeReferences(
        _ kind: ReferenceKind, _ names: [String], by note: ReflogNote
    ) throws -> [ObjectID] {
        try environment.write("reference", drawsReserve: true) {
            transaction in
            var places: [ObjectID] = []
            for name in names {
                guard let place = try Self.reference(kind, name, transaction) else {
                    throw CambiumError(.notFound, "there is no \(kind.word) '\(name)'")
                }
                if kind == .branch, try References(transaction).head == .branch(name) {
                    throw CambiumError(
                        .badName,
                        "HEAD is on '\(name)'; switch to another branch before removing it")
                }
                places.append(place)
                try Self.setReference(kind, name, nil, old: place, note, transaction)
            }
            return places
        }
    }

    /// Points HEAD at a branch; or, for any other revision, detaches it there.
    package func setHead(to revision: String, by note: ReflogNote) throws {
        let references = try references()
        let isBranch = references.branches[revision] != nil || references.head == .branch(revision)
        try setHead(isBranch ? .branch(revision) : .detached(try resolve(revision)), by: note)
    }

    /// Points HEAD at a branch (which may have no commits yet) or at a commit.
    package func setHead(_ head: Head, by note: ReflogNote) throws {
        if case .branch(let name) = head {
            // A branch that is there may have a name of older rules.
            let isKnown = (try? references())?.branches[name] != nil
            if !isKnown { try ReferenceName.check(name, "branch") }
        }
        try environment.write("head", drawsReserve: true) { transaction in
            // A damaged HEAD is what this call repairs.
            let before = (try? References(transaction))?.headCommit
            if case .detached(let id) = head {
                _ = try Self.commit(id, try ObjectReader(transaction), transaction)
            }
            try Self.writeHead(head, transaction)
            let after = try References(transaction).headCommit
            try Self.log("HEAD", before, after, note, transaction)
        }
    }

    static func reference(
        _ kind: ReferenceKind, _ name: String,
        _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws -> ObjectID? {
        let key = Array((kind.rawValue + name).utf8)
        let table = transaction.environment.table(referenceTable)
        guard let value = try transaction.mapped(table, key) else { return nil }
        guard let bytes = CheckedValue.open(value, table, key),
            bytes.count == ObjectID.byteCount
        else {
            throw CambiumError(
                .corrupt,
                "\(kind.word) '\(name)' is damaged on disk; run `cambium verify`, and restore "
                    + "the store from a backup")
        }
        return ObjectID(bytes.raw)
    }

    /// Writes HEAD, and logs nothing.
    static func writeHead(
        _ head: Head, _ transaction: borrowing WriteTransaction
    ) throws {
        let table = transaction.environment.table(referenceTable)
        try transaction.putChecked(table, Head.key, head.encoded)
    }

    /// Writes or removes a reference, and logs nothing.
    static func put(
        _ kind: ReferenceKind, _ name: String, _ id: ObjectID?,
        _ transaction: borrowing WriteTransaction
    ) throws {
        let key = Array((kind.rawValue + name).utf8)
        let table = transaction.environment.table(referenceTable)
        if let id {
            try transaction.putChecked(table, key, id.bytes)
        } else {
            try transaction.delete(table, key)
        }
    }

    /// Writes or removes a reference and logs it.
    static func setReference(
        _ kind: ReferenceKind, _ name: String, _ new: ObjectID?, old: ObjectID?,
        _ note: ReflogNote, _ transaction: borrowing WriteTransaction
    ) throws {
        if old == nil {
            // Two spellings of one name (an accent composed or not) are one name to their reader.
            let references = try References(transaction)
            let taken =
                switch kind {
                case .branch: references.branches[name]
                case .tag: references.tags[name]
                case .remote: references.remotes[name]
                }
            guard taken == nil else {
                throw CambiumError(.exists, "the \(kind.word) '\(name)' exists already")
            }
        }
        try put(kind, name, new, transaction)
        try log(kind.rawValue + name, old, new, note, transaction)
        if kind == .branch, try References(transaction).head == .branch(name) {
            try log("HEAD", old, new, note, transaction)
        }
    }
}
