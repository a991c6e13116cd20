internal import Architectures
internal import Elements
internal import Evidence
internal import Models
internal import Objects
package import Snapshots

/// Whether a model can follow another in a branch: what ran before runs after it.
///
/// A store keeps any model; but a branch is what people run, train on and merge, and a model of another kind on
/// it is nearly always a slip of the path.
extension SnapshotStore {
    /// Refuses a stored model, or one that changes make of the one before, that would not run as that did.
    ///
    /// - Throws: `unfit`.
    /// - Complexity: Next to nothing when config, shapes and numbers are those of the model before; else what
    ///   opening both takes. No expert is read.
    package func checkFit(
        _ tree: Tree, after before: Tree, _ what: String
    ) throws {
        let reason = try misfit(tree, after: before) { stored($1) }
        try refuse(reason ?? unopened(tree, after: before), what)
    }

    /// Why a model of the tree's sizes cannot be opened, though one of those before can; nil when it can.
    private func unopened(_ tree: Tree, after before: Tree) -> String? {
        guard Outline(tree) != Outline(before), let reason = failure(tree) else { return nil }
        return failure(before) == nil ? reason : nil
    }

    private func failure(_ tree: Tree) -> String? {
        Opening(tree) { name in tree.files[name].flatMap { try? self.data(of: $0).1 } }
            .failure(OutlineWeights(tree))
    }

    /// Why a model cannot run as the one before did, by what the two are; nil when it can, or when the one
    /// before could not either.
    ///
    /// - Parameter read: A tensor's bytes; nil for what is not at hand, which is then not held against the model.
    fileprivate func misfit(
        _ tree: Tree, after before: Tree, read: (String, StoredTensor) -> [UInt8]?
    ) throws -> String? {
        let known = before.architecture != "unknown" && !before.architecture.isEmpty
        guard !known || before.architecture == tree.architecture else {
            return "it is a model of type '\(tree.architecture)', and the branch's is "
                + "'\(before.architecture)'"
        }
        guard let reason = try strayAdapter(tree, read) else { return nil }
        return try strayAdapter(before) { stored($1) } == nil ? reason : nil
    }

    /// The bytes of a stored tensor; nil when they cannot be read.
    private func stored(_ tensor: StoredTensor) -> [UInt8]? { try? data(of: tensor.id).1 }

    /// What says of an adapter that its deltas are of other weights than the model has.
    private func strayAdapter(
        _ tree: Tree, _ read: (String, StoredTensor) -> [UInt8]?
    ) throws -> String? {
        var descriptions: [String: AdapterDescription] = [:]
        var digests: BaseDigests?
        var isComplete = true
        for name in StoredAdapters.names(tree).sorted(by: isBefore) {
            let file = AdapterTensorName.description(of: name)
            guard let entry = tree.trunk.tensors[file], let bytes = read(file, entry),
                let description = try? AdapterDescription(bytes, of: name)
            else {
                isComplete = false
                continue
            }
            descriptions[name] = description
            let known = if let digests { digests } else { try BaseDigests(tree) }
            digests = known
            guard !known.fit(description) else { continue }
            return description.kind == .alternative
                ? "'\(name)' is an alternative to other weights than its base has now; settle the alternatives "
                    + "first (cambium resolve)"
                : "the deltas of adapter '\(name)' are of other weights than its base has now"
        }
        guard isComplete else { return nil }
        for (name, description) in descriptions.sorted(by: { isBefore($0.key, $1.key) }) {
            guard let start = description.startedFrom, descriptions[start] == nil else { continue }
            return
                "adapter '\(name)' began as '\(start)', which is not there any more, and has what that had "
                + "learned; forget it too (cambium forget \(name))"
        }
        return StoredAdapters.misfit(descriptions, tree)
    }

    /// Whether a stored model can be run.
    fileprivate func runs(_ id: ObjectID) -> Bool { (try? SnapshotModel(map(id))) != nil }
}

/// - Throws: `unfit`.
private func refuse(_ reason: String?, _ what: String) throws {
    guard let reason else { return }
    throw CambiumError(
        .unfit,
        "\(what) would not run as its history does: \(reason). Nothing was changed; take another branch, "
            + "or, if that is meant, --allow-unfit, which commit, merge and revert have")
}

extension CheckpointSource {
    /// Refuses the checkpoint's model where it would not run as the one before did.
    ///
    /// - Throws: `unfit`.
    /// - Complexity: Next to nothing when config, shapes and numbers are those of the model before; else what
    ///   opening a model takes.
    func checkFit(
        _ tree: Tree, after parent: ObjectID, _ before: Tree, _ store: SnapshotStore,
        _ what: String
    ) throws {
        let reason = try store.misfit(tree, after: before) { name, _ in
            checkpoint.tensor(named: name)?.bytes.copy()
        }
        try refuse(reason ?? unopened(tree, after: parent, before, store), what)
    }

    /// Why the model cannot be opened, though the one before it can; nil when it can.
    private func unopened(
        _ tree: Tree, after parent: ObjectID, _ before: Tree, _ store: SnapshotStore
    ) -> String? {
        guard Outline(tree) != Outline(before) else { return nil }
        let reason = Opening(tree) { file($0, store) }.failure(CheckpointWeights(checkpoint, tree))
        return reason.flatMap { store.runs(parent) ? $0 : nil }
    }

    /// A file that the new tree has: of the checkpoint, or kept from the branch's head.
    private func file(_ name: String, _ store: SnapshotStore) -> [UInt8]? {
        files.first { $0.name == name }?.content
            ?? headFiles[name].flatMap { try? store.data(of: $0).1 }
    }
}
