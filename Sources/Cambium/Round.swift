internal import Elements
internal import Interchange
internal import Models
internal import Objects
internal import Routing
internal import Snapshots
internal import Training

/// A cohort of deltas on the way from a snapshot, through training, to the next.
struct Round {
    let name: String
    let isNew: Bool
    let config: PeerConfig
    let weights: SnapshotWeights
    let parameters: Training.Cohort
    /// The cohorts of the snapshot that it starts from, and the digest of its base.
    let stored: StoredCohorts
    /// How counts predict beside the models of the snapshot that it starts from.
    let mixture: MixtureDescription?
    /// The cohort's own tensors in that snapshot; none of a new one.
    let before: [String: StoredTensor]

    /// Copies the base's weights; reads its experts only when the cohort runs with them.
    ///
    /// - Throws: `unsupported` for an architecture that is not trained; `usage` for a name that cannot be.
    init(
        _ snapshot: MappedSnapshot, _ name: String, _ form: CohortForm, seed: UInt64
    ) throws(StoreError) {
        guard name != "base", !name.isEmpty, name.utf8.count <= 100,
            name.utf8.allSatisfy({ $0 > 32 && $0 < 127 && $0 != UInt8(ascii: "/") })
        else {
            throw StoreError(
                .usage,
                "'\(name)' cannot name a cohort; give 1 to 100 visible ASCII characters without '/', not "
                    + "'base'")
        }
        if case .lowRank(let rank) = form, !(1...4_096).contains(rank) {
            throw StoreError(.usage, "deltas of rank \(rank); give 1 to 4096")
        }
        let stored = try StoredCohorts(snapshot)
        self.stored = stored
        mixture = try snapshot.mixture()
        config = try snapshot.peerConfig()
        weights = SnapshotWeights(snapshot)
        let form = Round.kind(form)
        let index = stored.names.firstIndex(of: name)
        if let index, !stored.descriptions[index].matches(form) {
            throw StoreError(
                .usage,
                "cohort '\(name)' is of kind \(stored.descriptions[index].kind.rawValue); train it further as "
                    + "that, or give another name with --cohort")
        }
        self.name = name
        isNew = index == nil
        let usesExperts = form != .dense && config.peer != nil
        let (config, weights, isNew) = (config, weights, isNew)
        parameters = try training { () throws(TrainingError) in
            let base = try TrainableModel(
                config: usesExperts ? config : config.withoutExperts, source: weights)
            let cohort = Training.Cohort(
                on: base, kind: form, usesExperts: usesExperts, seed: seed)
            if !isNew { try cohort.load(name, from: weights) }
            return cohort
        }
        before = Self.own(name, parameters, in: snapshot.tree)
    }

    /// The cohort's own tensors as a tree has them.
    private static func own(
        _ name: String, _ parameters: Training.Cohort, in tree: Tree
    ) -> [String: StoredTensor] {
        let names = Set(
            parameters.tensorNames(name) + [CohortDescription.tensorName(name)])
        return tree.trunk.tensors.filter { names.contains($0.key) }
    }

    /// What answers the round's texts before it, to stay close to: the cohort, or the base when it is new.
    func modelBefore() throws(StoreError) -> TrainableModel {
        guard isNew else { return parameters.model.copy() }
        let (config, weights) = (config, weights)
        return try training { () throws(TrainingError) in
            try TrainableModel(config: config, source: weights)
        }
    }

    /// Why what was trained does not fit a branch's head any more; nil when it does.
    func obstacle(in tree: Tree) throws(StoreError) -> String? {
        if try StoredCohorts.baseDigest(tree) != stored.base {
            return "the base of the branch changed"
        }
        let now = Self.own(name, parameters, in: tree)
        if now == before { return nil }
        let what = before.isEmpty ? "added to the branch" : now.isEmpty ? "removed" : "changed"
        return "cohort '\(name)' was \(what)"
    }

