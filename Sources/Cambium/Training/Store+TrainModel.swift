internal import Architectures
internal import Checkpoints
internal import Elements
internal import Evidence
internal import Files
internal import Models
internal import Objects
internal import Routing
internal import Snapshots
internal import Tensors
internal import Training

extension Store {
    /// Trains a model's own weights: a new base, or one that a branch has.
    func trainModel(
        freezesTrunk: Bool, freezesExperts: Bool, _ options: TrainOptions,
        _ progress: ProgressReporter, _ isStopped: () -> Bool
    ) throws -> TrainResult {
        let settings = try options.settings()
        guard !(freezesTrunk && freezesExperts) else {
            throw CambiumError(
                .usage, "trunk and experts are both frozen: nothing is left to train")
        }
        let target = try CommitTarget(options.commit, self)
        let (model, json, base) = try trainable(target, options)
        let usesExperts = !model.config.expertLayers.isEmpty
        if !usesExperts, freezesTrunk {
            throw CambiumError(
                .usage, "the model has no experts: with its trunk frozen nothing is left")
        }
        let parameters = WholeModel(model, trainsExperts: usesExperts && !freezesExperts) { name in
            // SwiGLU experts are among the dense weights in training, neurons are not.
            let isExpert = name.contains(".mlp.experts.")
            let isRouter = CohortExperts.isRouter(name) && !CohortExperts.isNorm(name)
            return isExpert && freezesExperts || freezesTrunk && !isExpert && !isRouter
        }
        try options.checkHeldOut(model.config)
        let parent = try target.parent.map { id in try map(id.hex) }
        let known =
            try parent.map { snapshot in
                try snapshot.evidence()
            } ?? []
        let mixture = try options.mixture(
            after: parent.map { snapshot in try snapshot.mixture() } ?? nil,
            isStandard: options.initial != nil)
        let new = try options.evidence(
            for: "base", beside: known.counts, mixesCounts: mixture != nil)
        let gate = try EvidenceGate(known.counts + new)
        let record = try options.record(
            from: target.parent, mixesCounts: mixture != nil, evidenceOrder: new[0].counts.order)
        let stopped = try StoppedRound(self, target.branch, start: base, options, record)
        let teacher =
            options.divergenceWeight > 0
            ? Teacher(model.copy(), weight: Float(options.divergenceWeight)) : nil
        let (summary, curve) = try run(
            parameters, options, settings, stopped, teacher, progress, isStopped)
        let bits = try evaluate(options.heldOut, progress, isStopped) { text in
            let alone = try TextLikelihood(
                of: text, under: model, usesExperts: true, byteLimit: nil,
                threads: settings.threads)
            guard let mixture, let gate else { return alone.bitsPerByte }
            return alone.bits(
                of: text, by: CohortMixture(gate.solved, counts: mixture.counts))
        }
        var commit = options.commit
        annotate(&commit, summary, curve, bits, record)
        // The weights grew out of this commit's; another's would be lost.
        commit.expectedParent = commit.expectedParent ?? target.parent?.hex
        let result = try self.commit(model, json, commit, progress) { draft in
            for record in new { _ = try draft.add(.counts(record)) }
            try Self.replaceUse(of: options.texts, model, new[0].label, &draft, known)
            if let mixture { try draft.put(mixture) }
            try Self.checkFrozen(target.before, draft.tree, freezesTrunk, freezesExperts)
        }
        stopped.remove()
        return TrainResult(
            commit: result.id, branch: result.branch, cohort: nil, isNewCohort: false,
            edited: [],
            steps: summary.steps, tokens: summary.tokens, seconds: summary.seconds,
            loss: summary.loss,
            parameters: parameters.segments.reduce(0) { $0 + $1.range.count }
                + (parameters.trainsExperts ? model.experts.reduce(0) { $0 + $1.count } : 0),
            bitsPerByte: bits, gate: gate?.id.hex, newBytes: result.newBytes)
    }

