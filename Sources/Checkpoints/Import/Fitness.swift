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
    package func checkFit(_ tree: Tree, after before: Tree, _ what: String) throws {
        try refuse(misfit(tree, after: before) { stored($1) }, what)
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
        "\(what) would not run as its history does: \(reason). Nothing was changed; take another "
            + "branch, or, if that is meant and the command has it, give --allow-unfit")
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
        guard Outline(tree) != Outline(before), let config = file("config.json", store),
            ModelDescription.isKnown(tree.architecture)
        else { return nil }
        do {
            let description = try ModelDescription(
                architecture: tree.architecture, json: config,
                generation: file("generation_config.json", store))
            _ = try LanguageModel(description, source: CheckpointWeights(checkpoint, tree))
            return nil
        } catch {
            return store.runs(parent) ? "\(error)" : nil
        }
    }

    /// A file that the new tree has: of the checkpoint, or kept from the branch's head.
    private func file(_ name: String, _ store: SnapshotStore) -> [UInt8]? {
        files.first { $0.name == name }?.content
            ?? headFiles[name].flatMap { try? store.data(of: $0).1 }
    }
}

/// What decides whether a model can be opened, without its numbers.
private struct Outline: Equatable {
    struct Pool: Equatable {
        let kind: ObjectKind
        let parts: [TensorShape]
        let count: UInt64
        let router: [String: TensorShape]
    }

    let files: [ObjectID?]
    let trunk: [String: TensorShape]
    let pools: [UInt32: [String: Pool]]

    init(_ tree: Tree) {
        files = ["config.json", "generation_config.json"].map { tree.files[$0] }
        trunk = tree.trunk.tensors.mapValues(\.shape)
        pools = tree.layers.mapValues { layer in
            layer.pools.mapValues {
                Pool(
                    kind: $0.kind, parts: $0.parts, count: $0.count,
                    router: $0.router.mapValues(\.shape))
            }
        }
    }
}

/// The weights of a checkpoint where they are mapped, to see whether a model can be made of them.
private struct CheckpointWeights: WeightSource {
    private let checkpoint: Checkpoint
    private let tree: Tree

    init(_ checkpoint: Checkpoint, _ tree: Tree) {
        self.checkpoint = checkpoint
        self.tree = tree
    }

    func tensor(_ name: String) throws -> Weights {
        guard let found = checkpoint.tensor(named: name) else {
            throw CambiumError(.missingTensor, "the checkpoint has no tensor \(name)")
        }
        return Weights(shape: found.shape, bytes: found.bytes)
    }

    var inventory: WeightInventory? { WeightInventory(tree) }

    func experts(layer: Int) throws -> any ExpertTable {
        guard let own = tree.layers[UInt32(clamping: layer)]?.pools[ExpertPool.base] else {
            throw CambiumError(.missingTensor, "the checkpoint has no experts in layer \(layer)")
        }
        return UnreadExperts(parts: own.parts, count: Int(clamping: own.count))
    }
}

/// Experts of which only the sizes are asked for.
private final class UnreadExperts: ExpertTable {
    let parts: [TensorShape]
    let count: Int

    init(parts: [TensorShape], count: Int) {
        self.parts = parts
        self.count = count
    }

    func find(_ ordinals: Span<UInt32>, _ addresses: inout ExpertAddresses) throws {
        throw CambiumError(.unsupported, "the experts of a checkpoint are not run")
    }
}
