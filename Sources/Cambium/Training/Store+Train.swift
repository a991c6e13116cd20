internal import Checkpoints
internal import Elements
internal import Evidence
internal import Models
internal import Objects
internal import Routing
internal import Snapshots
internal import Training

extension Store {
    /// Trains a round and commits it: a cohort on the frozen model of a branch, or the model itself.
    ///
    /// Training holds no lock; other processes may read and commit meanwhile. A cohort is committed on the
    /// branch's head of that moment, as long as the base below it is the same; all old weights keep their
    /// ids, which is checked. The texts are counted as evidence in the same commit, so that the gate knows
    /// the cohort.
    ///
    /// - Parameters:
    ///   - options: The data, what is trained, and for how long.
    ///   - progress: Called after each step, with loss and speed in its detail.
    ///   - isStopped: Asked after each step; true stops the round, keeps its state in the store's folder
    ///     for `resumes`, and throws `cancelled`.
    /// - Throws: `usage` for options or texts that cannot be; `not-found` for a branch without a model;
    ///   `diverged`; `cancelled`; `branch-moved` when the base changed meanwhile. Then nothing is committed.
    @discardableResult
    public func train(
        _ options: TrainOptions, progress: ProgressReporter = { _ in },
        isStopped: () -> Bool = { false }
    ) throws -> TrainResult {
        guard !options.texts.isEmpty else {
            throw CambiumError(.usage, "there is no text to train on")
        }
        try options.checkTarget()
        switch options.target {
        case .cohort(let name, let form):
            return try trainCohort(name, form, options, progress, isStopped)
        case .model(let freezesTrunk, let freezesExperts):
            return try trainModel(
                freezesTrunk: freezesTrunk, freezesExperts: freezesExperts, options, progress,
                isStopped)
        case .experts(let count):
            return try trainExperts(count, options, progress, isStopped)
        }
    }

    private func trainCohort(
        _ name: String, _ form: CohortForm, _ options: TrainOptions,
        _ progress: ProgressReporter, _ isStopped: () -> Bool
    ) throws -> TrainResult {
        let settings = try options.settings()
        let target = try CommitTarget(options.commit, self)
        guard let parent = target.parent else {
            throw CambiumError(
                .notFound,
                "branch '\(target.branch)' has no model to train a cohort on; commit a checkpoint, or train "
                    + "a base first: cambium train --init config.json --data FILE")
        }
        let snapshot = try map(parent.hex)
        let known = try snapshot.evidence()
        let round = try Round(snapshot, name, form, options.newExperts, seed: options.seed)
        let others = Set(round.stored.names + [name])
        guard known.counts.contains(where: { !others.contains($0.cohort) }) else {
            throw CambiumError(
                .usage,
                "\(snapshot.id.short) has no evidence of what its base knows, so the gate could not tell "
                    + "other texts from those of '\(name)'; add some first: cambium evidence add "
                    + "--cohort base --text FILE")
        }
        try options.checkHeldOut(round.config)
        let mixture = try options.mixture(after: round.mixture, isStandard: false)
        let records = try options.evidence(
            for: name, beside: known.counts, mixesCounts: mixture != nil)
        let gate = try EvidenceGate(known.counts + records)
        let record = try options.record(
            from: parent, mixesCounts: mixture != nil, evidenceOrder: records[0].counts.order)
        let stopped = try StoppedRound(
            self, target.branch, start: round.start, options, record)
        let teacher =
            options.divergenceWeight > 0
            ? Teacher(try round.modelBefore(), weight: Float(options.divergenceWeight)) : nil
        let (summary, curve) = try run(
            round.parameters, options, settings, stopped, teacher, progress, isStopped)
        let (tensors, pools) = (round.tensors, round.pools)
        var bits: [String: Double] = [:]
        if !options.heldOut.isEmpty, let gate {
            let model = try round.model(tensors, pools, gate, mixture)
            bits = try evaluate(options.heldOut, progress, isStopped) { text in
                try model.evaluate(
                    text.map { Int($0) }, threads: settings.threads
                ).bitsPerToken
            }
        }
        var commit = options.commit
        annotate(&commit, summary, curve, bits, record)
        commit.metadata["train.cohort"] = name
        let result = try self.commit(
            round, tensors, pools, records, mixture, commit, from: parent)
        stopped.remove()
        let isAlone = result.parents == [parent]
        return TrainResult(
            commit: result.outcome.id.hex, branch: result.branch, cohort: name,
            isNewCohort: round.isNew,
            edited: [],
            steps: summary.steps, tokens: summary.tokens, seconds: summary.seconds,
            loss: summary.loss, parameters: round.parameters.parameterCount, bitsPerByte: bits,
            gate: (isAlone ? gate : try snapshots.map(result.outcome.id).gate())?.id.hex,
            newBytes: result.outcome.newBytes)
    }

