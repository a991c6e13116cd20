internal import Architectures
internal import Checkpoints
internal import Elements
internal import Evidence
internal import Models
internal import Objects
internal import Routing
internal import Snapshots

/// A round that trains the old experts that its texts use most relative to the background.
struct EditRound: Round {
    let config: PeerConfig
    let start: String
    /// Changed by training.
    private let model: TrainableModel
    private let weights: SnapshotWeights
    private let stored: StoredAdapters
    /// Of each layer, at most.
    private let count: Int
    private let texts, background: [RoundText]
    private let known: [ActivationContribution]
    /// Names what picks experts, for records of use: trunk and routers.
    ///
    /// Editing some experts moves the picks of the layers above a little, which a count of windows bears.
    private let digest: [UInt8]
    /// What is trained, once it was chosen.
    private var chosen: EditedExperts
    /// Of what the texts use the experts for; to be kept.
    private var records: [ActivationContribution] = []

    init(_ start: RoundStart, _ count: Int, _ background: [RoundText]) throws {
        guard count > 0 else {
            throw CambiumError(.usage, "\(count) experts to edit; give 1 or more")
        }
        guard let snapshot = start.snapshot else {
            throw CambiumError(
                .notFound,
                "branch '\(start.target.branch)' has no model; commit a checkpoint first")
        }
        let config = try snapshot.peerConfig()
        guard !config.expertLayers.isEmpty else {
            throw CambiumError(.usage, "the model has no experts to edit")
        }
        stored = try StoredAdapters(snapshot)
        if let name = zip(stored.names, stored.descriptions).first(where: { $1.usesExperts })?.0 {
            throw CambiumError(
                .usage,
                "adapter '\(name)' runs with the base's experts, which must stay as they are; train "
                    + "an adapter instead")
        }
        for layer in config.expertLayers {
            let parts =
                snapshot.tree.layers[UInt32(layer)]?.pools[ExpertPool.base]?.parts ?? []
            guard parts.allSatisfy({ $0.type == .f32 }) else {
                throw CambiumError(
                    .unsupported,
                    "the experts of layer \(layer) are \(parts); training writes F32 alone")
            }
        }
        self.config = config
        self.start = snapshot.id.hex
        weights = SnapshotWeights(snapshot, checks: true)
        model = try TrainableModel(config: config, source: weights)
        self.count = count
        texts = start.request.texts
        self.background = background
        known = start.evidence.activations
        digest = try ActivationContribution.modelDigest(snapshot.tree)
        chosen = EditedExperts(model, experts: config.expertLayers.map { _ in [] })
    }

    var parameterCount: Int { chosen.parameterCount }
    var edited: [(layer: Int, experts: [Int])] {
        zip(config.expertLayers, chosen.experts).map { ($0, $1) }
    }

    mutating func parameters(
        label: String, _ progress: ProgressReporter
    ) throws -> any TrainedParameters {
        let other = try use(of: background, "background text", "background", known, progress)
        let own = try use(of: texts, "text", label, [], progress)
        chosen = EditedExperts(model, experts: try choose(own, known + other.records))
        records = other.records + own.records
        return chosen
    }

    func modelBefore() -> TrainableModel { model.copy() }

    /// What some texts use the experts for.
    ///
    /// - Parameters:
    ///   - what: The texts, for an error.
    ///   - known: Records that are not made again.
    private func use(
        of texts: [RoundText], _ what: String, _ label: String, _ known: [ActivationContribution],
        _ progress: ProgressReporter
    ) throws -> (selection: [[Int]], records: [ActivationContribution]) {
        var selection = [[Int]](
            repeating: [Int](repeating: 0, count: config.expertCount),
            count: config.expertLayers.count)
        var records: [ActivationContribution] = []
        for (index, text) in texts.enumerated() {
            try progress(Progress("use of experts", index, texts.count))
            guard text.bytes.count >= config.contextLength else {
                throw CambiumError(
                    .usage,
                    "\(what) \(index + 1) has \(text.bytes.count) bytes; a window of the model has "
                        + "\(config.contextLength): give a longer one")
            }
            let found = try ExpertUse(of: text.bytes, under: model)
            for layer in selection.indices {
                for expert in selection[layer].indices {
                    selection[layer][expert] += found.selection[layer][expert]
                }
            }
            let record = try found.record(
                of: text.bytes, label: label, model: digest, layers: config.expertLayers)
            if !known.contains(where: { $0.data == record.data && $0.model == digest }) {
                records.append(record)
            }
        }
        return (selection, records)
    }

