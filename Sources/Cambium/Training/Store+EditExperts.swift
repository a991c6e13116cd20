internal import Architectures
internal import Checkpoints
internal import Elements
internal import Evidence
internal import Models
internal import Objects
internal import Routing
internal import Snapshots
internal import Training

extension Store {
    /// Trains the old experts that the round's texts use most relative to the background, and commits them.
    ///
    /// - Parameter count: Of each layer, at most.
    func trainExperts(
        _ count: Int, _ options: TrainOptions, _ progress: ProgressReporter,
        _ isStopped: () -> Bool
    ) throws -> TrainResult {
        let settings = try options.settings()
        guard count > 0 else {
            throw CambiumError(.usage, "\(count) experts to edit; give 1 or more")
        }
        let target = try CommitTarget(options.commit, self)
        let parent = try target.model().parent
        let snapshot = try map(parent.hex)
        let edit = try ExpertEdit(snapshot)
        try options.checkHeldOut(edit.config)
        let known = try snapshot.evidence()
        let mixture = try options.mixture(after: snapshot.mixture(), isStandard: false)
        let new = try options.evidence(
            for: Snapshots.Cohort.base, beside: known.counts, mixesCounts: mixture != nil)
        let gate = try EvidenceGate(known.counts + new)
        let background = try edit.use(
            of: options.background, "background text", label: "background", beside: known.use,
            progress)
        let own = try edit.use(of: options.texts, "text", label: new[0].label, beside: [], progress)
        let parameters = EditedExperts(
            edit.model, experts: try edit.choose(count, own, known.use + background.records))
        let record = try options.record(
            from: parent, mixesCounts: mixture != nil, evidenceOrder: new[0].counts.order)
        let stopped = try StoppedRound(
            self, target.branch, start: parent.hex, options, record)
        let teacher =
            options.divergenceWeight > 0
            ? Teacher(edit.model.copy(), weight: Float(options.divergenceWeight)) : nil
        let (summary, curve) = try run(
            parameters, options, settings, stopped, teacher, progress, isStopped)
        let pools = edit.pools(parameters)
        var bits: [String: Double] = [:]
        if !options.heldOut.isEmpty {
            let model = try edit.model(gate, mixture)
            bits = try evaluate(options.heldOut, progress, isStopped) { text in
                try model.evaluate(
                    text.map { Int($0) }, threads: settings.threads
                ).bitsPerToken
            }
        }
        var commit = options.commit
        annotate(&commit, summary, curve, bits, record)
        commit.metadata["train.edited"] = pools.map { "\($0.layer): \($0.experts.count)" }
            .joined(separator: ", ")
        // The weights grew out of this commit's; another's would be lost.
        commit.expectedParent = commit.expectedParent ?? parent.hex
        let result = try snapshots.commit(commit.request) { patch in
            for pool in pools {
                for (number, bytes) in pool.experts {
                    try patch.put(expert: number, layer: pool.layer, bytes)
                }
            }
            for record in new { try patch.add(.counts(record)) }
            for record in background.records + own.records { try patch.add(.use(record)) }
            if let mixture, patch.before.files[MixtureDescription.fileName] == nil {
                try patch.draft.put(mixture)
            }
            try patch.checkRoutersAndTrunk()
        }
        stopped.remove()
        return TrainResult(
            commit: result.outcome.id.hex, branch: result.branch, cohort: nil, isNewCohort: false,
            edited: pools.map { EditedLayer(layer: $0.layer, experts: $0.experts.map(\.number)) },
            steps: summary.steps, tokens: summary.tokens, seconds: summary.seconds,
            loss: summary.loss, parameters: parameters.parameterCount, bitsPerByte: bits,
            gate: gate?.id.hex, newBytes: result.outcome.newBytes)
    }
}

