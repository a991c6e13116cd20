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
    /// The digest of the base that the deltas are of.
    let base: String

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
        config = try snapshot.peerConfig()
        weights = SnapshotWeights(snapshot)
        base = try StoredCohorts.baseDigest(snapshot.tree)
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
    }

    private static func kind(_ form: CohortForm) -> Training.Cohort.Kind {
        switch form {
        case .dense: .dense
        case .lowRank(let rank): .lowRank(rank)
        }
    }

    /// What the store is to hold of the cohort, by name.
    var tensors: [(name: String, shape: TensorShape, bytes: [UInt8])] {
        let json = parameters.description(base: base).encoded
        return [(CohortDescription.tensorName(name), TensorShape(.u8, [json.count]), json)]
            + parameters.tensors(named: name).map {
                ($0.name, TensorShape(.f32, $0.shape), $0.values.littleEndianBytes)
            }
    }

    /// The model as it will be committed, to evaluate it: the snapshot's with this cohort.
    func model(_ snapshot: MappedSnapshot, _ gate: Gate) throws(StoreError) -> CohortModel {
        let stored = try StoredCohorts(snapshot)
        var entries: [CohortModel.Entry] = []
        for (other, entry) in zip(stored.names, stored.entries(config, weights))
        where other != name { entries.append(entry) }
        entries.append(
            CohortModel.Entry(
                name, parameters.description(base: base), config: config,
                source: TrainedWeights(weights, tensors)))
        let (config, weights) = (config, weights)
        let model = try running { () throws(ModelError) in
            try PeerModel(config: config, source: weights)
        }
        return CohortModel(model, cohorts: entries, gate: (gate.solved, gate.cohorts))
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

extension [Float] {
    /// The elements one after the other, little-endian.
    var littleEndianBytes: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(4 * count)
        for value in self {
            for shift in 0..<4 {
                bytes.append(UInt8(truncatingIfNeeded: value.bitPattern >> UInt32(8 * shift)))
            }
        }
        return bytes
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