    /// The experts to train, by layer.
    private func choose(
        _ own: (selection: [[Int]], records: [ActivationContribution]),
        _ known: [ActivationContribution]
    ) throws -> [[Int]] {
        // The round's own texts are no background to themselves, and a text counts once, however often it
        // was recorded.
        var texts: [[UInt8]: ActivationContribution] = [:]
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
            count, of: own.selection, background: windows,
            backgroundWindows: background.reduce(0) { $0 + Int(clamping: $1.windows) })
        guard chosen.contains(where: { !$0.isEmpty }) else {
            throw CambiumError(
                .usage,
                "every expert that these texts use is used all over the background too; train an adapter "
                    + "instead")
        }
        return chosen
    }

    func evaluation(
        _ gate: EvidenceGate?, _ mixture: MixtureDescription?, threads: Int
    ) throws -> ([UInt8]) throws -> Double {
        let sizes = ModelDescription(config)
        let pools = try config.expertLayers.enumerated().map { slot, layer in
            TrainedPool(
                layer: layer, pool: ExpertPool.base, kind: .tensors,
                parts: try weights.experts(layer: layer).parts, routerKind: .productKey,
                experts: (0..<config.expertCount).map {
                    chosen.expert($0, slot: slot).littleEndianBytes
                })
        }
        let model = AdaptedModel(
            try LanguageModel(sizes, source: TrainedWeights(weights, [], pools)),
            adapters: stored.entries(sizes, weights),
            gate: gate.map { ($0.solved, $0.adapters) }, counts: mixture?.counts)
        return { text in
            try model.evaluate(text.map { Int($0) }, threads: threads).bitsPerToken
        }
    }

    func patch(_ draft: inout CommitDraft) throws {
        for (slot, layer) in config.expertLayers.enumerated() {
            let number = UInt32(layer)
            guard let pool = draft.tree.layers[number]?.pools[ExpertPool.base] else {
                continue
            }
            let header = try ObjectHeader(pool.kind, pool.parts)
            var ids: [Int: ObjectID] = [:]
            for expert in chosen.experts[slot] {
                let bytes = chosen.expert(expert, slot: slot).littleEndianBytes
                ids[expert] = try draft.put(
                    header, bytes.raw,
                    after: try draft.version(ofArray: pool.experts, expert))
            }
            let edited = try draft.putExperts(changing: pool.experts, ids)
            draft.tree.layers[number]?.pools[ExpertPool.base]?.replace(by: edited)
        }
        for record in records { _ = try draft.add(.activations(record)) }
    }

    func checkFrozen(_ before: Tree?, _ after: Tree) throws {
        func frozen(_ tree: Tree) -> [UInt32: [String: ExpertPool]] {
            tree.layers.mapValues { layer in
                var pools = layer.pools
                pools[ExpertPool.base]?.experts = .zero
                return pools
            }
        }
        guard let before, after.trunk == before.trunk, frozen(after) == frozen(before),
            before.files.allSatisfy({ after.files[$0.key] == $0.value })
        else {
            throw CambiumError(
                .corrupt,
                "editing experts would have changed weights that are frozen; nothing was committed")
        }
    }
}

extension ActivationContribution {
    /// Names what picked: the trunk and the routers of a tree's base.
    static func modelDigest(_ tree: Tree) throws -> [UInt8] {
        let hex = try BaseDigests.digest(tree, .routers)
        return ObjectID(hex: hex)?.bytes ?? []
    }
}

extension ExpertUse {
    /// The record of one text.
    ///
    /// - Parameter layers: The numbers of those with experts.
    func record(
        of text: [UInt8], label: String, model: [UInt8], layers: [Int]
    ) throws -> ActivationContribution {
        let data = try ObjectID(ofFile: text).bytes
        return try counted(.usage) {
            try ActivationContribution(
                adapter: ExpertPool.base, label: label, data: data,
                byteCount: UInt64(text.count),
                model: model, windows: UInt64(windows),
                layers: zip(layers, windowsOf).map { layer, counts in
                    ActivationContribution.Layer(
                        layer: UInt32(layer),
                        entries: counts.enumerated().filter { $1 > 0 }.map {
                            ActivationContribution.Layer.Entry(
                                expert: UInt32($0), windows: UInt64($1))
                        })
                })
        }
    }
}