    /// Names the weights that training starts from.
    var start: String {
        stored.base
            + before.sorted { $0.key < $1.key }.map { " \($0.key) \($0.value.id.hex)" }.joined()
    }

    private static func kind(_ form: CohortForm) -> Training.Cohort.Kind {
        switch form {
        case .dense: .dense
        case .lowRank(let rank): .lowRank(rank)
        }
    }

    /// What the store is to hold of the cohort, by name.
    var tensors: [(name: String, shape: TensorShape, bytes: [UInt8])] {
        let json = parameters.description(base: stored.base).encoded
        return [(CohortDescription.tensorName(name), TensorShape(.u8, [json.count]), json)]
            + parameters.tensors(named: name).map {
                ($0.name, TensorShape(.f32, $0.shape), $0.values.littleEndianBytes)
            }
    }

    /// The model as it will be committed, to evaluate it: the snapshot's with this cohort.
    ///
    /// - Parameters:
    ///   - tensors: Of the cohort.
    ///   - mixture: Of the new snapshot.
    func model(
        _ tensors: [(name: String, shape: TensorShape, bytes: [UInt8])], _ gate: Gate,
        _ mixture: MixtureDescription?
    ) throws(StoreError) -> CohortModel {
        var entries: [CohortModel.Entry] = []
        for (other, entry) in zip(stored.names, stored.entries(config, weights))
        where other != name { entries.append(entry) }
        entries.append(
            CohortModel.Entry(
                name, parameters.description(base: stored.base), config: config,
                source: TrainedWeights(weights, tensors)))
        let (config, weights) = (config, weights)
        let model = try running { () throws(ModelError) in
            try PeerModel(config: config, source: weights)
        }
        return CohortModel(
            model, cohorts: entries, gate: (gate.solved, gate.cohorts),
            counts: mixture?.counts)
    }
}

/// A snapshot's weights with some tensors that it does not hold yet.
struct TrainedWeights: WeightSource {
    private let base: SnapshotWeights
    private let tensors: [String: Weights]

    init(
        _ base: SnapshotWeights, _ tensors: [(name: String, shape: TensorShape, bytes: [UInt8])]
    ) {
        self.base = base
        self.tensors = Dictionary(
            tensors.map {
                ($0.name, Weights(shape: $0.shape, bytes: MappedBytes(copying: $0.bytes)))
            }, uniquingKeysWith: { $1 })
    }

    func tensor(_ name: String) throws(ModelError) -> Weights {
        if let found = tensors[name] { found } else { try base.tensor(name) }
    }

    func experts(layer: Int) throws(ModelError) -> any ExpertTable {
        try base.experts(layer: layer)
    }
}

extension CohortDescription {
    fileprivate func matches(_ kind: Training.Cohort.Kind) -> Bool {
        (kind == .dense) == (self.kind == .dense)
    }
}

extension MappedSnapshot {
    /// The sizes of a model that this version trains.
    ///
    /// - Throws: `unsupported` for another architecture.
    func peerConfig() throws(StoreError) -> PeerConfig {
        guard tree.architecture == "peer-lm", let file = tree.files[Checkpoint.configName] else {
            throw StoreError(
                .unsupported,
                "\(id.short) is a '\(tree.architecture)' model; this version trains peer-lm models only"
            )
        }
        let bytes = try carrying { () throws(SnapshotError) in try object(file).payload.copy() }
        return try running { () throws(ModelError) in try PeerConfig(json: bytes) }
    }
}

/// Runs what may fail in training.
func training<Result>(_ body: () throws(TrainingError) -> Result) throws(StoreError) -> Result {
    do throws(TrainingError) {
        return try body()
    } catch {
        let code: StoreError.Code =
            switch error.code {
            case .badInput: .usage
            case .missingTensor, .badTensor: .badShape
            case .diverged: .diverged
            case .cancelled: .cancelled
            }
        throw StoreError(code, error.message)
    }
}
