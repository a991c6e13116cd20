internal import Elements
internal import Objects
package import Snapshots

/// Settles the layout and the index of shards of a merged model (docs/merging.md, "Files").
package struct CheckpointForm: MergeForm {
    private let store: SnapshotStore

    package let files: Set<String> = [ShardIndex.fileName]

    package init(_ store: SnapshotStore) { self.store = store }

    /// What says in which files a tree is: by ids.
    private struct Form: Equatable {
        let layout: ObjectID?
        let index: ObjectID?

        init(_ tree: Tree) {
            layout = tree.layout
            index = tree.files[ShardIndex.fileName]
        }
    }

    package func settle(
        _ trees: MergeTrees, _ draft: inout CommitDraft
    ) throws -> [String: String] {
        let all = trees.bases + trees.sides
        if case .settled(let form) = trees.decide(Form.init),
            let model = all.first(where: { Form($0) == form })
        {
            draft.tree.layout = form.layout
            draft.tree.files[ShardIndex.fileName] = form.index
            if draft.tree.hasTensors(of: model) { return [:] }
        }
        var layouts: [ObjectID: Layout] = [:]
        for tree in all {
            guard let id = tree.layout, layouts[id] == nil else { continue }
            layouts[id] = try store.layout(of: tree)
        }
        let merge = LayoutMerge(trees, layouts, of: draft.tree)
        guard let merged = merge.layout else {
            draft.tree.layout = nil
            return [:]
        }
        try draft.put(merged)
        // A model that no checkpoint can hold is told of by the export.
        let tree = draft.tree
        guard
            let tensors = try? CheckpointTensors(
                tree, merged, absent: { try draft.absentOrdinals(ofArray: $0) })
        else { return [:] }
        let fit = try LayoutFit(merged, tensors, sorting: merge.mixed)
        try draft.put(fit.layout)
        try putIndex(trees, merge, fit, tensors, &draft)
        let canonical = merge.canonical.union(fit.canonical).sorted(by: isBefore)
        return canonical.isEmpty
            ? [:] : [LayoutFit.canonicalKey: canonical.joined(separator: "\n")]
    }

    /// Puts the index that the three-way rule gives, fitted; where it gives none, a new one.
    private func putIndex(
        _ trees: MergeTrees, _ merge: LayoutMerge, _ fit: LayoutFit, _ tensors: CheckpointTensors,
        _ draft: inout CommitDraft
    ) throws {
        let name = ShardIndex.fileName
        let models = (trees.sides + trees.bases).filter(merge.hasFiles)
        draft.tree.files[name] = nil
        let indexes = Set(models.compactMap { $0.files[name] })
        guard !indexes.isEmpty || fit.layout.files.count > 1 else { return }
        let text: [UInt8]
        if case .settled(let id) = trees.decide({ $0.files[name] }), let id,
            let model = models.first(where: { $0.files[name] == id }),
            let before = merge.layout(of: model).flatMap({
                try? CheckpointTensors(model, $0, absent: store.absentOrdinals)
            })
        {
            let content = try data(id)
            text = try ShardIndex.fitted(
                content, to: fit.shards, sizes: tensors.sizes, before: before.sizes)
        } else {
            var size: Int?
            for id in indexes where try ShardIndex.size(data(id)) != nil {
                size = tensors.byteCount
            }
            text = ShardIndex.written(fit.shards, size: size)
        }
        draft.tree.files[name] = try draft.put(.file, text)
    }

    private func data(_ id: ObjectID) throws -> [UInt8] {
        try store.data(of: id).1
    }
}

/// The layout of a merged model before its lists are fitted to its tensors.
///
/// Everything that sides disagree about is settled by an order of the values, not of the sides.
private struct LayoutMerge {
    /// Nil when no side has one.
    private(set) var layout: Layout?
    /// Files that sides disagree about.
    private(set) var mixed: Set<String> = []
    /// Files whose header was kept byte for byte by a side and is canonical now.
    private(set) var canonical: Set<String> = []
    private let trees: MergeTrees
    private let layouts: [ObjectID: Layout]

