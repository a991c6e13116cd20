internal import Architectures
internal import Checkpoints
internal import Elements
internal import Evidence
internal import Models
internal import Objects
internal import Routing
internal import Snapshots

/// A round that trains an adapter: deltas of a frozen base, with or without experts of their own.
///
/// It is committed on the branch's head of that moment, as long as the base below it is the same; all old
/// weights keep their ids.
struct AdapterRound: Round {
    let name: String
    let isNew: Bool
    let config: PeerConfig
    private let weights: SnapshotWeights
    private let deltas: Adapter
    /// The adapters of the snapshot that it starts from, and the digest of its base.
    private let stored: StoredAdapters
    /// The adapter's own tensors and experts in that snapshot; none of a new one.
    private let before: Own
    /// The adapter as which it began, and what of it training starts from; none where it began as nothing.
    private let startedFrom: String?
    private let source: Own?

    /// What a tree has of the adapter.
    private struct Own: Equatable {
        var tensors: [String: StoredTensor]
        var layers: [UInt32: ExpertPool]

        var isEmpty: Bool { tensors.isEmpty && layers.isEmpty }
        /// All of it by its ids.
        var words: String {
            tensors.sorted { isBefore($0.key, $1.key) }.map { " \($0.key) \($0.value.id.hex)" }
                .joined()
                + layers.sorted { $0.key < $1.key }.map { " \($0.key) \($0.value.experts.hex)" }
                .joined()
        }

        init(_ name: String, _ deltas: Adapter, in tree: Tree) {
            let names = Set(deltas.tensorNames(name) + [AdapterTensorName.description(of: name)])
            tensors = tree.trunk.tensors.filter { names.contains($0.key) }
            layers = tree.layers.compactMapValues { $0.pools[name] }
        }
    }

    /// Copies the base's weights; reads its experts only when the adapter runs with them.
    ///
    /// - Throws: `unsupported` for an architecture that is not trained; `usage` for a name that cannot be.
    init(_ start: RoundStart, _ name: String, _ kind: Adapter.Kind, _ pool: NewPool?) throws {
        guard let snapshot = start.snapshot else {
            throw CambiumError(
                .notFound,
                "branch '\(start.target.branch)' has no model to train an adapter on; commit a checkpoint, or "
                    + "train a base first: cambium train --init config.json --data FILE")
        }
        try AdapterTensorName.check(name)
        if case .lowRank(let rank) = kind, !(1...4_096).contains(rank) {
            throw CambiumError(.usage, "deltas of rank \(rank); give 1 to 4096")
        }
        let stored = try StoredAdapters(snapshot)
        self.stored = stored
        config = try snapshot.peerConfig()
        weights = SnapshotWeights(snapshot, checks: true)
        let known = stored.names.firstIndex(of: name).map { stored.descriptions[$0] }
        if let known, kind.described != known.kind {
            throw CambiumError(
                .usage,
                "adapter '\(name)' is of kind \(known.kind.rawValue); train it further as "
                    + "that, or give another name with --adapter")
        }
        let wanted = try pool?.sizes(config)
        if let known, let wanted, known.experts != wanted {
            let has = known.experts == nil ? "no experts of its own" : "experts of other sizes"
            throw CambiumError(
                .usage,
                "adapter '\(name)' has \(has); train it further without --new-experts, or give another "
                    + "name with --adapter")
        }
        let own = known == nil ? wanted : known?.experts
        _ = try own?.config(on: config)
        self.name = name
        isNew = known == nil
        let usesExperts =
            known?.usesExperts ?? (kind != .dense && own == nil && !config.expertLayers.isEmpty)
        try TrainableModel.checkRows(of: snapshot.tree, pool: name)
        let base = try TrainableModel(
            config: usesExperts ? config : config.withoutExperts, source: weights)
        deltas = Adapter(
            on: base, kind: kind, usesExperts: usesExperts, experts: own, seed: start.request.seed)
        let other = try start.adapter(kind, own, stored, isNew: isNew)
        if let begun = isNew ? other : name { try deltas.load(begun, from: weights) }
        startedFrom = isNew ? other : known?.startedFrom
        before = Own(name, deltas, in: snapshot.tree)
        if let other { source = Own(other, deltas, in: snapshot.tree) } else { source = nil }
        let others = Set(stored.names + [name])
        guard start.evidence.counts.contains(where: { !others.contains($0.adapter) }) else {
            throw CambiumError(
                .usage,
                "\(snapshot.id.short) has no evidence of what its base knows, so the gate could not tell "
                    + "other texts from those of '\(name)'; add some first: cambium evidence add "
                    + "--adapter base --text FILE")
        }
    }

    var learner: String { name }
    var followsHead: Bool { true }
    var parameterCount: Int { deltas.parameterCount }
    var adapter: TrainedAdapter? {
        TrainedAdapter(name: name, isNew: isNew, startedFrom: startedFrom)
    }

    var start: String { base + before.words + (source?.words ?? "") }

    /// The digest of what the deltas are of.
    private var base: String { deltas.runsBaseExperts ? stored.baseWithExperts : stored.base }

