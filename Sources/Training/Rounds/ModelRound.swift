internal import Architectures
internal import Checkpoints
internal import Elements
internal import Evidence
internal import Models
internal import Objects
internal import Routing
internal import Snapshots
internal import Tensors

/// A round that trains a model's own weights: of a new base, or of the model that a branch has.
struct ModelRound: Round {
    let start: String
    private let model: TrainableModel
    private let json: [UInt8]
    private let trained: WholeModel
    private let freezesTrunk, freezesExperts: Bool
    private let texts: [RoundText]
    private let known: [NamedContribution]
    private let before: Tree?
    private let store: SnapshotStore
    private var label = ""

    init(
        _ start: RoundStart, freezesTrunk: Bool, freezesExperts: Bool, _ initial: [UInt8]?
    ) throws {
        guard !(freezesTrunk && freezesExperts) else {
            throw CambiumError(
                .usage, "trunk and experts are both frozen: nothing is left to train")
        }
        (model, json, self.start) = try Self.model(start, initial)
        let usesExperts = !model.config.expertLayers.isEmpty || model.config.hash != nil
        if !usesExperts, freezesTrunk {
            throw CambiumError(
                .usage, "the model has no experts: with its trunk frozen nothing is left")
        }
        let layers = model.rows.count
        // Rows that all texts share: what earlier texts used moves the less.
        let uses =
            freezesTrunk
            ? model.config.hash?.router.uses(
                start.evidence.counts.map(\.counts), window: model.config.contextLength) : nil
        if !freezesExperts, let before = start.target.before {
            try TrainableModel.checkRows(of: before, pool: ExpertPool.base)
        }
        trained = WholeModel(
            model, trainsExperts: usesExperts && !freezesExperts,
            protecting: uses.map { [[UInt32]](repeating: $0, count: layers) }
        ) { name in
            // SwiGLU experts are among the dense weights in training, neurons are not.
            let isExpert = name.contains(".mlp.experts.")
            let isRouter = AdapterExperts.isRouter(name) && !AdapterExperts.isNorm(name)
            return isExpert && freezesExperts || freezesTrunk && !isExpert && !isRouter
        }
        self.freezesTrunk = freezesTrunk
        self.freezesExperts = freezesExperts
        texts = start.request.texts
        known = start.evidence
        before = start.target.before
        store = start.target.store
    }

    /// The model to train, its config.json, and what names the weights that it starts from.
    private static func model(
        _ start: RoundStart, _ initial: [UInt8]?
    ) throws -> (model: TrainableModel, config: [UInt8], start: String) {
        if let initial {
            guard start.snapshot == nil else {
                throw CambiumError(
                    .usage,
                    "branch '\(start.target.branch)' has a model; a new base needs a store or branch without "
                        + "one, and further training no --init")
            }
            let config = try PeerConfig(json: initial)
            guard config.solved == nil else {
                throw CambiumError(
                    .badConfig,
                    "config has \"solved\" routers, which are solved from evidence and not trained; leave it "
                        + "out of a new base's, and solve them later: cambium evidence router")
            }
            return (
                TrainableModel(config: config, seed: start.request.seed), initial,
                try ObjectID(ofFile: initial).hex
            )
        }
        guard let snapshot = start.snapshot else {
            throw CambiumError(
                .notFound,
                "branch '\(start.target.branch)' has no model; give the sizes of a new one with --init "
                    + "config.json")
        }
        let adapters = try StoredAdapters(snapshot).names
        guard adapters.isEmpty else {
            throw CambiumError(
                .usage,
                "adapters (\(adapters.joined(separator: ", "))) are deltas of this model's weights, which "
                    + "must stay as they are; train an adapter instead")
        }
        let config = try snapshot.peerConfig()
        let json = try snapshot.tree.files[Checkpoint.configName].map { try snapshot.data(of: $0) }
        let model = try TrainableModel(
            config: config, source: SnapshotWeights(snapshot, checks: true))
        return (model, json ?? [], snapshot.id.hex)
    }

    var config: PeerConfig { model.config }
    var bringsLayout: Bool { true }
    var parameterCount: Int {
        trained.segments.reduce(0) { $0 + $1.range.count }
            + (trained.trainsExperts ? model.experts.reduce(0) { $0 + $1.count } : 0)
            + trained.trainedRows.reduce(0) { $0 + $1.ids.count * $1.width }
    }

    mutating func parameters(label: String, _ progress: ProgressReporter) -> any TrainedParameters {
        self.label = label
        return trained
    }

    func modelBefore() -> TrainableModel { model.copy() }

    func evaluation(
        _ gate: EvidenceGate?, _ mixture: MixtureDescription?, threads: Int
    ) -> ([UInt8]) throws -> Double {
        { text in
            let alone = try TextLikelihood(
                of: text, under: model, usesExperts: true, byteLimit: nil, threads: threads)
            guard let mixture, let gate else { return alone.bitsPerByte }
            return alone.bits(of: text, by: AdapterMixture(gate.solved, counts: mixture.counts))
        }
    }

