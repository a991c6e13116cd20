internal import Architectures
internal import Elements
internal import Evidence
internal import Models
internal import Objects
internal import Routing
package import Snapshots

/// What a pruning takes of one table of rows.
package struct PrunedRows: Sendable {
    package let layer: Int
    package let pool: String
    /// Rows that are there.
    package let rows: Int
    /// Those of them that go.
    package let pruned: Int
}

extension SnapshotStore {
    /// Takes out the hashed rows that some text uses too rarely: they become absent.
    ///
    /// - Parameters:
    ///   - least: Uses that a row needs to stay, at least 1.
    ///   - texts: What counts, each from its start; nil for the evidence of kind 'activations' of the rows'
    ///     adapter, in whose windows a row counts once.
    ///   - layers: Only in front of these; nil for all.
    ///   - name: Of the adapter, or `base`.
    ///   - commits: Whether to commit the result; if not, nothing changes.
    /// - Throws: `not-found` without such rows, or without evidence of their use; `usage` for empty texts.
    package func pruneRows(
        _ request: CommitRequest, least: Int, texts: [[UInt8]]?, layers: [Int]?, name: String,
        commits: Bool
    ) throws -> (tables: [PrunedRows], commit: CommittedModel?) {
        guard least >= 1 else {
            throw CambiumError(.usage, "rows that are used \(least) times; give 1 or more")
        }
        if let texts, texts.allSatisfy(\.isEmpty) {
            throw CambiumError(.usage, "the text is empty")
        }
        var noted = request
        noted.note.metadata[RowTables.leastKey] = "\(least)"
        let target = try CommitTarget(request, self)
        let (parent, before) = try target.model()
        let snapshot = try map(parent)
        let tables = try RowTables(snapshot, layers: layers, names: [name], self).all
        let config = try snapshot.peerConfig()
        var pruned: [PrunedRows] = []
        var draft = try CommitDraft(self, tree: before)
        for table in tables {
            let uses =
                try texts.map { try Self.uses(of: table, by: $0, config) }
                ?? snapshot.recordedUses(of: table)
            let few = table.ordinals.filter { uses[$0] < least }
            pruned.append(
                PrunedRows(
                    layer: Int(table.layer), pool: table.name, rows: table.ordinals.count,
                    pruned: few.count))
            let size = table.pool.expertByteCount
            try draft.putRows(
                few, [UInt8](repeating: 0, count: few.count * size), parts: table.pool.parts,
                count: Int(table.pool.count), layer: table.layer, pool: table.name)
        }
        guard commits else { return (pruned, nil) }
        return (pruned, try target.commit(fitting: draft, noted))
    }

    /// How often texts use each row.
    private static func uses(
        of table: RowTables.Table, by texts: [[UInt8]], _ config: PeerConfig
    ) throws -> [Int] {
        guard let hash = config.hash, UInt64(hash.expertCount) == table.pool.count else {
            throw CambiumError(
                .corrupt, "the rows of layer \(table.layer) are not those of config.json")
        }
        let router = HashRouter(orders: hash.orders, tableSize: hash.tableSize)
        var uses = [Int](repeating: 0, count: hash.expertCount)
        for text in texts {
            for row in router.rows(of: text) { uses[Int(row)] += 1 }
        }
        return uses
    }
}

extension MappedSnapshot {
    /// In how many windows of recorded text each row of a table was used.
    fileprivate func recordedUses(of table: RowTables.Table) throws -> [Int] {
        let adapters = Set(StoredAdapters.names(tree))
        var uses = [Int](repeating: 0, count: Int(table.pool.count))
        var isRecorded = false
        for (_, record) in try evidence() {
            guard case .activations(let record) = record,
                table.name == record.adapter
                    || table.name == ExpertPool.base && !adapters.contains(record.adapter)
            else { continue }
            for layer in record.layers where layer.layer == table.layer {
                isRecorded = true
                for entry in layer.entries where Int(entry.expert) < uses.count {
                    uses[Int(entry.expert)] += Int(clamping: entry.windows)
                }
            }
        }
        guard isRecorded else {
            throw CambiumError(
                .notFound,
                "\(id.short) has no evidence of what the rows of '\(table.name)' in front of layer "
                    + "\(table.layer) are used for; give a text with --text")
        }
        return uses
    }
}