    /// Commits a trained cohort on the branch's head, which other rounds may have moved.
    private func commit(
        _ round: Round, _ tensors: [CohortTensor], _ pools: [CohortPool],
        _ records: [CountContribution], _ mixture: MixtureDescription?,
        _ options: CommitOptions, from parent: ObjectID
    ) throws -> CommittedModel {
        var attempts = 5
        while true {
            var obstacle: String?
            do {
                return try snapshots.commit(options.request) { patch in
                    obstacle = try round.obstacle(in: patch.before)
                    if let obstacle {
                        throw CambiumError(
                            .branchMoved,
                            "\(obstacle) while cohort '\(round.name)' was trained on "
                                + "\(parent.short); nothing was committed: train again, or under "
                                + "another name")
                    }
                    try round.put(tensors, pools, into: &patch)
                    for record in records { try patch.add(.counts(record)) }
                    // One that another round wrote meanwhile stays.
                    if let mixture, patch.before.files[MixtureDescription.fileName] == nil {
                        try patch.draft.put(mixture)
                    }
                    try patch.checkFrozen(exceptCohort: round.name, Set(tensors.map(\.name)))
                }
            } catch let error as CambiumError {
                // Only a head that moved between reading and writing it is worth another try.
                attempts -= 1
                guard error.code == .branchMoved, obstacle == nil,
                    options.expectedParent == nil, attempts > 0
                else { throw error }
            }
        }
    }

    /// Trains; keeps the state of a run that is stopped, and of one that ends until it is committed: what
    /// fails then, a full disk for example, does not cost the training.
    func run(
        _ parameters: any TrainedParameters, _ options: TrainOptions,
        _ settings: TrainingSettings, _ stopped: StoppedRound, _ teacher: Teacher?,
        _ progress: ProgressReporter, _ isStopped: () -> Bool
    ) throws -> (summary: TrainingSummary, curve: LossCurve) {
        let begun = options.resumes ? try stopped.load() : nil
        let state = begun?.state
        var curve = begun?.curve ?? LossCurve()
        var kept: TrainingState?
        do {
            let summary = try Training.train(
                parameters, on: options.texts.map { TrainingText($0) }, settings: settings,
                from: state, teacher: teacher, ended: { kept = $0 }
            ) { step in
                curve.add(step.loss)
                do {
                    try progress(Progress(training: step))
                } catch let error as CambiumError where error.code == .cancelled {
                    return false
                }
                return !isStopped()
            }
            // A disk that has no room for it may have room for the commit, which says so if not.
            if let kept {
                do {
                    try stopped.save(kept, curve)
                } catch let error as CambiumError where error.isDiskFull {}
            }
            return (summary, curve)
        } catch let error as CambiumError {
            guard error.code == .cancelled, let kept else { throw error }
            try stopped.save(kept, curve)
            throw CambiumError(
                .cancelled,
                "\(error.message); nothing was committed. Go on with the same command and --resume")
        }
    }

    /// Bits per byte of held-out texts.
    ///
    /// - Throws: `cancelled` when the round is stopped meanwhile; its state is kept by then.
    func evaluate(
        _ texts: [HeldOutText], _ progress: ProgressReporter, _ isStopped: () -> Bool,
        _ bits: ([UInt8]) throws -> Double
    ) throws -> [String: Double] {
        var result: [String: Double] = [:]
        for (index, text) in texts.enumerated() {
            try progress(Progress("held-out texts", index, texts.count))
            result[text.name] = try bits(text.bytes)
            guard !isStopped() else {
                throw CambiumError(
                    .cancelled,
                    "stopped after training, before the commit; nothing was committed. Go on with the "
                        + "same command and --resume")
            }
        }
        return result
    }

    /// Puts the figures of a round into its commit, with what it was and how the loss went.
    func annotate(
        _ commit: inout CommitOptions, _ summary: TrainingSummary, _ curve: LossCurve,
        _ bits: [String: Double], _ record: [String: String]
    ) {
        for (name, value) in bits { commit.metrics["\(name).bpb"] = value }
        commit.metrics["train.loss"] = summary.loss
        commit.metrics["train.steps"] = Double(summary.steps)
        commit.metrics["train.tokens"] = Double(summary.tokens)
        // A clock's digits behind these are noise.
        commit.metrics["train.seconds"] = (summary.seconds * 100).rounded() / 100
        commit.metadata.merge(record) { $1 }
        commit.series["train.loss"] = curve.points.map {
            Note.Point(step: UInt64($0.step), value: $0.loss)
        }
    }
}

extension Store {
    /// The cohorts of deltas in a revision's model, by ascending name.
    ///
    /// - Throws: `corrupt` or `unsupported` for a cohort that does not fit the model.
    public func cohorts(_ revision: String) throws -> [String] {
        try StoredCohorts(map(revision)).names
    }
}

extension Progress {
    /// In tenths of a percent of the budget.
    fileprivate init(training step: TrainingProgress) {
        let loss = Self.whole(step.loss * 1000)
        let digits = String(loss % 1000)
        let padded = String(repeating: "0", count: 3 - digits.count) + digits
        self.init(
            "training", Self.whole(step.fraction * 1000), 1000,
            detail: "step \(step.step), \(loss / 1000).\(padded) bits per byte, "
                + "\(Self.whole(step.tokensPerSecond)) bytes/s",
            figures: [
                "step": Double(step.step), "loss": step.loss,
                "seconds": (step.seconds * 100).rounded() / 100, "bytes": Double(step.tokens),
            ])
    }

    /// A figure of a round that runs away may be greater than any whole number.
    private static func whole(_ number: Double) -> Int {
        number > 0 ? Int(min(number.rounded(), 1e15)) : 0
    }
}