    init(_ trees: MergeTrees, _ layouts: [ObjectID: Layout], of merged: Tree) {
        self.trees = trees
        self.layouts = layouts
        guard let names = fileNames() else { return }
        let (files, mixed) = files(named: names)
        self.mixed = mixed
        layout = Layout(files: files, pools: pools(of: merged))
        for tree in trees.sides where hasFiles(tree) {
            for file in layout(of: tree)?.files ?? [] where file.splice != nil {
                canonical.insert(file.name)
            }
        }
        for file in files where file.splice != nil { canonical.remove(file.name) }
    }

    func layout(of tree: Tree) -> Layout? { tree.layout.flatMap { layouts[$0] } }

    /// Whether a tree is in the files that were chosen.
    func hasFiles(_ tree: Tree) -> Bool {
        guard let names = layout(of: tree)?.files.map(\.name) else { return false }
        return names == layout?.files.map(\.name) ?? names
    }

    /// The names of the files: as the rule says, else the fewest, else the first by their bytes.
    private func fileNames() -> [String]? {
        func names(_ tree: Tree) -> [String]? { layout(of: tree)?.files.map(\.name) }
        let found = trees.values(names)
        if found.count == 1 { return found[0] }
        return found.min {
            $0.count != $1.count
                ? $0.count < $1.count
                : isBefore($0.joined(separator: "\0"), $1.joined(separator: "\0"))
        }
    }

    /// The files, and the names of those that sides disagree about.
    private func files(named names: [String]) -> ([Layout.File], Set<String>) {
        var mixed: Set<String> = []
        let files = names.indices.map { number in
            func file(_ tree: Tree) -> Layout.File? {
                guard let files = layout(of: tree)?.files, files.map(\.name) == names else {
                    return nil
                }
                return files[number]
            }
            let found = trees.values(file)
            if found.count == 1 { return found[0] }
            mixed.insert(names[number])
            // A tensor that is in two files stays in the first (`LayoutFit`).
            let tensors = Set(found.flatMap(\.tensors)).sorted(by: isBefore)
            return Layout.File(
                name: names[number], metadata: metadata(found, file),
                tensors: names.count == 1 ? [] : tensors)
        }
        return (files, mixed)
    }

    /// The metadata of a file, key by key; of values in conflict the first by their bytes, a value before none.
    private func metadata(
        _ found: [Layout.File], _ file: (Tree) -> Layout.File?
    ) -> [String: String]? {
        guard found.contains(where: { $0.metadata != nil }) else { return nil }
        var result: [String: String] = [:]
        for key in Set(found.flatMap { Array($0.metadata?.keys ?? [:].keys) }) {
            if case .settled(let value) = trees.decide({ file($0)?.metadata?[key] }) {
                result[key] = value
            } else {
                result[key] = trees.values { file($0)?.metadata?[key] }.min(by: isBefore)
            }
        }
        return result
    }

    /// For each of the model's own pools the tensors that hold it: as the rule says where they fit the merged
    /// experts, else the first by their names.
    private func pools(of merged: Tree) -> [Layout.Pool] {
        var pools: [Layout.Pool] = []
        for (number, layer) in merged.layers.sorted(by: { $0.key < $1.key }) {
            for (name, experts) in layer.pools.sorted(by: { isBefore($0.key, $1.key) }) {
                func pool(_ tree: Tree) -> Layout.Pool? {
                    layout(of: tree)?.pools.first { $0.layer == number && $0.pool == name }
                }
                func fits(_ pool: Layout.Pool) -> Bool {
                    (try? CheckpointPool(pool, experts)) != nil
                }
                func first(_ pools: [Layout.Pool]) -> Layout.Pool? {
                    pools.filter(fits).min { isBefore($0.names, $1.names) }
                }
                let all = (trees.sides + trees.bases).compactMap(pool)
                if let pool = first(trees.values(pool)) ?? first(all) { pools.append(pool) }
            }
        }
        return pools
    }
}

extension MergeTrees {
    /// The values that the three-way rule leaves standing: one, or those of sides in conflict.
    fileprivate func values<Value: Equatable>(_ value: (Tree) -> Value?) -> [Value] {
        switch decide(value) {
        case .settled(let value): value.map { [$0] } ?? []
        case .conflict(let standing): standing.compactMap { value(sides[$0]) }
        }
    }
}

extension Layout.Pool {
    /// What tells pools apart that hold the same experts.
    fileprivate var names: String {
        tensors.map { "\($0.template)\0\($0.slice)\0\($0.partCount)" }.joined(separator: "\0")
    }
}
