internal import Architectures
internal import Elements
package import Evidence
internal import Models
package import Objects
package import Snapshots

/// Takes an adapter out of trees: its deltas, its experts and its evidence, and nothing else.
///
/// What is left is the tree of a history that never had its rounds.
package struct AdapterRemoval {
    /// What was taken out of one tree.
    package struct Removed {
        package let tree: Tree
        /// What the tree's layout becomes; nil when it stays.
        package let layout: Layout?
        package let content: AdapterContent
        /// Records of evidence.
        package let evidence: [ObjectID]
    }

    private let name: String
    private let store: SnapshotStore
    private var reader: AdapterReader
    /// Whether the adapter's own rounds brought the counts that predict beside the models.
    private let broughtMixture: Bool

    /// - Parameter tips: Commits whose history tells what the adapter's rounds brought.
    package init(_ name: String, _ store: SnapshotStore, tips: [ObjectID]) throws {
        self.name = name
        self.store = store
        reader = AdapterReader(store)
        broughtMixture = try Self.broughtMixture(name, store, tips)
    }

    /// Whether every commit that first had a `mixture.json` is a round of the adapter.
    private static func broughtMixture(
        _ name: String, _ store: SnapshotStore, _ tips: [ObjectID]
    ) throws -> Bool {
        let entries = try store.history(from: tips)
        var has: [ObjectID: Bool] = [:]
        for entry in entries {
            let files = try store.parts(ofTree: entry.commit.tree).files
            has[entry.id] = files[MixtureDescription.fileName] != nil
        }
        let first = entries.filter { entry in
            has[entry.id] == true && !entry.commit.parents.contains { has[$0] == true }
        }
        return !first.isEmpty
            && first.allSatisfy { $0.commit.metadata["train.cohort"] == name }
    }

    /// The tree without the adapter; nil when it has nothing of it.
    package mutating func removed(from tree: Tree) throws -> Removed? {
        var result = tree
        let tensors = AdapterReader.tensors(tree.trunk)
        var content = AdapterContent(tensors: tensors[name] ?? [:])
        for tensor in content.tensors.keys { result.trunk.tensors[tensor] = nil }
        var others = !tensors.keys.allSatisfy { $0 == name }
        for (number, layer) in tree.layers {
            let own = layer.pools.filter {
                $0.key != ExpertPool.base
                    && AdapterTensorName.ownsPool(
                        $0.key, in: tree.architecture, described: tensors.keys)
            }
            others = others || own.keys.contains { $0 != name }
            guard let pool = own[name] else { continue }
            content.pools[number] = pool
            result.layers[number]?.pools[name] = nil
            if layer.pools.count == 1 { result.layers[number] = nil }
        }
        let evidence = try reader.evidence(tree.files).filter { $0.adapter == name }
        for record in evidence { result.files[record.name] = nil }
        guard content != AdapterContent() || !evidence.isEmpty else { return nil }
        try checkStarts(tensors)
        for file in try gradients(content, tree, result) { result.files[file] = nil }
        if broughtMixture, !others { result.files[MixtureDescription.fileName] = nil }
        return Removed(
            tree: result, layout: try layout(tree, content), content: content,
            evidence: evidence.map(\.id))
    }

    /// Refuses what another adapter began as: it knows what that one had learned.
    private func checkStarts(_ tensors: [String: [String: StoredTensor]]) throws {
        for (other, own) in tensors.sorted(by: { isBefore($0.key, $1.key) }) where other != name {
            guard let entry = own[AdapterTensorName.description(of: other)] else { continue }
            let description: AdapterDescription
            do {
                description = try AdapterDescription(store.data(of: entry.id).1, of: other)
            } catch let error as CambiumError {
                throw error.adding(
                    "adapter '\(other)' may have begun as '\(name)'; forget it first")
            }
            guard description.startedFrom == name else { continue }
            throw CambiumError(
                .dependedOn,
                "adapter '\(other)' began as '\(name)', and has what that had learned; forget it first: "
                    + "cambium forget \(other), and of history, where it is in that, with --from-history"
            )
        }
    }

    /// Files of squared gradients of objects that only the adapter had.
    private func gradients(
        _ content: AdapterContent, _ before: Tree, _ after: Tree
    ) throws -> [String] {
        let files = before.files.keys.filter { $0.hasPrefix(FisherFile.prefix) }
        guard !files.isEmpty else { return [] }
        var own = Set(content.tensors.values.map(\.id))
        for pool in content.pools.values {
            own.formUnion(pool.router.values.map(\.id))
            own.formUnion(try store.experts(of: pool))
        }
        own.subtract(after.trunk.tensors.values.map(\.id))
        return files.filter { file in
            ObjectID(hex: String(file.dropFirst(FisherFile.prefix.count))).map { own.contains($0) }
                ?? false
        }
    }

    /// A layout that lists tensors of the adapter, without them; nil when it lists none.
    private func layout(_ tree: Tree, _ content: AdapterContent) throws -> Layout? {
        let layout = try store.layout(of: tree)
        guard var layout else { return nil }
        let before = layout
        let prefix = "\(AdapterTensorName.prefix)\(name)."
        for index in layout.files.indices {
            // The text of a header that lists its tensors is that of another file without them.
            if let splice = layout.files[index].splice, splice.middle.contains(Array(prefix.utf8)) {
                layout.files[index].splice = nil
            }
            layout.files[index].tensors.removeAll { tensor in
                content.tensors[tensor] != nil
                    || content.pools.values.contains { $0.router[tensor] != nil }
                    || (tensor.hasPrefix(prefix) && tree.trunk.tensors[tensor] == nil)
            }
        }
        layout.pools.removeAll { $0.pool == name }
        return layout == before ? nil : layout
    }
}
