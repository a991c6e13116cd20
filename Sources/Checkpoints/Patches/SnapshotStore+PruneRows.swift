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
    ///   - texts: What counts, each from its start or in windows of the context length, whichever is more; nil for
    ///     the evidence of the rows' adapter: of kind 'activations', in whose windows a row counts once, else its
    ///     counts.
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
            let router = try Self.router(of: table, config)
            let uses =
                try texts.map { router.uses(of: $0, window: config.contextLength) }
                ?? snapshot.recordedUses(of: table, router, window: config.contextLength)
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
        guard commits else {
            // Told before it is meant.
            if !request.allowsUnfit {
                try checkFit(draft.tree, after: before, "the model on branch '\(target.branch)'")
            }
            return (pruned, nil)
        }
        return (pruned, try target.commit(fitting: draft, noted))
    }

    /// What finds a table's rows.
    private static func router(
        of table: RowTables.Table, _ config: PeerConfig
    ) throws -> HashRouter {
        guard let hash = config.hash, UInt64(hash.expertCount) == table.pool.count else {
            throw CambiumError(
                .corrupt, "the rows of layer \(table.layer) are not those of config.json")
        }
        return HashRouter(orders: hash.orders, tableSize: hash.tableSize)
    }
}

extension MappedSnapshot {
    /// How often recorded text used each row of a table: by activations in how many windows, else by counts.
    fileprivate func recordedUses(
        of table: RowTables.Table, _ router: HashRouter, window: Int
    ) throws -> [Int] {
        let adapters = Set(StoredAdapters.names(tree))
        var uses = [Int](repeating: 0, count: router.expertCount)
        var isRecorded = false
        let records = try evidence().filter { _, record in
            table.name == record.adapter
                || table.name == ExpertPool.base && !adapters.contains(record.adapter)
        }
        for (_, record) in records {
            guard case .activations(let record) = record else { continue }
            for layer in record.layers where layer.layer == table.layer {
                isRecorded = true
                for entry in layer.entries where Int(entry.expert) < uses.count {
                    uses[Int(entry.expert)] += Int(clamping: entry.windows)
                }
            }
        }
        if isRecorded { return uses }
        let counts = records.counts.map(\.counts)
        guard let order = counts.map(\.order).min() else {
            throw CambiumError(
                .notFound,
                "\(id.short) has no evidence of what the rows of '\(table.name)' in front of layer "
                    + "\(table.layer) are used for; give a text with --text")
        }
        guard order >= router.orders.max() ?? 0 else {
            throw CambiumError(
                .notFound,
                "the evidence of '\(table.name)' counts sequences of \(order) bytes, and its rows are of up to "
                    + "\(router.orders.max() ?? 0); give a text with --text, or count anew: cambium evidence add "
                    + "--order \(router.orders.max() ?? 0)")
        }
        return router.uses(counts, window: window).map { Int($0) }
    }
}
