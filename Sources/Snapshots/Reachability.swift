internal import KeyValue
internal import Objects

/// Everything that a set of commits needs: objects and array records.
struct Reachability {
    private(set) var commits: Set<ObjectID> = []
    private(set) var objects: Set<ObjectID> = []
    /// Roots of live expert arrays.
    private(set) var arrays: Set<ObjectID> = []
    /// Live array records: the roots, and the earlier arrays that their change sets refer to.
    private(set) var records: Set<ObjectID> = []
    private var trees: Set<ObjectID> = []

    /// Adds what `roots` need.
    ///
    /// A commit that was added before costs nothing.
    ///
    /// - Throws: `.corrupt` or `.notFound` when something is missing: then nothing may be removed.
    mutating func add(
        _ roots: some Sequence<ObjectID>,
        _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws(SnapshotError) {
        let reader = try ObjectReader.of(transaction)
        var stack = Array(roots)
        var newArrays: [ObjectID] = []
        while let id = stack.popLast() {
            guard commits.insert(id).inserted else { continue }
            let commit = try SnapshotStore.commit(id, reader, transaction)
            objects.insert(id)
            stack.append(contentsOf: commit.parents)
            guard trees.insert(commit.tree).inserted else { continue }
            newArrays.append(contentsOf: try addTree(commit.tree, reader, transaction))
        }
        for root in newArrays { try addArray(root, transaction) }
    }

    private mutating func addTree(
        _ id: ObjectID, _ reader: ObjectReader,
        _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws(SnapshotError) -> [ObjectID] {
        let record = try wrapped { () throws(ObjectError) in
            try SnapshotStore.treeRecord(id, reader, transaction)
        }
        objects.formUnion([id, record.trunk])
        objects.formUnion(record.layers.values)
        objects.formUnion(record.files.values)
        if let layout = record.layout { objects.insert(layout) }
        let tree = try SnapshotStore.tree(id, reader, transaction)
        objects.formUnion(tree.trunk.tensors.values.map(\.id))
        var roots: [ObjectID] = []
        for layer in tree.layers.values {
            for cohort in layer.cohorts.values {
                objects.formUnion(cohort.router.values.map(\.id))
                if arrays.insert(cohort.experts).inserted { roots.append(cohort.experts) }
            }
        }
        return roots
    }

    private mutating func addArray(
        _ root: ObjectID, _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws(SnapshotError) {
        let view = try ArrayView(root, transaction)
        for record in view.chain { records.insert(record.root) }
        // When the array that this one changes is live too, its experts are marked with it.
        if let first = view.chain.first, !first.isFull, arrays.contains(first.base) {
            for index in 0..<first.changeCount { objects.insert(first.changedEntry(index).id) }
        } else {
            for entry in view.entries() { objects.insert(entry.id) }
        }
    }
}
