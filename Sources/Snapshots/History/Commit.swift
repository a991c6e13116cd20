internal import Elements
package import Objects

/// One immutable state of the whole model and how it came to be.
package struct Commit: Sendable, Equatable {
    package var tree: ObjectID
    /// None for a root, one for a round, two or more for a merge.
    package var parents: [ObjectID]
    /// What the commit names as parents where the store has none of them, since its history was left out when it was
    /// cloned; ``parents`` is empty then.
    package private(set) var absentParents: [ObjectID] = []
    /// Seconds since 1970-01-01 00:00 UTC.
    package var time: Int64
    package var author: String
    package var message: String
    /// Free text by key: merge policy, token counts, data digests.
    package var metadata: [String: String]
    package var metrics: [String: Double]

    package init(
        tree: ObjectID, parents: [ObjectID], time: Int64, author: String, message: String,
        metadata: [String: String] = [:], metrics: [String: Double] = [:]
    ) {
        self.tree = tree
        self.parents = parents
        self.time = time
        self.author = author
        self.message = message
        self.metadata = metadata
        self.metrics = metrics
    }

    /// Refuses a message that says nothing.
    ///
    /// - Throws: `usage`.
    package static func check(message: String) throws {
        guard message.contains(where: { !$0.isWhitespace }) else {
            throw CambiumError(
                .usage, "the message is empty; say in a few words what the commit is")
        }
    }

    /// The same commit, at the end of the history that the store has.
    func withoutParents() -> Commit {
        var commit = self
        commit.absentParents = absentParents.isEmpty ? parents : absentParents
        commit.parents = []
        return commit
    }

    /// The first line of the message.
    package var subject: String { String(message.prefix { !$0.isNewline }) }

    /// Canonical bytes (docs/format.md, "Commit").
    package var encoded: [UInt8] {
        var encoder = ByteEncoder()
        encoder.append(UInt32(1))
        encoder.append(tree)
        let named = absentParents.isEmpty ? parents : absentParents
        encoder.append(UInt32(named.count))
        for parent in named { encoder.append(parent) }
        encoder.append(time)
        encoder.append(author)
        encoder.append(message)
        encoder.append(UInt32(metadata.count))
        for (key, value) in sortedByKey(metadata) {
            encoder.append(key)
            encoder.append(value)
        }
        encoder.append(UInt32(metrics.count))
        for (key, value) in sortedByKey(metrics) {
            encoder.append(key)
            encoder.append(value.bitPattern)
        }
        return encoder.bytes
    }

    package init(decoding bytes: [UInt8]) throws {
        var decoder = ByteDecoder(bytes, "a commit")
        try decoder.version(1)
        tree = try decoder.id()
        parents = []
        for _ in 0..<(try decoder.count(minimum: ObjectID.byteCount)) {
            parents.append(try decoder.id())
        }
        time = try decoder.number()
        author = try decoder.text()
        message = try decoder.text()
        metadata = [:]
        for _ in 0..<(try decoder.count(minimum: 8)) {
            let key = try decoder.text()
            metadata[key] = try decoder.text()
        }
        metrics = [:]
        for _ in 0..<(try decoder.count(minimum: 12)) {
            let key = try decoder.text()
            metrics[key] = Double(bitPattern: try decoder.number())
        }
        try decoder.end()
        try refuseOther(encoded, bytes, "a commit")
    }
}

/// Refuses a record that is not in its one canonical form: with names out of order or twice, or
/// with reserved bytes in use.
func refuseOther(
    _ canonical: [UInt8], _ bytes: [UInt8], _ what: String
) throws {
    guard canonical == bytes else {
        throw CambiumError(.corrupt, "\(what) is not in canonical form; run `cambium verify`")
    }
}

/// By the bytes of the keys, so that the order is the same everywhere.
func sortedByKey<Value>(_ table: [String: Value]) -> [(key: String, value: Value)] {
    table.sorted { isBefore($0.key, $1.key) }
}

extension ByteDecoder {
    /// Reads a record's version and refuses any other.
    mutating func version(_ expected: UInt32) throws {
        let found = try number(UInt32.self)
        guard found == expected else {
            throw CambiumError(
                .corrupt, "record version \(found) is not \(expected); use a newer cambium")
        }
    }
}
