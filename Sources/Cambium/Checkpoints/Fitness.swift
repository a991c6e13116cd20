internal import Architectures
internal import Checkpoints
internal import Elements
internal import Models
internal import Objects
internal import Snapshots

/// Whether a model can follow another in a branch: what ran before runs after it.
///
/// A store keeps any model; but a branch is what people run, train on and merge, and a model of another kind on
/// it is nearly always a slip of the path.
extension Store {
    /// Why a model cannot run as the one before did, by what the two are; nil when it can, or when the one
    /// before could not either.
    ///
    /// - Parameter read: A tensor's bytes; nil for what is not at hand, which is then not held against the model.
    func misfit(
        _ tree: Tree, after before: Tree, read: (String, StoredTensor) -> [UInt8]?
    ) throws -> String? {
        let known = before.architecture != "unknown" && !before.architecture.isEmpty
        guard !known || before.architecture == tree.architecture else {
            return "it is a '\(tree.architecture)' model, and the branch's is "
                + "'\(before.architecture)'"
        }
        guard let reason = try strayCohort(tree, read) else { return nil }
        return try strayCohort(before) { stored($1) } == nil ? reason : nil
    }

    /// As ``misfit(_:after:read:)``, of trees that are stored.
    func misfit(_ tree: Tree, after before: Tree) throws -> String? {
        try misfit(tree, after: before) { stored($1) }
    }

    /// The bytes of a stored tensor; nil when they cannot be read.
    func stored(_ tensor: StoredTensor) -> [UInt8]? { try? snapshots.data(of: tensor.id).1 }

    /// What says of a cohort that its deltas are of other weights than the model has.
    private func strayCohort(
        _ tree: Tree, _ read: (String, StoredTensor) -> [UInt8]?
    ) throws -> String? {
        var digests: Set<String> = []
        for name in StoredCohorts.names(tree).sorted(by: isBefore) {
            let file = CohortTensorName.description(of: name)
            guard let entry = tree.trunk.tensors[file], let bytes = read(file, entry),
                let description = try? CohortDescription(bytes, of: name), !description.base.isEmpty
            else { continue }
            if digests.isEmpty {
                digests = [
                    try StoredCohorts.baseDigest(tree),
                    try StoredCohorts.baseDigest(tree, .routers, .experts),
                ]
            }
            guard digests.contains(description.base) else {
                return "the deltas of cohort '\(name)' are of other weights than its base has now"
            }
        }
        return nil
    }

    /// Refuses a model that would not run as its branch's history does.
    ///
    /// - Throws: `unfit`.
    static func checkFit(_ candidate: CommitCandidate) throws {
        let store = Store(candidate.store, candidate.store.directory)
        let reason = try store.misfit(candidate.tree, after: candidate.before) { name, entry in
            guard let content = candidate.content else { return store.stored(entry) }
            return content.tensor(name)?.copy()
        }
        try refuse(
            reason ?? store.unopened(candidate), "the model on branch '\(candidate.branch)'")
    }

    /// Why a model that comes whole cannot be run, though the one before it can; nil when it can.
    ///
    /// - Complexity: Nothing when config, shapes and numbers are those of the model before; else what opening a
    ///   model takes.
    private func unopened(_ candidate: CommitCandidate) -> String? {
        let tree = candidate.tree
        guard let content = candidate.content, Outline(tree) != Outline(candidate.before),
            let config = content.file("config.json")
        else { return nil }
        do {
            if ModelDescription.isKnown(tree.architecture) {
                let description = try ModelDescription(
                    architecture: tree.architecture, json: config,
                    generation: content.file("generation_config.json"))
                _ = try LanguageModel(description, source: CandidateWeights(tree, content))
            }
            return nil
        } catch {
            let ran = (try? model(candidate.parent.hex, ModelOptions(warms: false))) != nil
            return ran ? "\(error)" : nil
        }
    }

    /// - Throws: `unfit`.
    static func refuse(_ reason: String?, _ what: String) throws {
        guard let reason else { return }
        throw CambiumError(
            .unfit,
            "\(what) would not run as its history does: \(reason). Nothing was changed; give --allow-unfit if "
                + "that is meant, or take another branch")
    }
}

extension CheckpointSource {
    /// What the model is made of, for a look at it before it is committed.
    func content(_ store: SnapshotStore) -> CommitCandidate.Content {
        CommitCandidate.Content(
            tensor: { checkpoint.tensor(named: $0)?.bytes },
            file: { name in
                files.first { $0.name == name }?.content
                    ?? headFiles[name].flatMap { try? store.data(of: $0).1 }
            })
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
            layer.cohorts.mapValues {
                Pool(
                    kind: $0.kind, parts: $0.parts, count: $0.count,
                    router: $0.router.mapValues(\.shape))
            }
        }
    }
}

/// The weights of a model that is not stored yet, to see whether it can be opened.
private struct CandidateWeights: WeightSource {
    private let tree: Tree
    private let content: CommitCandidate.Content

    init(_ tree: Tree, _ content: CommitCandidate.Content) {
        self.tree = tree
        self.content = content
    }

    func tensor(_ name: String) throws -> Weights {
        guard let entry = tree.tensors[name], let bytes = content.tensor(name) else {
            throw CambiumError(.missingTensor, "the checkpoint has no tensor \(name)")
        }
        return Weights(shape: entry.shape, bytes: bytes)
    }

    var inventory: WeightInventory? { WeightInventory(tree) }

    func experts(layer: Int) throws -> any ExpertTable {
        guard let own = tree.layers[UInt32(clamping: layer)]?.cohorts[Cohort.base] else {
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

    func find(
        _ ordinals: Span<UInt32>, _ addresses: inout ExpertAddresses
    ) throws {
        throw CambiumError(.unsupported, "the experts of a checkpoint are not run")
    }
}