/// A model on the way to one with some other experts.
private struct ExpertEdit {
    let config: PeerConfig
    /// Changed by training.
    let model: TrainableModel
    private let weights: SnapshotWeights
    private let stored: StoredCohorts
    /// Names what picks experts, for records of use: trunk and routers.
    ///
    /// Editing some experts moves the picks of the layers above a little, which a count of windows bears.
    private let digest: [UInt8]

    /// The experts of a layer that changed.
    struct Pool {
        let layer: Int
        let experts: [(number: Int, bytes: [UInt8])]
    }

    init(_ snapshot: MappedSnapshot) throws {
        let config = try snapshot.peerConfig()
        guard !config.expertLayers.isEmpty else {
            throw CambiumError(.usage, "the model has no experts to edit")
        }
        stored = try StoredCohorts(snapshot)
        if let name = zip(stored.names, stored.descriptions).first(where: { $1.usesExperts })?.0 {
            throw CambiumError(
                .usage,
                "cohort '\(name)' runs with the base's experts, which must stay as they are; train a "
                    + "cohort instead")
        }
        for layer in config.expertLayers {
            let parts =
                snapshot.tree.layers[UInt32(layer)]?.cohorts[Snapshots.Cohort.base]?.parts ?? []
            guard parts.allSatisfy({ $0.type == .f32 }) else {
                throw CambiumError(
                    .unsupported,
                    "the experts of layer \(layer) are \(parts); training writes F32 alone")
            }
        }
        let weights = SnapshotWeights(snapshot, checks: true)
        self.config = config
        self.weights = weights
        model = try TrainableModel(config: config, source: weights)
        digest = try UseContribution.modelDigest(snapshot.tree)
    }

    /// What some texts use the experts for.
    ///
    /// - Parameters:
    ///   - what: The texts, for an error.
    ///   - known: Records that are not made again.
    func use(
        of texts: [[UInt8]], _ what: String, label: String, beside known: [UseContribution],
        _ progress: ProgressReporter
    ) throws -> (picks: [[Int]], records: [UseContribution]) {
        var picks = [[Int]](
            repeating: [Int](repeating: 0, count: config.expertCount),
            count: config.expertLayers.count)
        var records: [UseContribution] = []
        for (index, text) in texts.enumerated() {
            try progress(Progress("use of experts", index, texts.count))
            guard text.count >= config.contextLength else {
                throw CambiumError(
                    .usage,
                    "\(what) \(index + 1) has \(text.count) bytes; a window of the model has "
                        + "\(config.contextLength): give a longer one")
            }
            let found = try ExpertUse(of: text, under: model)
            for layer in picks.indices {
                for expert in picks[layer].indices {
                    picks[layer][expert] += found.picks[layer][expert]
                }
            }
            let record = try found.record(
                of: text, label: label, model: digest, layers: config.expertLayers)
            if !known.contains(where: { $0.data == record.data && $0.model == digest }) {
                records.append(record)
            }
        }
        return (picks, records)
    }

    /// The experts to train, by layer.
    func choose(
        _ count: Int, _ own: (picks: [[Int]], records: [UseContribution]),
        _ known: [UseContribution]
    ) throws -> [[Int]] {
        // The round's own texts are no background to themselves, and a text counts once, however often it
        // was recorded.
        var texts: [[UInt8]: UseContribution] = [:]
        for record in known where record.model == digest {
            guard !own.records.contains(where: { $0.data == record.data }) else { continue }
            let other = texts[record.data]
            if other.map({ record.encoded.lexicographicallyPrecedes($0.encoded) }) ?? true {
                texts[record.data] = record
            }
        }
        let background = Array(texts.values)
        guard !background.isEmpty else {
            throw CambiumError(
                .usage,
                "there is no evidence of what these experts are used for, so none could be told from those "
                    + "that other texts need; give texts of what the model knows: --background FILE"
            )
        }
        var windows = [[Int]](
            repeating: [Int](repeating: 0, count: config.expertCount),
            count: config.expertLayers.count)
        for record in background {
            for layer in record.layers {
                guard let slot = config.expertLayers.firstIndex(of: Int(layer.layer)) else {
                    continue
                }
                for entry in layer.entries where entry.expert < windows[slot].count {
                    windows[slot][Int(entry.expert)] += Int(clamping: entry.windows)
                }
            }
        }
        let chosen = ExpertUse.mostSpecific(
            count, of: own.picks, background: windows,
            backgroundWindows: background.reduce(0) { $0 + Int(clamping: $1.windows) })
        guard chosen.contains(where: { !$0.isEmpty }) else {
            throw CambiumError(
                .usage,
                "every expert that these texts use is used all over the background too; train a cohort "
                    + "instead")
        }
        return chosen
    }