    /// The model to train, its config.json, and what names the weights that it starts from.
    private func trainable(
        _ target: CommitTarget, _ options: TrainOptions
    ) throws -> (model: TrainableModel, config: [UInt8], base: String) {
        if let json = options.initial {
            guard target.before == nil else {
                throw CambiumError(
                    .usage,
                    "branch '\(target.branch)' has a model; a new base needs a store or branch without "
                        + "one, and further training no --init")
            }
            let config = try PeerConfig(json: json)
            return (
                TrainableModel(config: config, seed: options.seed), json,
                try ObjectID(ofFile: json).hex
            )
        }
        guard let parent = target.parent else {
            throw CambiumError(
                .notFound,
                "branch '\(target.branch)' has no model; give the sizes of a new one with --init "
                    + "config.json")
        }
        let snapshot = try map(parent.hex)
        let cohorts = try StoredCohorts(snapshot).names
        guard cohorts.isEmpty else {
            throw CambiumError(
                .usage,
                "cohorts (\(cohorts.joined(separator: ", "))) are deltas of this model's weights, which "
                    + "must stay as they are; train a cohort instead")
        }
        let config = try snapshot.peerConfig()
        let json = try snapshot.tree.files[Checkpoint.configName].map { id in
            try snapshot.data(of: id)
        }
        let model = try TrainableModel(
            config: config, source: SnapshotWeights(snapshot, checks: true))
        return (model, json ?? [], parent.hex)
    }

    /// Commits a model by way of a checkpoint in the store's folder, which is removed again.
    private func commit(
        _ model: TrainableModel, _ config: [UInt8], _ options: CommitOptions,
        _ progress: ProgressReporter,
        adding: (inout CommitDraft) throws -> Void
    ) throws -> CommitResult {
        let folder = try TrainingFolder(in: self)
        defer { folder.remove() }
        try writeStoreFile(folder.config, config)
        let tensors = model.tensors()
        try SafetensorsWriter.write(
            tensors.map { TensorEntry($0.name, TensorShape(.f32, $0.shape)) }, to: folder.weights
        ) { (index, sink: inout TensorSink) in
            try sink.append(tensors[index].values.littleEndianBytes.raw)
        }
        return try commit(
            checkpoint: folder.path, options, keeping: .all, progress: progress, adding: adding)
    }

    /// Records what the experts are used for in the round's texts, in place of what was recorded of other
    /// weights.
    private static func replaceUse(
        of texts: [[UInt8]], _ model: TrainableModel, _ label: String,
        _ draft: inout CommitDraft, _ known: [NamedContribution]
    ) throws {
        let digest = try UseContribution.modelDigest(draft.tree)
        for entry in known {
            guard case .use(let record) = entry.record, record.model != digest else { continue }
            draft.tree.files[EvidenceName.name(entry.id)] = nil
        }
        guard !model.config.expertLayers.isEmpty else { return }
        for text in texts where text.count >= model.config.contextLength {
            let use = try ExpertUse(of: text, under: model)
            let record = try use.record(
                of: text, label: label, model: digest, layers: model.config.expertLayers)
            _ = try draft.add(.use(record))
        }
    }

    /// Checks by ids that what was frozen is what it was.
    private static func checkFrozen(
        _ before: Tree?, _ after: Tree, _ freezesTrunk: Bool, _ freezesExperts: Bool
    ) throws {
        guard let before else { return }
        let trunk = !freezesTrunk || before.trunk.tensors == after.trunk.tensors
        let experts =
            !freezesExperts
            || before.layers.mapValues { $0.cohorts.mapValues(\.experts) }
                == after.layers.mapValues { $0.cohorts.mapValues(\.experts) }
        guard trunk, experts else {
            throw CambiumError(
                .unsupported,
                "the \(trunk ? "experts" : "trunk") would not keep their bytes: the model is stored in "
                    + "another type than F32, which training writes; nothing was committed")
        }
    }
}
