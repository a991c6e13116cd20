internal import Elements
internal import KeyValue
package import Objects

/// Where the experts of a pool come from.
package struct ExpertOrigins: Sendable {
    package let layer: UInt32
    package let pool: String
    /// By ordinal, which commit of the history made the expert: in whose parents it is absent; -1 of none.
    package fileprivate(set) var made: [Int32]
    /// By ordinal, which commit made it what it is now; -1 of none.
    package fileprivate(set) var changed: [Int32]
}

extension SnapshotStore {
    /// Which commits made the experts of a model, and which changed each last.
    ///
    /// A commit changed an expert that is not what it is in any of its parents.
    ///
    /// - Returns: The history, newest first, and the model's pools by layer and name.
    /// - Complexity: Reads the records of each tree, and of arrays what changed.
    package func origins(
        at commit: ObjectID
    ) throws -> (history: [HistoryEntry], pools: [ExpertOrigins]) {
        let history = try history(from: [commit])
        let pools = try environment.read { transaction in
            var search = try OriginSearch(commit, history, transaction)
            for (index, entry) in history.enumerated() {
                try search.add(entry, Int32(clamping: index), transaction)
            }
            return search.pools
        }
        return (history, pools)
    }
}

private struct OriginSearch {
    private(set) var pools: [ExpertOrigins] = []
    private let reader: ObjectReader
    /// The entries of the model's pools.
    private var entries: [[ArrayEntry]] = []
    private let trees: [ObjectID: ObjectID]
    private var records: [ObjectID: TreeRecord] = [:]
    private var layers: [ObjectID: Layer] = [:]

    init(
        _ commit: ObjectID, _ history: [HistoryEntry],
        _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws {
        reader = try ObjectReader(transaction)
        trees = Dictionary(
            history.map { ($0.id, $0.commit.tree) }, uniquingKeysWith: { first, _ in first })
        guard let id = trees[commit] else { return }
        let tree = try SnapshotStore.tree(id, reader, transaction)
        for (number, layer) in tree.layers.sorted(by: { $0.key < $1.key }) {
            for (name, pool) in layer.pools.sorted(by: { isBefore($0.key, $1.key) }) {
                let mine = try ArrayView(pool.experts, transaction).entries()
                let none = [Int32](repeating: -1, count: mine.count)
                entries.append(mine)
                pools.append(ExpertOrigins(layer: number, pool: name, made: none, changed: none))
            }
        }
    }

    /// Looks at one commit; those that it leads to come before it.
    mutating func add(
        _ entry: HistoryEntry, _ number: Int32,
        _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws {
        let parents = entry.commit.parents.compactMap { trees[$0] }
        for index in pools.indices {
            guard let root = try root(of: index, entry.commit.tree, transaction) else { continue }
            let before = try parents.map { try self.root(of: index, $0, transaction) }
            guard !before.contains(root) else { continue }
            let view = try ArrayView(root, transaction)
            var (views, hasMissing): ([ArrayView], Bool) = ([], before.isEmpty)
            for root in before {
                if let root {
                    views.append(try ArrayView(root, transaction))
                } else {
                    hasMissing = true
                }
            }
            var ordinals = hasMissing && views.isEmpty ? Set(view.presentOrdinals) : nil
            for other in views {
                let different = try view.differences(from: other, reader, transaction)
                ordinals = ordinals.map { $0.intersection(different) } ?? Set(different)
            }
            for ordinal in ordinals ?? [] where ordinal < min(view.count, entries[index].count) {
                let found = view.entry(ordinal)
                guard !found.isAbsent else { continue }
                if views.allSatisfy({ ordinal >= $0.count || $0.entry(ordinal).isAbsent }) {
                    pools[index].made[ordinal] = number
                }
                let isSame = try same(found, entries[index][ordinal], transaction)
                if pools[index].changed[ordinal] < 0, isSame {
                    pools[index].changed[ordinal] = number
                }
            }
        }
    }

    private func same(
        _ left: ArrayEntry, _ right: ArrayEntry,
        _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws -> Bool {
        if left == right { return true }
        // Two places may hold the same object: one is a copy.
        return try !right.isAbsent && left.check == right.check
            && reader.id(of: left, transaction) == reader.id(of: right, transaction)
    }

    /// The array of a pool of the model as another tree has it.
    private mutating func root(
        of index: Int, _ tree: ObjectID,
        _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws -> ObjectID? {
        let record = try records[tree] ?? SnapshotStore.treeRecord(tree, reader, transaction)
        records[tree] = record
        guard let id = record.layers[pools[index].layer] else { return nil }
        let layer = try layers[id] ?? Layer(decoding: try reader.data(id, transaction).bytes)
        layers[id] = layer
        return layer.pools[pools[index].pool]?.experts
    }
}
