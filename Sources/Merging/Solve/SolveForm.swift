internal import Architectures
internal import Elements
internal import Models
internal import Objects
internal import Snapshots
internal import Tensors

/// Solves what a merge by `solve` changes, before the form is settled that the merged model is written in.
///
/// docs/merging.md, "Solving", says what is solved from what.
struct SolveForm: MergeForm {
    private let inner: any MergeForm
    private let store: SnapshotStore
    private let bases: [ObjectID]
    private let sides: [ObjectID]
    private let sources: SolveSources
    private let policy: SolvePolicy
    private let decisions: MergeDecisions?
    private let settings: SolveSettings
    private var progress: ProgressReporter = { _ in }

    var files: Set<String> { inner.files }

    /// What a user should know of the sources.
    var remarks: [String] { sources.isOneSided ? [] : sources.notes }

    /// - Parameters:
    ///   - inner: Settles the form of the solved model.
    ///   - sides: The target's commit and those that are merged into it.
    ///   - names: All names of each.
    ///   - policy: What stands in for conflicts.
    /// - Returns: Nil for a merge that decides about nothing.
    /// - Throws: `usage` for a text of something that is not merged.
    init?(
        _ inner: any MergeForm, _ store: SnapshotStore, sides: [ObjectID],
        names: [ObjectID: [String]], _ policy: SolvePolicy, _ decisions: MergeDecisions?,
        _ settings: SolveSettings
    ) throws {
        try ThreadTeam.check(settings.threads)
        guard sides.count > 1 else { return nil }
        if sides.count == 2, try store.isAncestor(sides[0], of: sides[1]) { return nil }
        var bases: Set<ObjectID> = []
        for (index, left) in sides.enumerated() {
            for right in sides[..<index] { bases.formUnion(try store.mergeBases(left, right)) }
        }
        // By their content: commits have times.
        let contents = try bases.map { ($0, try store.tree(store.commit($0).tree).weights) }
        let ordered = contents.sorted { ($0.1, $0.0) < ($1.1, $1.0) }.map(\.0)
        self.inner = inner
        self.store = store
        self.bases = ordered
        self.sides = sides
        self.policy = policy
        self.decisions = decisions
        self.settings = settings
        try Self.checkCounts(sides, store)
        sources = try SolveSources(
            store, bases: ordered, sides: sides, names: names, texts: settings.texts)
    }

    /// Refuses sides that do not have the same number of experts, before their configs are in conflict.
    private static func checkCounts(_ sides: [ObjectID], _ store: SnapshotStore) throws {
        let counts = try sides.map { side in
            try store.tree(store.commit(side).tree).layers.compactMapValues {
                $0.pools[ExpertPool.base].map(\.count)
            }
        }
        for (layer, count) in counts[0].sorted(by: { $0.key < $1.key }) {
            guard let other = counts.compactMap({ $0[layer] }).first(where: { $0 != count }) else {
                continue
            }
            throw CambiumError(
                .unsupported,
                "layer \(layer) has \(count) experts on one side and \(other) on another; --policy solve keeps their "
                    + "number: merge what added or removed some by another policy first")
        }
    }

    /// The same, telling of its progress.
    func reporting(_ progress: @escaping ProgressReporter) -> SolveForm {
        var form = self
        form.progress = progress
        return form
    }

    func settle(_ trees: MergeTrees, _ draft: inout CommitDraft) throws -> [String: String] {
        var notes: [String: String] = [:]
        if !sources.isOneSided { notes = try solve(trees, &draft) }
        return notes.merging(try inner.settle(trees, &draft)) { first, _ in first }
    }

    private func solve(
        _ trees: MergeTrees, _ draft: inout CommitDraft
    ) throws -> [String: String] {
        let mapped = (
            bases: try bases.map { try store.map($0) }, sides: try sides.map { try store.map($0) }
        )
        var pools: [Int: SolvedPool] = [:]
        let numbers = (mapped.bases + mapped.sides).reduce(Set<UInt32>()) {
            $0.union($1.tree.layers.keys)
        }
        for layer in numbers.sorted() {
            pools[Int(layer)] = try SolvedPool(
                layer, trees, bases: mapped.bases, sides: mapped.sides)
        }
        guard !pools.isEmpty else { return [:] }
        try checkDecisions(pools)
        try sources.check()
        let added = try settings.keepsVersions ? keepVersions(&pools, trees, mapped) : 0
        var running: [SnapshotModel] = []
        for source in sources.all {
            running.append(
                try SnapshotModel(
                    source.snapshot, memoryLimit: settings.memoryLimit, checks: true,
                    gate: { nil }))
        }
        let start = try merged(draft.tree, pools, added)
        let commits = bases + sides
        let places = sources.all.compactMap { commits.firstIndex(of: $0.snapshot.id) }
        let team = settings.threads == 1 ? ThreadTeam.single : ThreadTeam(count: settings.threads)
        let merge = try SolvedMerge(
            start,
            sources: zip(sources.all, running).map { source, running in
                SolvedMerge.Source(
                    model: running.model.base, texts: try source.windows(running),
                    share: sources.share(of: source))
            }, added: added, team: team)
        try merge.run { layer in
            guard let pool = pools[layer] else { return nil }
            if let kept = pool.kept {
                return LayerToSolve(
                    experts: kept.several, rows: [], bias: pool.biasType,
                    places: places.map { kept.places[$0] }
                ) { slot, _ in try pool.slot(slot) }
            }
            return LayerToSolve(experts: pool.experts, rows: pool.rows, bias: pool.biasType) {
                try pool.version($0, $1.map { places[$0] })
            }
        } solved: { layer, solved in
            try pools[layer]?.put(solved, into: &draft)
        } progress: { done, all in
            try progress(Progress("layers", done, all))
        }
        if added > 0 {
            guard let id = draft.tree.files["config.json"] else {
                throw CambiumError(.unsupported, "the merged model has no config.json")
            }
            let config = try Architecture.config(store.data(of: id).1, adding: added)
            draft.tree.files["config.json"] = try draft.put(.file, config)
        }
        return try notes(added)
    }

