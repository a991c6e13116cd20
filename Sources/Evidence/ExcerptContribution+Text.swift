internal import Elements
package import Objects
package import Routing
package import Snapshots

extension ExcerptContribution {
    /// Excerpts of a text, in windows that suit a model's tokens.
    ///
    /// - Parameters:
    ///   - limit: Bytes of all windows together, at most.
    ///   - tree: The model's.
    /// - Throws: `.badInput` for an empty text, a label or a limit that cannot be.
    package init(
        of text: [UInt8], label: String, limit: Int = standardBytes, for tree: Tree
    ) throws {
        try self.init(
            of: text, label: label, data: ObjectID(ofFile: text).bytes, limit: limit,
            windowBytes: tree.files["tokenizer.json"] == nil
                ? Self.windowBytes.ofBytes : Self.windowBytes.ofTokens)
    }

    /// Excerpts of texts, but for those of which there is a record with as much of the text.
    ///
    /// - Returns: Records to add, and those with less of the text that they take the place of.
    /// - Throws: `usage` for an empty text, a label or a limit that cannot be.
    package static func records(
        of texts: [ExcerptText], _ known: [NamedContribution], for tree: Tree
    ) throws -> [(record: EvidenceRecord, replaced: ObjectID?)] {
        let kept = known.excerpts
        var records: [ExcerptContribution] = []
        try counted(.usage) {
            for text in texts {
                let record = try ExcerptContribution(
                    of: text.bytes, label: text.label, limit: text.limit, for: tree)
                let others = kept.map(\.record) + records
                guard
                    others.allSatisfy({
                        $0.data != record.data || $0.excerptBytes < record.excerptBytes
                    })
                else { continue }
                records.removeAll { $0.data == record.data }
                records.append(record)
            }
        }
        return records.map { record in
            (.excerpts(record), kept.first { $0.record.data == record.data }?.id)
        }
    }
}

extension CommitDraft {
    /// Adds excerpts of texts that it has no record with as much of.
    ///
    /// - Parameter known: The branch's evidence.
    /// - Returns: What was added.
    /// - Throws: As ``ExcerptContribution/records(of:_:for:)``.
    package mutating func add(
        _ texts: [ExcerptText], _ known: [NamedContribution]
    ) throws -> [NamedContribution] {
        var added: [NamedContribution] = []
        for (record, replaced) in try ExcerptContribution.records(of: texts, known, for: tree) {
            if let replaced { tree.files[EvidenceName.name(replaced)] = nil }
            added.append((try add(record), record))
        }
        return added
    }
}