    func parameters(label: String, _ progress: ProgressReporter) -> any TrainedParameters { deltas }

    /// The adapter or, when it is new, the base.
    func modelBefore() throws -> TrainableModel {
        isNew
            ? try TrainableModel(config: config, source: weights) : deltas.model.copy()
    }

    func evaluation(
        _ gate: EvidenceGate?, _ mixture: MixtureDescription?, threads: Int
    ) throws -> ([UInt8]) throws -> Double {
        let sizes = ModelDescription(config)
        var entries = stored.entries(sizes, weights).filter { $0.name != name }
        entries.append(
            AdaptedModel.Entry(
                name, deltas.description(base: base, startedFrom: startedFrom), base: sizes,
                source: TrainedWeights(weights, tensors, pools, rows: deltas.ownRows)))
        let isByLikelihood = stored.picksByLikelihood(gate?.adapters)
        let solved: (gate: CountGate, classes: [String])? =
            isByLikelihood ? nil : gate.map { ($0.solved, $0.adapters) }
        let model = AdaptedModel(
            try LanguageModel(sizes, source: weights), adapters: entries, gate: solved,
            counts: solved == nil ? nil : mixture?.counts, picksByLikelihood: isByLikelihood)
        return { text in
            try model.evaluate(text.map { Int($0) }, threads: threads).bitsPerToken
        }
    }

    func obstacle(in tree: Tree) throws -> String? {
        let now =
            deltas.runsBaseExperts
            ? try BaseDigests.digest(tree, .routers, .experts)
            : try BaseDigests.digest(tree)
        if now != base { return "the base of the branch changed" }
        if isNew, let startedFrom, Own(startedFrom, deltas, in: tree).isEmpty {
            return "adapter '\(startedFrom)', as which this one began, was removed"
        }
        let own = Own(name, deltas, in: tree)
        if own == before { return nil }
        let what = before.isEmpty ? "added to the branch" : own.isEmpty ? "removed" : "changed"
        return "adapter '\(name)' was \(what)"
    }

    func patch(_ draft: inout CommitDraft) throws {
        var trunk = tensors
        for (layer, rows) in deltas.ownRows.sorted(by: { $0.key < $1.key }) {
            try draft.put(rows, layer: layer, pool: name)
        }
        for pool in pools {
            let prefix = AdapterTensorName.prefix(of: name) + "model.layers.\(pool.layer)."
            let routes = { (tensor: NewTensor) in
                tensor.name.hasPrefix(prefix) && AdapterExperts.isRouter(tensor.name)
                    && !AdapterExperts.isNorm(tensor.name)
            }
            try draft.put(pool, router: trunk.filter(routes), after: draft.tree)
            trunk.removeAll(where: routes)
        }
        for (name, shape, bytes) in trunk {
            draft.tree.trunk.tensors[name] = try draft.putTensor(
                shape, bytes.raw, after: draft.tree.trunk.tensors[name])
        }
    }

    func checkFrozen(_ before: Tree?, _ after: Tree) throws {
        guard let before else { return }
        let own = Set(tensors.map(\.name))
        func others(_ tree: Tree) -> [UInt32: [String: ExpertPool]] {
            tree.layers.mapValues { $0.pools.filter { $0.key != name } }
                .filter { !$0.value.isEmpty }
        }
        let trunk = before.trunk.tensors.filter { !own.contains($0.key) }
        guard others(after) == others(before),
            after.trunk.tensors.filter({ !own.contains($0.key) }) == trunk,
            before.files.allSatisfy({ after.files[$0.key] == $0.value })
        else {
            throw CambiumError(
                .corrupt,
                "the round of adapter '\(name)' would have changed weights that are frozen; nothing was "
                    + "committed")
        }
    }

    /// What the store is to hold of the adapter: the trunk's tensors and those of its own routers.
    private var tensors: [NewTensor] {
        let json = deltas.description(base: base, startedFrom: startedFrom).encoded
        return [(AdapterTensorName.description(of: name), TensorShape(.u8, [json.count]), json)]
            + deltas.tensors(named: name).map {
                ($0.name, TensorShape(.f32, $0.shape), $0.values.littleEndianBytes)
            }
    }

    /// The adapter's own experts, layer by layer.
    private var pools: [TrainedPool] {
        let hidden = config.hiddenSize
        return (deltas.experts?.layers ?? []).map { layer in
            let experts = deltas.experts(layer: layer).map(\.littleEndianBytes)
            switch deltas.experts {
            case .swiglu(let sizes, _):
                let matrix = TensorShape(.f32, [sizes.width, hidden])
                return TrainedPool(
                    layer: layer, pool: name, kind: .swiglu,
                    parts: [matrix, matrix, TensorShape(.f32, [hidden, sizes.width])],
                    routerKind: .linear, experts: experts)
            case .neurons, nil:
                let row = TensorShape(.f32, [hidden])
                return TrainedPool(
                    layer: layer, pool: name, kind: .neuron, parts: [row, row],
                    routerKind: .productKey, experts: experts)
            }
        }
    }
}