    /// Makes room in every layer with experts for all versions of each.
    ///
    /// - Returns: How many experts more each layer has; 0 when no expert changed.
    private func keepVersions(
        _ pools: inout [Int: SolvedPool], _ trees: MergeTrees,
        _ mapped: (bases: [MappedSnapshot], sides: [MappedSnapshot])
    ) throws -> Int {
        let description = try mapped.bases[0].modelDescription()
        try SolvedMerge.check(description)
        let contents = try (mapped.bases + mapped.sides).map { try $0.tree.weights }
        let order = contents.indices.sorted { contents[$0] < contents[$1] }
        var versions: [Int: KeptVersions] = [:]
        for layer in description.expertLayers {
            if description.layers[layer].experts?.givesShares == false {
                throw CambiumError(
                    .unsupported,
                    "the routers of the \(description.architecture) model give no shares of one softmax that would "
                        + "tell several versions of an expert apart; leave out --grow")
            }
            if pools[layer] == nil {
                pools[layer] = try SolvedPool(
                    UInt32(layer), trees, bases: mapped.bases, sides: mapped.sides, always: true)
            }
            versions[layer] = try pools[layer]?.versions(order: order)
        }
        let most = versions.values.map(\.added.count).max() ?? 0
        guard most > 0 else { return 0 }
        for (layer, own) in versions {
            try pools[layer]?.keep(own, added: most, snapshots: mapped.bases + mapped.sides)
        }
        return most
    }

    /// The model that the solution starts from, which runs on the merged trunk.
    private func merged(
        _ tree: Tree, _ pools: [Int: SolvedPool], _ added: Int
    ) throws -> LanguageModel {
        let descriptions = Set(try sources.all.map { try $0.snapshot.modelDescription() })
        let tokenizers = Set(sources.all.map { $0.snapshot.tree.files["tokenizer.json"] })
        guard let description = descriptions.first, descriptions.count == 1, tokenizers.count == 1
        else {
            throw CambiumError(
                .incompatible,
                "what is merged has different \(tokenizers.count > 1 ? "tokenizers" : "configurations"), "
                    + "so that one text is not the same to all; --policy solve needs one")
        }
        try SolvedMerge.check(description)
        var routers: [String: Weights] = [:]
        var experts: [Int: [[UInt8]]] = [:]
        for (layer, pool) in pools {
            if let kept = pool.kept {
                experts[layer] = try kept.added.indices.map {
                    try pool.slot(Int(pool.pool.count) + $0)
                }
            }
            for (tensor, bytes) in pool.router {
                guard let entry = pool.pool.router[tensor] else { continue }
                routers[tensor] = Weights(
                    shape: pool.shape(entry), bytes: MappedBytes(copying: bytes))
            }
        }
        return try LanguageModel(
            description.adding(added, to: description.expertLayers),
            source: SolvedWeights(
                sources.all[0].snapshot, trunk: tree.trunk.tensors, routers: routers,
                added: experts, policy: policy, residency: Residency(limit: settings.memoryLimit)))
    }

    /// Refuses decisions about what is solved.
    private func checkDecisions(_ pools: [Int: SolvedPool]) throws {
        guard let decisions else { return }
        for (layer, pool) in pools.sorted(by: { $0.key < $1.key }) {
            let experts = pool.experts.map {
                MergeEntity.expert(
                    layer: UInt32(layer), pool: ExpertPool.base, ordinal: $0)
            }
            let rows = pool.router.keys.sorted(by: isBefore).flatMap { tensor in
                pool.rows.map {
                    MergeEntity.routerRow(
                        layer: UInt32(layer), pool: ExpertPool.base, tensor: tensor, row: $0)
                }
            }
            for entity in experts + rows where try decisions.settlement(of: entity) != nil {
                throw CambiumError(
                    .usage,
                    "--take decides about \(entity.path), which --policy solve solves together with all "
                        + "other changed experts and rows; leave one of them out")
            }
        }
    }

    /// What the commit says of the solution.
    private func notes(_ added: Int) throws -> [String: String] {
        let texts = sources.all.map { source in
            source.names.sorted(by: isBefore).joined(separator: "=") + ":"
                + source.excerpts.keys.sorted().map(\.hex).joined(separator: ",")
        }
        return [
            "merge.excerpts": try recordedText(texts.sorted(by: isBefore)),
            "merge.solve": "ridge=\(SolvedMerge.ridge) base=\(SolveSources.baseWeight) "
                + (added > 0
                    ? "added=\(added) rows=kl steps=\(SolvedMerge.steps) " : "rows=ridge ")
                + "window=\(SolvedMerge.longestText) features=\(SolvedMerge.mostFeatures) "
                + "sweeps=\(SolvedMerge.sweeps)",
        ]
    }
}
