internal import Elements
internal import KeyValue
package import Objects

/// What came of another store's commits: their records and arrays, each by the name that its bytes have.
///
/// Nothing is believed but bytes under the name that they hash to; what the bundles claim besides, such as the order of
/// commits, is not used.
package struct Delivery {
    private let store: SnapshotStore
    private var records: [ObjectID: CommitBundle.Record] = [:]
    private(set) var arrays: [ObjectID: ArrayChange] = [:]
    private(set) var notes: [ObjectID: [Note]] = [:]

    /// Commits that are to be added, and where history ends.
    package struct Selection: Sendable {
        /// Parents first.
        package var commits: [ObjectID] = []
        /// Those of them whose parents are left out.
        package var shallow: Set<ObjectID> = []
        /// Objects with data that the store lacks, in the order in which commits name them.
        package var needed: [ObjectID] = []
    }

    package init(_ store: SnapshotStore, _ bundles: [CommitBundle]) throws {
        self.store = store
        for bundle in bundles {
            for record in bundle.records { records[try record.id()] = record }
            for array in bundle.arrays where arrays[array.root] == nil {
                arrays[array.root] = array
            }
            for note in bundle.notes { notes[note.commit, default: []].append(note) }
        }
    }

    /// A record that came, or that the store has.
    func bytes(
        _ id: ObjectID, _ kind: ObjectKind, _ reader: ObjectReader,
        _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws -> [UInt8] {
        if let record = records[id] {
            guard record.kind == kind else {
                throw CambiumError(
                    .corrupt, "object \(id.short) that came is a \(record.kind), not a \(kind)")
            }
            return record.bytes
        }
        guard try reader.location(of: id, transaction) != nil else {
            throw CambiumError(
                .corrupt,
                "the \(kind) \(id.short) is neither here nor among what came: the remote is damaged, "
                    + "or lost a bundle")
        }
        let (header, bytes) = try reader.data(id, transaction)
        guard header.kind == kind else {
            throw CambiumError(.corrupt, "object \(id.short) is a \(header.kind), not a \(kind)")
        }
        return bytes
    }

    /// A record that came; nil where it did not.
    func record(_ id: ObjectID) -> CommitBundle.Record? { records[id] }

    /// The commits that lead to `tips` and that the store lacks, and what they need.
    ///
    /// - Parameters:
    ///   - depth: At most so many commits from a tip; nil for all.
    ///   - deepens: Whether history that was left out before comes as well.
    /// - Throws: `.corrupt` when something of them did not come.
    package func selection(
        of tips: [ObjectID], depth: Int?, deepens: Bool
    ) throws -> Selection {
        let environment = store.environment
        return try environment.read { transaction in
            let reader = try ObjectReader(transaction)
            var distance: [ObjectID: Int] = [:]
            var commits: [ObjectID: Commit] = [:]
            var queue: [ObjectID] = []
            for tip in tips where distance[tip] == nil {
                distance[tip] = 1
                queue.append(tip)
            }
            var next = 0
            let shallow = deepens ? try SnapshotStore.shallow(transaction) : []
            while next < queue.count {
                let id = queue[next]
                next += 1
                let isStored = try reader.location(of: id, transaction) != nil
                // Behind a stored commit something is missing only where it was left out before.
                if isStored, shallow.isEmpty { continue }
                let commit = try Commit(decoding: try bytes(id, .commit, reader, transaction))
                if !isStored || shallow.contains(id) { commits[id] = commit }
                let step = distance[id] ?? 1
                guard step < depth ?? .max else { continue }
                for parent in commit.parents where distance[parent] == nil {
                    distance[parent] = step + 1
                    queue.append(parent)
                }
            }
            var selection = Selection()
            for (id, commit) in commits {
                var isWhole = true
                for parent in commit.parents where isWhole {
                    isWhole =
                        try commits[parent] != nil
                        || reader.location(of: parent, transaction) != nil
                }
                if !isWhole { selection.shallow.insert(id) }
            }
            selection.commits = sorted(commits)
            selection.needed = try needed(selection.commits, commits, reader, transaction)
            return selection
        }
    }

    /// Parents before children; among equals by id, so that the order is the same everywhere.
    private func sorted(_ commits: [ObjectID: Commit]) -> [ObjectID] {
        var waiting: [ObjectID: Int] = [:]
        var children: [ObjectID: [ObjectID]] = [:]
        for (id, commit) in commits {
            let parents = Set(commit.parents).filter { commits[$0] != nil }
            waiting[id] = parents.count
            for parent in parents { children[parent, default: []].append(id) }
        }
        var ready = waiting.filter { $0.value == 0 }.map(\.key).sorted()
        var result: [ObjectID] = []
        var next = 0
        while next < ready.count {
            let id = ready[next]
            next += 1
            result.append(id)
            var freed: [ObjectID] = []
            for child in children[id] ?? [] {
                waiting[child, default: 1] -= 1
                if waiting[child] == 0 { freed.append(child) }
            }
            ready += freed.sorted()
        }
        return result
    }

    private func needed(
        _ order: [ObjectID], _ commits: [ObjectID: Commit], _ reader: ObjectReader,
        _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws -> [ObjectID] {
        var needed: [ObjectID] = []
        var seen: Set<ObjectID> = []
        var trees: Set<ObjectID> = []
        var roots: Set<ObjectID> = []
        func need(_ id: ObjectID) throws {
            guard id != .zero, seen.insert(id).inserted,
                try reader.location(of: id, transaction) == nil
            else { return }
            needed.append(id)
        }
        for id in order {
            guard let commit = commits[id], trees.insert(commit.tree).inserted else { continue }
            let tree = try tree(commit.tree, reader, transaction)
            for (_, file) in sortedByKey(tree.files) { try need(file) }
            for (_, tensor) in sortedByKey(tree.trunk.tensors) { try need(tensor.id) }
            for (_, layer) in tree.layers.sorted(by: { $0.key < $1.key }) {
                for (_, pool) in sortedByKey(layer.pools) {
                    for (_, tensor) in sortedByKey(pool.router) { try need(tensor.id) }
                    guard roots.insert(pool.experts).inserted,
                        try ArrayRecord(pool.experts, transaction) == nil
                    else { continue }
                    let change = try change(of: pool.experts)
                    // What the base has is needed for itself, unless its commit is left out.
                    let isRelative =
                        try change.base != .zero
                        && (roots.contains(change.base)
                            || ArrayRecord(change.base, transaction) != nil)
                    let ids =
                        isRelative
                        ? change.ids : try ids(of: pool.experts, reader, transaction)
                    for id in ids { try need(id) }
                }
            }
        }
        return needed
    }

    func tree(
        _ id: ObjectID, _ reader: ObjectReader,
        _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws -> Tree {
        let record = try TreeRecord(decoding: try bytes(id, .tree, reader, transaction))
        var tree = Tree(
            architecture: record.architecture, files: record.files, layout: record.layout)
        tree.trunk = try Trunk(decoding: try bytes(record.trunk, .trunk, reader, transaction))
        for (number, layer) in record.layers {
            tree.layers[number] = try Layer(decoding: try bytes(layer, .layer, reader, transaction))
        }
        if let layout = record.layout {
            _ = try Layout(decoding: try bytes(layout, .layout, reader, transaction))
        }
        return tree
    }

    func change(of root: ObjectID) throws -> ArrayChange {
        guard let change = arrays[root] else {
            throw CambiumError(
                .corrupt,
                "the expert array \(root.short) is neither here nor among what came: the remote is "
                    + "damaged, or lost a bundle")
        }
        return change
    }

    /// All ids of an array, by the changes that lead to it; checked against its root.
    func ids(
        of root: ObjectID, _ reader: ObjectReader,
        _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws -> [ObjectID] {
        var chain: [ArrayChange] = []
        var seen: Set<ObjectID> = []
        var ids: [ObjectID] = []
        var next = root
        while next != .zero {
            guard seen.insert(next).inserted else {
                throw CambiumError(.corrupt, "expert array \(root.short) that came leads to itself")
            }
            if try ArrayRecord(next, transaction) != nil {
                let stored = try ArrayView(next, transaction)
                ids = try stored.ids(0..<stored.count, reader, transaction)
                break
            }
            let change = try change(of: next)
            chain.append(change)
            next = change.base
        }
        for change in chain.reversed() {
            try change.check(after: ids.count)
            ids += repeatElement(.zero, count: change.count - ids.count)
            for (ordinal, id) in zip(change.ordinals, change.ids) { ids[Int(ordinal)] = id }
        }
        return ids
    }
}