    /// What was trained, as a store keeps it.
    func pools(_ parameters: EditedExperts) -> [Pool] {
        config.expertLayers.enumerated().map { slot, layer in
            Pool(
                layer: layer,
                experts: parameters.experts[slot].map {
                    ($0, parameters.expert($0, slot: slot).littleEndianBytes)
                })
        }
    }

    /// The model as it will be committed, to evaluate it.
    func model(
        _ gate: EvidenceGate?, _ mixture: MixtureDescription?
    ) throws -> CohortModel {
        let (config, weights) = (config, weights)
        let sizes = ModelDescription(config)
        let all = EditedExperts(
            model,
            experts: config.expertLayers.map { _ in Array(0..<config.expertCount) })
        var pools: [CohortPool] = []
        for pool in self.pools(all) {
            let parts = try weights.experts(layer: pool.layer).parts
            pools.append(
                CohortPool(
                    layer: pool.layer, cohort: Snapshots.Cohort.base, kind: .tensors, parts: parts,
                    routerKind: .productKey, experts: pool.experts.map(\.bytes)))
        }
        let source = TrainedWeights(weights, [], pools)
        let base = try LanguageModel(sizes, source: source)
        return CohortModel(
            base, cohorts: stored.entries(sizes, weights),
            gate: gate.map { ($0.solved, $0.cohorts) }, counts: mixture?.counts)
    }
}

extension UseContribution {
    /// Names what picked: the trunk and the routers of a tree's base.
    static func modelDigest(_ tree: Tree) throws -> [UInt8] {
        let hex = try StoredCohorts.baseDigest(tree, .routers)
        return ObjectID(hex: hex)?.bytes ?? []
    }
}

extension ExpertUse {
    /// The record of one text.
    ///
    /// - Parameter layers: The numbers of those with experts.
    func record(
        of text: [UInt8], label: String, model: [UInt8], layers: [Int]
    ) throws -> UseContribution {
        let data = try ObjectID(ofFile: text).bytes
        let (windows, windowsOf) = (windows, windowsOf)
        return try counted(.usage) {
            try UseContribution(
                cohort: Snapshots.Cohort.base, label: label, data: data,
                byteCount: UInt64(text.count),
                model: model, windows: UInt64(windows),
                layers: zip(layers, windowsOf).map { layer, counts in
                    UseContribution.Layer(
                        layer: UInt32(layer),
                        entries: counts.enumerated().filter { $1 > 0 }.map {
                            UseContribution.Layer.Entry(
                                expert: UInt32($0), windows: UInt64($1))
                        })
                })
        }
    }
}

extension ModelPatch {
    /// Checks by ids that nothing changed but the base's experts, and that files were only added.
    fileprivate func checkRoutersAndTrunk() throws {
        func frozen(_ tree: Tree) -> [UInt32: [String: Snapshots.Cohort]] {
            tree.layers.mapValues { layer in
                var cohorts = layer.cohorts
                cohorts[Snapshots.Cohort.base]?.experts = .zero
                return cohorts
            }
        }
        guard draft.tree.trunk == before.trunk, frozen(draft.tree) == frozen(before),
            before.files.allSatisfy({ draft.tree.files[$0.key] == $0.value })
        else {
            throw CambiumError(
                .corrupt,
                "editing experts would have changed weights that are frozen; nothing was committed")
        }
    }
}
