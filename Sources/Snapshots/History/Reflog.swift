internal import Elements
internal import KeyValue
package import Objects

/// Who moved a reference, when and why.
package struct ReflogNote: Sendable {
    package let time: Int64
    package let author: String
    package let message: String

    package init(time: Int64, author: String, message: String) {
        self.time = time
        self.author = author
        self.message = message
    }
}

/// One move of a reference.
package struct ReflogEntry: Sendable {
    package let reference: String
    package let old: ObjectID?
    package let new: ObjectID?
    package let note: ReflogNote
}

extension SnapshotStore {
    /// The moves of one reference ("HEAD", "heads/main"), newest first; with nil, of all.
    package func reflog(of reference: String? = nil) throws -> [ReflogEntry] {
        try environment.read { transaction in
            var entries: [ReflogEntry] = []
            try Self.scanReflog(reference, transaction) { (_, entry) in entries.append(entry) }
            return entries.reversed()
        }
    }

    /// The moves of HEAD, a branch or a tag, by its name alone as well, newest first.
    ///
    /// - Throws: `.notFound` when there are none.
    package func reflog(named name: String) throws -> [ReflogEntry] {
        let isWhole = name == "HEAD" || name.hasPrefix("heads/") || name.hasPrefix("tags/")
        let references = try references()
        let isTag = references.tags[name] != nil && references.branches[name] == nil
        let entries = try reflog(of: isWhole ? name : (isTag ? "tags/" : "heads/") + name)
        guard !entries.isEmpty || name == "HEAD" else {
            throw CambiumError(.notFound, "there is no reflog of '\(name)'")
        }
        return entries
    }

    /// Calls `body` for each entry, oldest first, with its key.
    static func scanReflog(
        _ reference: String?, _ transaction: borrowing some TransactionAccess & ~Copyable,
        _ body: ([UInt8], ReflogEntry) -> Void
    ) throws {
        let start: [UInt8] = reference.map { Array($0.utf8) + [0] } ?? []
        let table = transaction.environment.table(reflogTable)
        try transaction.scan(table, from: start) { key, value in
            guard key.starts(with: start) else { return false }
            body(key, try decode(key, value, table))
            return true
        }
    }

    static func log(
        _ reference: String, _ old: ObjectID?, _ new: ObjectID?, _ note: ReflogNote,
        _ transaction: borrowing WriteTransaction
    ) throws {
        var encoder = ByteEncoder()
        encoder.append(note.time)
        encoder.append(old ?? .zero)
        encoder.append(new ?? .zero)
        encoder.append(note.author)
        encoder.append(note.message)
        let table = transaction.environment.table(reflogTable)
        let prefix = Array(reference.utf8) + [0]
        let last = try transaction.last(table, prefix: prefix)
        let number = last.map { PackFormat.number($0.suffix(8)) } ?? 0
        guard number < UInt64.max, last.map({ $0.count == prefix.count + 8 }) ?? true else {
            throw CambiumError(.corrupt, "the reflog of \(reference) is damaged; run verify")
        }
        try transaction.putChecked(table, prefix + bigEndian(number + 1), encoder.bytes)
    }

    static func decode(
        _ key: [UInt8], _ value: MappedBytes, _ table: Table
    ) throws -> ReflogEntry {
        guard let bytes = CheckedValue.open(value, table, key) else {
            let name = String(decoding: key.dropLast(9), as: UTF8.self)
            throw CambiumError(
                .corrupt,
                "an entry of the reflog of \(name) does not match its checksum: damaged on "
                    + "disk; run `cambium verify`, and restore the store from a backup")
        }
        var decoder = ByteDecoder(bytes, "a reflog entry")
        let time = try decoder.number(Int64.self)
        let old = try decoder.id()
        let new = try decoder.id()
        let author = try decoder.text()
        let message = try decoder.text()
        try decoder.end()
        return ReflogEntry(
            reference: String(decoding: key.dropLast(9), as: UTF8.self),
            old: old == .zero ? nil : old, new: new == .zero ? nil : new,
            note: ReflogNote(time: time, author: author, message: message))
    }
}

func bigEndian(_ number: UInt64) -> [UInt8] {
    (0..<8).map { UInt8(truncatingIfNeeded: number >> UInt64(56 - 8 * $0)) }
}
