internal import Elements
internal import KeyValue
package import Objects

/// A conflict of a merge that was made, and what the merged model has.
package struct SettledConflict: Sendable {
    package enum Outcome: Sendable {
        /// What a side has, by the parent's number.
        case side(Int)
        /// What it was before.
        case base
        /// What neither had.
        case made
    }

    package let entity: MergeEntity
    /// The parents that changed it, which do not agree.
    package let sides: [Int]
    package let outcome: Outcome
}

extension SnapshotStore {
    /// What the sides of a merge commit changed differently, and what became of it, told from the models alone.
    ///
    /// - Parameter settled: Files that follow from the others, and of which none is in conflict.
    /// - Returns: Nothing for a commit that is no merge, or whose parents share no history.
    /// - Complexity: Grows with what the sides changed; reads router tensors in conflict.
    package func settledConflicts(
        ofMerge id: ObjectID, settled: Set<String>
    ) throws -> [SettledConflict] {
        let commit = try commit(id)
        let count = commit.parents.count
        guard count > 1 else { return [] }
        let pairs = try pairBases(commit.parents)
        guard pairs.indices.allSatisfy({ $0 / count == $0 % count || !pairs[$0].isEmpty }) else {
            return []
        }
        let bases = try MergeBases(sideCount: count, pairs) { (id) throws in
            try tree(try self.commit(id).tree)
        }
        var search = ConflictSearch(
            store: self, bases: bases,
            sides: try commit.parents.map { try tree(try self.commit($0).tree) },
            merged: try tree(commit.tree))
        try search.run(except: settled)
        return search.found
    }
}

private struct ConflictSearch {
    let store: SnapshotStore
    let bases: MergeBases
    let sides: [Tree]
    let merged: Tree
    private(set) var found: [SettledConflict] = []

    init(store: SnapshotStore, bases: MergeBases, sides: [Tree], merged: Tree) {
        self.store = store
        self.bases = bases
        self.sides = sides
        self.merged = merged
    }

    mutating func run(except settled: Set<String>) throws {
        judge(.architecture) { $0.architecture }
        for name in names({ $0.files })
        where !settled.contains(name) && !name.hasPrefix(Tree.evidencePrefix) {
            judge(.file(name)) { $0.files[name] }
        }
        for name in names({ $0.trunk.tensors }) { judge(.trunk(name)) { $0.trunk.tensors[name] } }
        let numbers = (bases.trees + sides).reduce(Set<UInt32>()) { $0.union($1.layers.keys) }
        for number in numbers.sorted() {
            for name in names({ $0.layers[number]?.pools ?? [:] }) {
                try judgePool(number, name)
            }
        }
    }

    private mutating func judgePool(_ layer: UInt32, _ name: String) throws {
        func pool(_ tree: Tree) -> ExpertPool? { tree.layers[layer]?.pools[name] }
        let (before, values) = (bases.trees.map(pool), sides.map(pool))
        guard case .conflict = bases.decide(before, sides: values) else { return }
        let present = values.compactMap { $0 }
        guard present.count == values.count, let outcome = pool(merged) else {
            return judge(.pool(layer: layer, pool: name), pool)
        }
        try store.environment.read { transaction in
            let reader = try ObjectReader(transaction)
            let view = try ArrayView(outcome.experts, transaction)
            for change in try ExpertChanges(before, present, transaction).changes {
                judge(
                    .expert(layer: layer, pool: name, ordinal: change.ordinal), change.bases,
                    change.sides, try view.id(change.ordinal, reader, transaction))
            }
        }
        let tensors = (values + before).reduce(Set<String>()) {
            $0.union($1.map { Array($0.router.keys) } ?? [])
        }
        for tensor in tensors.sorted(by: isBefore) {
            try judgeRouter(layer, name, tensor) { pool($0)?.router[tensor] }
        }
    }

    private mutating func judgeRouter(
        _ layer: UInt32, _ pool: String, _ name: String, _ value: (Tree) -> StoredTensor?
    ) throws {
        let (before, values) = (bases.trees.map(value), sides.map(value))
        guard case .conflict = bases.decide(before, sides: values) else { return }
        let all = (before + values + [value(merged)]).compactMap { $0 }
        guard let shape = all.first?.shape, all.count == before.count + values.count + 1,
            all.allSatisfy({ $0.shape == shape })
        else { return judge(.router(layer: layer, pool: pool, tensor: name), value) }
        let data = try all.map { try store.data(of: $0) }
        let rows = rows(of: shape)
        for row in 0..<rows.count {
            let slices = data.map { Array($0[(row * rows.size)..<((row + 1) * rows.size)]) }
            judge(
                .routerRow(layer: layer, pool: pool, tensor: name, row: row),
                Array(slices.prefix(before.count)),
                Array(slices.dropFirst(before.count).prefix(values.count)), slices[all.count - 1])
        }
    }

    private mutating func judge(_ entity: MergeEntity, _ value: (Tree) -> some Equatable) {
        judge(entity, bases.trees.map(value), sides.map(value), value(merged))
    }

    private mutating func judge<Value: Equatable>(
        _ entity: MergeEntity, _ before: [Value], _ values: [Value], _ outcome: Value
    ) {
        guard case .conflict(let changed) = bases.decide(before, sides: values) else { return }
        let side = changed.first { values[$0] == outcome }
        found.append(
            SettledConflict(
                entity: entity, sides: changed,
                outcome: side.map { .side($0) } ?? (before.contains(outcome) ? .base : .made)))
    }

    private func names<Value>(_ table: (Tree) -> [String: Value]) -> [String] {
        (bases.trees + sides).reduce(Set<String>()) { $0.union(table($1).keys) }
            .sorted(by: isBefore)
    }
}
