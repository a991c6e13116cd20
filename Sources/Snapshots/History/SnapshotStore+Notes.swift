internal import Elements
internal import KeyValue
package import Objects

extension SnapshotStore {
    /// Adds notes to the set; one that is there already changes nothing.
    ///
    /// - Throws: `.notFound` when a note is about a commit that the store has not.
    package func add(_ notes: [Note]) throws {
        try environment.write("note") { transaction in
            let reader = try ObjectReader(transaction)
            for note in notes {
                _ = try Self.commit(note.commit, reader, transaction)
                try Self.put(note, transaction)
            }
        }
    }

    /// Adds one note.
    ///
    /// - Throws: `.usage` for a note that says nothing, or more than 64 KiB; `.notFound`.
    package func add(_ note: Note) throws {
        guard !note.metrics.isEmpty || note.text.contains(where: { !$0.isWhitespace }) else {
            throw CambiumError(.usage, "the note is empty; give it numbers or words")
        }
        let count = note.encoded.count
        guard count <= 1 << 16 else {
            throw CambiumError(
                .usage, "the note takes \(count) bytes; a note has at most 65,536")
        }
        try add([note])
    }

    /// A curve that was kept with a commit: that of the newest note that has it; empty without one.
    package func curve(of commit: ObjectID, named name: String) throws -> [Note.Point] {
        try notes(of: commit).lazy.compactMap { $0.series[name] }.last ?? []
    }

    /// Unites the notes with those of another store, as far as their commits are here.
    ///
    /// - Returns: How many were not here yet.
    package func uniteNotes(with other: SnapshotStore) throws -> Int {
        let theirs = try other.environment.read { transaction in
            var notes: [Note] = []
            try Self.scanNotes(from: [], transaction) { (_, note) in
                notes.append(note)
                return true
            }
            return notes
        }
        return try environment.write("note") { transaction in
            let reader = try ObjectReader(transaction)
            let table = environment.table(Self.noteTable)
            var added = 0
            for note in theirs {
                let isKnown = try reader.location(of: note.commit, transaction) != nil
                guard isKnown else { continue }
                let key = Self.noteKey(note.commit, note.id)
                guard try transaction.value(table, key) == nil else { continue }
                try Self.put(note, transaction)
                added += 1
            }
            return added
        }
    }

    /// Removes a note of a commit.
    ///
    /// - Parameter prefix: The first hexadecimal digits of its id.
    /// - Returns: Its id.
    /// - Throws: `.notFound`, `.ambiguous`.
    package func dropNote(_ prefix: String, of commit: ObjectID) throws -> ObjectID {
        try environment.write("note") { transaction in
            let digits = prefix.lowercased()
            let found = try Self.notes(of: commit, transaction).map(\.id)
                .filter { $0.hex.hasPrefix(digits) }
            guard let id = found.first, !digits.isEmpty else {
                throw CambiumError(
                    .notFound,
                    "\(commit.short) has no note '\(prefix)'; `cambium note \(commit.short)` lists them"
                )
            }
            guard found.count == 1 else {
                throw CambiumError(
                    .ambiguous,
                    "'\(prefix)' begins the ids of \(found.count) notes; give more digits")
            }
            try Self.deleteNote(Self.noteKey(commit, id), transaction)
            return id
        }
    }

    /// The notes of a commit, the oldest first.
    package func notes(of commit: ObjectID) throws -> [Note] {
        try environment.read { transaction in
            try Self.notes(of: commit, transaction)
        }
    }

    /// The notes of some commits, by commit, the oldest first.
    ///
    /// - Complexity: A look-up for each of a few commits; one pass over all notes for many.
    package func notes(
        of commits: some Collection<ObjectID>
    ) throws -> [ObjectID: [Note]] {
        try environment.read { transaction in
            var result: [ObjectID: [Note]] = [:]
            if commits.count <= 64 {
                for commit in commits {
                    let notes = try Self.notes(of: commit, transaction)
                    if !notes.isEmpty { result[commit] = notes }
                }
                return result
            }
            let wanted = Set(commits)
            try Self.scanNotes(from: [], transaction) { (_, note) in
                if wanted.contains(note.commit) { result[note.commit, default: []].append(note) }
                return true
            }
            return result.mapValues { $0.sorted(by: Note.isOlder) }
        }
    }

    static func notes(
        of commit: ObjectID, _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws -> [Note] {
        var notes: [Note] = []
        try scanNotes(from: commit.bytes, transaction) { (_, note) in
            guard note.commit == commit else { return false }
            notes.append(note)
            return true
        }
        return notes.sorted(by: Note.isOlder)
    }

    /// Calls `body` for each note with its key, by commit and id, until it returns false.
    static func scanNotes(
        from start: [UInt8], _ transaction: borrowing some TransactionAccess & ~Copyable,
        _ body: ([UInt8], Note) -> Bool
    ) throws {
        let table = transaction.environment.table(noteTable)
        try transaction.scan(table, from: start) { key, value in
            body(key, try decodeNote(key, value, table))
        }
    }

    private static func decodeNote(
        _ key: [UInt8], _ value: MappedBytes, _ table: Table
    ) throws -> Note {
        let about = key.count > ObjectID.byteCount ? " of \(ObjectID(key.raw).short)" : ""
        guard let bytes = CheckedValue.open(value, table, key) else {
            throw CambiumError(
                .corrupt,
                "a note\(about) does not match its checksum: damaged on disk; run `cambium verify`, "
                    + "and restore the store from a backup")
        }
        let note = try Note(decoding: bytes)
        guard key == noteKey(note.commit, Note.id(of: bytes)) else {
            throw CambiumError(
                .corrupt, "a note\(about) has another's name; run `cambium verify`")
        }
        return note
    }

    /// Checks every note, and that its commit is there.
    func verifyNotes(
        _ known: VerifiedObjects, _ report: inout VerificationReport,
        _ transaction: borrowing ReadTransaction
    ) throws {
        var commits: Set<ObjectID> = []
        var found = report
        let table = environment.table(Self.noteTable)
        try transaction.scan(table) { key, value in
            do {
                commits.insert(try Self.decodeNote(key, value, table).commit)
            } catch let error as CambiumError {
                found.fault("notes", error.message)
            }
            return true
        }
        report = found
        for commit in commits.sorted() where known.kind(commit, transaction) != .commit {
            report.fault("notes", "one is about \(commit.short), which is no commit of this store")
        }
    }

    static func noteKey(_ commit: ObjectID, _ note: ObjectID) -> [UInt8] {
        commit.bytes + note.bytes
    }

    /// Writes a note; its commit must be there.
    static func put(
        _ note: Note, _ transaction: borrowing WriteTransaction
    ) throws {
        let bytes = note.encoded
        let key = noteKey(note.commit, Note.id(of: bytes))
        try transaction.putChecked(transaction.environment.table(noteTable), key, bytes)
    }

    static func deleteNote(
        _ key: [UInt8], _ transaction: borrowing WriteTransaction
    ) throws {
        try transaction.delete(transaction.environment.table(noteTable), key)
    }
}

extension Note {
    /// By time; of one second by id, so that the order is the same everywhere.
    static func isOlder(_ left: Note, _ right: Note) -> Bool {
        left.time != right.time ? left.time < right.time : left.id < right.id
    }
}
