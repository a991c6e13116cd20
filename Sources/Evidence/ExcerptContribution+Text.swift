internal import Elements
internal import Objects
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

    /// Excerpts of texts, but for those of which there is a record.
    ///
    /// - Throws: `usage` for an empty text, a label or a limit that cannot be.
    package static func records(
        of texts: [ExcerptText], _ known: [NamedContribution], for tree: Tree
    ) throws -> [EvidenceRecord] {
        var data = Set(known.excerpts.map(\.record.data))
        return try counted(.usage) {
            try texts.compactMap { text in
                let record = try ExcerptContribution(
                    of: text.bytes, label: text.label, limit: text.limit, for: tree)
                return data.insert(record.data).inserted ? .excerpts(record) : nil
            }
        }
    }
}