    /// Stages the model as the checkpoint of one file that it would be exported as.
    func patch(_ draft: inout CommitDraft) throws {
        let tensors = Dictionary(model.tensors().map { ($0.name, $0) }, uniquingKeysWith: { $1 })
        let layout = try CheckpointLayout(
            config: json,
            tensors: tensors.values.map { TensorEntry($0.name, TensorShape(.f32, $0.shape)) }
                + rowEntries)
        func new(_ name: String) throws -> NewTensor {
            guard let tensor = tensors[name] else {
                throw CambiumError(.missingTensor, "the trained model has no tensor \(name)")
            }
            return (name, TensorShape(.f32, tensor.shape), tensor.values.littleEndianBytes)
        }
        var tree = Tree(architecture: layout.architecture)
        for name in layout.trunk {
            if freezesTrunk, let kept = before?.trunk.tensors[name] {
                tree.trunk.tensors[name] = kept
                continue
            }
            let tensor = try new(name)
            tree.trunk.tensors[name] = try draft.putTensor(
                tensor.shape, tensor.bytes.raw, after: before?.trunk.tensors[name])
        }
        draft.tree = tree
        let experts = EditedExperts(model, experts: config.expertLayers.map { _ in [] })
        var ids = Set(tree.trunk.tensors.values.map(\.id))
        if freezesExperts, let before {
            ids.formUnion(try keepExperts(of: before, new, in: &draft))
            try putFiles(&draft, measured: ids)
            return
        }
        for (slot, layer) in (config.hash?.layers ?? []).enumerated() {
            try draft.put(model.rows[slot][0], layer: layer, pool: ExpertPool.base)
        }
        for pool in layout.pools where pool.kind != .row {
            guard let slot = config.expertLayers.firstIndex(of: pool.layer) else { continue }
            ids.formUnion(
                try draft.put(
                    TrainedPool(
                        layer: pool.layer, pool: pool.pool, kind: pool.kind,
                        parts: pool.parts, routerKind: pool.routerKind,
                        experts: (0..<pool.expertCount).map {
                            experts.expert($0, slot: slot).littleEndianBytes
                        }), router: pool.routerTensors.map(new), after: before))
            let router = draft.tree.layers[UInt32(pool.layer)]?.pools[pool.pool]?.router
            ids.formUnion(router?.values.map(\.id) ?? [])
        }
        draft.tree.layout = try draft.put(
            .layout, Self.layout(layout.pools.map(Layout.Pool.init)))
        try putFiles(&draft, measured: ids)
    }

    /// Puts experts in as they are stored, whatever their type, with the trained tensors that route to them.
    ///
    /// - Returns: What they consist of.
    private func keepExperts(
        of before: Tree, _ new: (String) throws -> NewTensor, in draft: inout CommitDraft
    ) throws -> [ObjectID] {
        var ids: [ObjectID] = []
        draft.tree.layers = before.layers
        for (number, layer) in before.layers {
            for (name, pool) in layer.pools {
                for (tensor, entry) in pool.router {
                    let trained = try new(tensor)
                    let stored = try draft.putTensor(
                        trained.shape, trained.bytes.raw, after: entry)
                    draft.tree.layers[number]?.pools[name]?.router[tensor] = stored
                    ids.append(stored.id)
                }
                if pool.kind != .row { ids += try store.experts(of: pool) }
            }
        }
        let pools = try store.layout(of: before)?.pools ?? []
        draft.tree.layout = try draft.put(.layout, Self.layout(pools))
        return ids
    }

    /// Of a checkpoint of one file.
    private static func layout(_ pools: [Layout.Pool]) -> [UInt8] {
        Layout(
            files: [Layout.File(name: Checkpoint.singleFileName, metadata: nil, tensors: [])],
            pools: pools
        ).encoded
    }

    /// Hashed experts as a checkpoint has them.
    private var rowEntries: [TensorEntry] {
        (config.hash?.layers ?? []).map { layer in
            TensorEntry(
                "model.layers.\(layer).\(PeerNames.rows)",
                TensorShape(.f32, [config.hash?.expertCount ?? 0, config.hiddenSize]))
        }
    }

    /// Takes over what the branch's model has besides tensors, as far as it holds of these.
    ///
    /// - Parameter ids: Of all that the model consists of, which squared gradients may be of.
    private func putFiles(_ draft: inout CommitDraft, measured ids: Set<ObjectID>) throws {
        draft.tree.files = (before?.files ?? [:]).filter { name, _ in
            guard name.hasPrefix(FisherFile.prefix) else { return true }
            return ObjectID(hex: String(name.dropFirst(FisherFile.prefix.count)))
                .map(ids.contains) ?? false
        }
        draft.tree.files[ShardIndex.fileName] = nil
        draft.tree.files[Checkpoint.configName] = try draft.put(.file, json)
        let digest = try ActivationContribution.modelDigest(draft.tree)
        for entry in known {
            guard case .activations(let record) = entry.record, record.model != digest else {
                continue
            }
            draft.tree.files[EvidenceName.name(entry.id)] = nil
        }
        guard !config.expertLayers.isEmpty else { return }
        for text in texts where text.bytes.count >= config.contextLength {
            let use = try ExpertUse(of: text.bytes, under: model)
            let record = try use.record(
                of: text.bytes, label: label, model: digest, layers: config.expertLayers)
            _ = try draft.add(.activations(record))
        }
    }

    func checkFrozen(_ before: Tree?, _ after: Tree) throws {
        guard let before else { return }
        let trunk = !freezesTrunk || before.trunk.tensors == after.trunk.tensors
        let experts =
            !freezesExperts
            || before.layers.mapValues { $0.pools.mapValues(\.experts) }
                == after.layers.mapValues { $0.pools.mapValues(\.experts) }
        guard trunk, experts else {
            throw CambiumError(
                .unsupported,
                "the \(trunk ? "experts" : "trunk") would not keep their bytes: the model is stored in "
                    + "another type than F32, which training writes; nothing was committed")
        }
    }
}
