internal import Elements
internal import KeyValue
internal import Objects

/// What a commit's own transaction checks and writes besides the objects.
extension CommitDraft {
    /// Refuses to go on when the branch is not where the draft expects it.
    static func checkHead(
        _ head: ObjectID?, _ expected: ObjectID?, _ branch: String
    ) throws {
        guard head == expected else {
            throw CambiumError(
                .branchMoved,
                "branch '\(branch)' is at \(head?.short ?? "no commit"), not at "
                    + "\(expected?.short ?? "no commit"); nothing was changed, try again")
        }
    }

    /// The parents' trees.
    ///
    /// A parent that is in the index is whole (see `Sweep.remove`), so nothing that it names needs
    /// another look.
    static func trees(
        of parents: [ObjectID], _ reader: ObjectReader,
        _ transaction: borrowing WriteTransaction
    ) throws -> [Tree] {
        var trees: [Tree] = []
        for parent in parents {
            let commit = try SnapshotStore.commit(parent, reader, transaction)
            trees.append(try SnapshotStore.tree(commit.tree, reader, transaction))
        }
        return trees
    }

    /// Refuses a tree that names an object which is neither stored nor staged.
    static func checkObjects(
        of tree: Tree, _ objects: ObjectStaging, _ current: ObjectReader,
        _ transaction: borrowing WriteTransaction
    ) throws {
        var named = sortedByKey(tree.files).map { ("file \($0.key)", $0.value) }
        if let layout = tree.layout { named.append(("the layout", layout)) }
        named += sortedByKey(tree.trunk.tensors).map { ($0.key, $0.value.id) }
        for pool in tree.layers.values.flatMap(\.pools.values) {
            named += sortedByKey(pool.router).map { ($0.key, $0.value.id) }
        }
        for (name, id) in named {
            if try objects.contains(id) { continue }
            guard try current.location(of: id, transaction) != nil else {
                throw CambiumError(
                    .notFound, "\(name) is \(id.short), which is neither stored nor staged")
            }
        }
    }

    /// Writes the arrays that are new.
    ///
    /// - Parameters:
    ///   - arrays: By root, as the draft noted them.
    ///   - parents: The parents' trees, the first of which new arrays are stored against.
    static func writeArrays(
        _ arrays: [ObjectID: ArrayEdit], _ tree: Tree, _ parents: [Tree],
        _ objects: ObjectStaging, _ current: ObjectReader,
        _ transaction: borrowing WriteTransaction
    ) throws {
        let known = Set(
            parents.flatMap { $0.layers.values.flatMap { $0.pools.values.map(\.experts) } })
        for (number, layer) in tree.layers.sorted(by: { $0.key < $1.key }) {
            for (name, pool) in sortedByKey(layer.pools) {
                if known.contains(pool.experts), arrays[pool.experts] == nil { continue }
                guard var edit = arrays[pool.experts] else {
                    // From neither this draft nor a parent: it must be stored.
                    let stored = try ArrayView(pool.experts, transaction)
                    try checkCount(pool, stored.count, "pool \(number)/\(name)")
                    continue
                }
                try checkCount(
                    pool, edit.endsAbsent ? nil : edit.count, "pool \(number)/\(name)")
                let before = parents.first?.layers[number]?.pools[name]?.experts
                if edit.base == nil, let before {
                    let parent = try ArrayView(before, transaction)
                    edit = try edit.relative(to: parent, current, transaction)
                }
                let entries = try locate(edit, objects, current, transaction)
                try ArrayRecord.write(edit, entries, transaction)
            }
        }
    }

    private static func checkCount(
        _ pool: ExpertPool, _ count: Int?, _ place: String
    ) throws {
        guard let count, pool.holds(arrayCount: count) else {
            throw CambiumError(
                .incompatible,
                "\(place) claims \(pool.count) experts but names \(count ?? 0), or ends with an "
                    + "absent one")
        }
    }

    /// Where the experts of an edit lie.
    private static func locate(
        _ edit: ArrayEdit, _ objects: ObjectStaging, _ current: ObjectReader,
        _ transaction: borrowing WriteTransaction
    ) throws -> [ArrayEntry] {
        var entries: [ArrayEntry] = []
        entries.reserveCapacity(edit.ids.count)
        for (position, id) in edit.ids.enumerated() {
            if id == .zero {
                entries.append(.absent)
                continue
            }
            if let place = edit.places?[position] {
                entries.append(ArrayEntry(id: id, location: objects.location(of: place)))
                continue
            }
            var location = try objects.location(of: id)
            // Others may have stored it since this draft began.
            if location == nil { location = try current.location(of: id, transaction) }
            guard let location else {
                throw CambiumError(
                    .notFound,
                    "expert \(edit.ordinals[position]) is \(id.short), which is neither stored "
                        + "nor staged")
            }
            entries.append(ArrayEntry(id: id, location: location))
        }
        return entries
    }
}
