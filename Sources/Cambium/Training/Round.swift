internal import Architectures
internal import Checkpoints
internal import Elements
internal import Evidence
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
    /// The cohort's own tensors and experts in that snapshot; none of a new one.
    let before: Own

    /// What a tree has of the cohort.
    struct Own: Equatable {
        var tensors: [String: StoredTensor]
        var layers: [UInt32: Snapshots.Cohort]

        var isEmpty: Bool { tensors.isEmpty && layers.isEmpty }
    }

    /// Copies the base's weights; reads its experts only when the cohort runs with them.
    ///
    /// - Throws: `unsupported` for an architecture that is not trained; `usage` for a name that cannot be.
    init(
        _ snapshot: MappedSnapshot, _ name: String, _ form: CohortForm, _ experts: NewExperts?,
        seed: UInt64
    ) throws {
        guard name != "base", !name.isEmpty, name.utf8.count <= 100,
            name.utf8.allSatisfy({ $0 > 32 && $0 < 127 && $0 != UInt8(ascii: "/") })
        else {
            throw CambiumError(
                .usage,
                "'\(name)' cannot name a cohort; give 1 to 100 visible ASCII characters without '/', not "
                    + "'base'")
        }
        if case .lowRank(let rank) = form, !(1...4_096).contains(rank) {
            throw CambiumError(.usage, "deltas of rank \(rank); give 1 to 4096")
        }
        let stored = try StoredCohorts(snapshot)
        self.stored = stored
        mixture = try snapshot.mixture()
        config = try snapshot.peerConfig()
        weights = SnapshotWeights(snapshot, checks: true)
        let form = Round.kind(form)
        let index = stored.names.firstIndex(of: name)
        if let index, !stored.descriptions[index].matches(form) {
            throw CambiumError(
                .usage,
                "cohort '\(name)' is of kind \(stored.descriptions[index].kind.rawValue); train it further as "
                    + "that, or give another name with --cohort")
        }
        let known = index.map { stored.descriptions[$0] }
        let wanted = try experts?.sizes(config)
        if let known, let wanted, known.experts != wanted {
            let has = known.experts == nil ? "no experts of its own" : "experts of other sizes"
            throw CambiumError(
                .usage,
                "cohort '\(name)' has \(has); train it further without --new-experts, or give another "
                    + "name with --cohort")
        }
        let own = known == nil ? wanted : known?.experts
        _ = try own?.config(on: config)
        self.name = name
        isNew = index == nil
        let usesExperts =
            known?.usesExperts ?? (form != .dense && own == nil && !config.expertLayers.isEmpty)
        let base = try TrainableModel(
            config: usesExperts ? config : config.withoutExperts, source: weights)
        parameters = Training.Cohort(
            on: base, kind: form, usesExperts: usesExperts, experts: own, seed: seed)
        if !isNew { try parameters.load(name, from: weights) }
        before = Self.own(name, parameters, in: snapshot.tree)
    }

    /// The cohort's own tensors as a tree has them.
    private static func own(
        _ name: String, _ parameters: Training.Cohort, in tree: Tree
    ) -> Own {
        let names = Set(
            parameters.tensorNames(name) + [CohortTensorName.description(of: name)])
        return Own(
            tensors: tree.trunk.tensors.filter { names.contains($0.key) },
            layers: tree.layers.compactMapValues { $0.cohorts[name] })
    }

    /// What answers the round's texts before it, to stay close to: the cohort, or the base when it is new.
    func modelBefore() throws -> TrainableModel {
        guard isNew else { return parameters.model.copy() }
        let (config, weights) = (config, weights)
        return try TrainableModel(config: config, source: weights)
    }

    /// Why what was trained does not fit a branch's head any more; nil when it does.
    func obstacle(in tree: Tree) throws -> String? {
        let now =
            parameters.runsBaseExperts
            ? try StoredCohorts.baseDigest(tree, .routers, .experts)
            : try StoredCohorts.baseDigest(tree)
        if now != base {
            return "the base of the branch changed"
        }
        let own = Self.own(name, parameters, in: tree)
        if own == before { return nil }
        let what = before.isEmpty ? "added to the branch" : own.isEmpty ? "removed" : "changed"
        return "cohort '\(name)' was \(what)"
    }

    /// Names the weights that training starts from.
    var start: String {
        base
            + before.tensors.sorted { isBefore($0.key, $1.key) }.map {
                " \($0.key) \($0.value.id.hex)"
            }
            .joined()
            + before.layers.sorted { $0.key < $1.key }
            .map { " \($0.key) \($0.value.experts.hex)" }.joined()
    }

    /// The digest of what the deltas are of.
    private var base: String {
        parameters.runsBaseExperts ? stored.baseWithExperts : stored.base
    }

    private static func kind(_ form: CohortForm) -> Training.Cohort.Kind {
        switch form {
        case .dense: .dense
        case .lowRank(let rank): .lowRank(rank)
        }
    }

    /// What the store is to hold of the cohort, by name: the trunk's tensors and those of its own routers.
    var tensors: [CohortTensor] {
        let json = parameters.description(base: base).encoded
        return [(CohortTensorName.description(of: name), TensorShape(.u8, [json.count]), json)]
            + parameters.tensors(named: name).map {
                ($0.name, TensorShape(.f32, $0.shape), $0.values.littleEndianBytes)
            }
    }

    /// The cohort's own experts, layer by layer.
    var pools: [CohortPool] {
        let hidden = config.hiddenSize
        return (parameters.experts?.layers ?? []).map { layer in
            let experts = parameters.experts(layer: layer).map(\.littleEndianBytes)
            switch parameters.experts {
            case .swiglu(let sizes, _):
                let matrix = TensorShape(.f32, [sizes.width, hidden])
                return CohortPool(
                    layer: layer, cohort: name, kind: .swiglu,
                    parts: [matrix, matrix, TensorShape(.f32, [hidden, sizes.width])],
                    routerKind: .linear, experts: experts)
            case .neurons, nil:
                let row = TensorShape(.f32, [hidden])
                return CohortPool(
                    layer: layer, cohort: name, kind: .neuron, parts: [row, row],
                    routerKind: .productKey, experts: experts)
            }
        }
    }

    /// Puts the cohort into a patch.
    func put(
        _ tensors: [CohortTensor], _ pools: [CohortPool], into patch: inout ModelPatch
    ) throws {
        var trunk = tensors
        for pool in pools {
            let prefix = "cohorts.\(name).model.layers.\(pool.layer)."
            let routes = { (tensor: CohortTensor) in
                tensor.name.hasPrefix(prefix) && CohortExperts.isRouter(tensor.name)
                    && !CohortExperts.isNorm(tensor.name)
            }
            try patch.put(pool, router: trunk.filter(routes))
            trunk.removeAll(where: routes)
        }
        try patch.put(trunk)
    }

    /// The model as it will be committed, to evaluate it: the snapshot's with this cohort.
    ///
    /// - Parameters:
    ///   - tensors: Of the cohort.
    ///   - mixture: Of the new snapshot.
    func model(
        _ tensors: [CohortTensor], _ pools: [CohortPool], _ gate: EvidenceGate,
        _ mixture: MixtureDescription?
    ) throws -> CohortModel {
        var entries: [CohortModel.Entry] = []
        let sizes = ModelDescription(config)
        for (other, entry) in zip(stored.names, stored.entries(sizes, weights))
        where other != name { entries.append(entry) }
        entries.append(
            CohortModel.Entry(
                name, parameters.description(base: base), base: sizes,
                source: TrainedWeights(weights, tensors, pools)))
        let weights = weights
        let model = try LanguageModel(sizes, source: weights)
        return CohortModel(
            model, cohorts: entries, gate: (gate.solved, gate.cohorts),
            counts: mixture?.counts)
    }
}

extension CohortDescription {
    fileprivate func matches(_ kind: Training.Cohort.Kind) -> Bool {
        (kind == .dense) == (self.kind == .dense)
    }
}
