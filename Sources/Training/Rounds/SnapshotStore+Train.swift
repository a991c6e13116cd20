internal import Architectures
internal import Checkpoints
package import Elements
internal import Evidence
internal import KeyValue
internal import Models
internal import Objects
internal import Routing
package import Snapshots

extension SnapshotStore {
    /// Trains a round and commits it.
    ///
    /// Training holds no lock; other processes may read and commit meanwhile.
    ///
    /// - Parameters:
    ///   - progress: Told each step, with loss and speed in its detail.
    ///   - isStopped: Asked after each step; true stops the round, keeps its state in the store's folder for
    ///     ``RoundRequest/resumes``, and throws `cancelled`.
    /// - Throws: `usage` for what cannot be; `not-found` for a branch without a model; `diverged`; `cancelled`;
    ///   `branch-moved` when the base changed meanwhile. Then nothing is committed.
    package func train(
        _ request: RoundRequest, progress: ProgressReporter, isStopped: () -> Bool
    ) throws -> RoundResult {
        // Resolve.
        let settings = try request.settings()
        let start = try RoundStart(self, request)
        var round = try start.resolve()
        try request.checkHeldOut(round.config.contextLength)
        try request.checkRows(round.config)
        let mixture = try request.mixture(after: start.snapshot?.mixture())
        let new = try request.evidence(
            for: round.learner, beside: start.evidence.counts, mixesCounts: mixture != nil)
        let gate = try EvidenceGate(start.evidence.counts + new)
        if mixture != nil, let snapshot = start.snapshot {
            guard try !StoredAdapters(snapshot).picksByLikelihood(gate?.adapters) else {
                throw CambiumError(
                    .usage,
                    "counts predict beside alternatives where those of the base's and of every alternative's texts "
                        + "are known; add them first (cambium evidence add --adapter NAME --text FILE), or leave "
                        + "--mix-counts out")
            }
        }
        let parameters = try round.parameters(label: new[0].label, progress)
        let record = try request.record(
            from: start.target.parent, mixesCounts: mixture != nil,
            evidenceOrder: new[0].counts.order, hasRows: round.config.hash != nil)
        // Fit.
        let kept = try StoppedRound(self, start.target.branch, start: round.start, request, record)
        let teacher =
            request.divergenceWeight > 0
            ? Teacher(try round.modelBefore(), weight: Float(request.divergenceWeight)) : nil
        let hold = try request.hold(
            start.evidence, round, trainsRows: !parameters.trainedRows.isEmpty)
        let (summary, curve) = try fit(
            parameters, request, settings, kept, teacher, hold, progress, isStopped)
        // Evaluate.
        let bits = try evaluate(request.heldOut, progress, isStopped) {
            try round.evaluation(gate, mixture, threads: settings.threads)
        }
        // Patch and commit.
        var commit = request.commit
        commit.note.tell(summary, curve, bits, record)
        if let adapter = round.adapter, adapter.isNew, let start = adapter.startedFrom {
            commit.note.metadata["train.started-from"] = start
        }
        if !round.edited.isEmpty {
            commit.note.metadata["train.edited"] =
                round.edited.map { "\($0.layer): \($0.experts.count)" }.joined(separator: ", ")
        }
        let made = try self.commit(round, commit, start, new, mixture)
        kept.remove()
        return RoundResult(
            outcome: made.outcome, branch: start.target.branch, summary: summary,
            bitsPerByte: bits, gate: made.gate, parameterCount: round.parameterCount,
            adapter: round.adapter, edited: round.edited)
    }

    /// Trains; keeps the state of a run that is stopped, and of one that ends until it is committed: what
    /// fails then, a full disk for example, does not cost the training.
    private func fit(
        _ parameters: any TrainedParameters, _ request: RoundRequest, _ settings: TrainingSettings,
        _ kept: StoppedRound, _ teacher: Teacher?, _ hold: Hold?, _ progress: ProgressReporter,
        _ isStopped: () -> Bool
    ) throws -> (summary: TrainingSummary, curve: LossCurve) {
        let begun = request.resumes ? try kept.load() : nil
        var curve = begun?.curve ?? LossCurve()
        var end: TrainingState?
        do {
            let summary = try Training.train(
                parameters, on: request.texts.map { TrainingText($0.bytes) }, settings: settings,
                from: begun?.state, teacher: teacher, hold: hold, ended: { end = $0 }
            ) { step in
                curve.add(step.loss)
                do {
                    try progress(Progress(training: step))
                } catch let error as CambiumError where error.code == .cancelled {
                    return false
                }
                return !isStopped()
            }
            // Only for the case that the commit fails: where there is no room or no right to keep it, what was
            // trained is committed all the same.
            if let end { try? kept.save(end, curve) }
            return (summary, curve)
        } catch let error as CambiumError {
            guard error.code == .cancelled, let end else { throw error }
            try kept.save(end, curve)
            throw CambiumError(
                .cancelled,
                "\(error.message); nothing was committed. Go on with the same command and --resume")
        }
    }

    /// Bits per byte of held-out texts.
    ///
    /// - Throws: `cancelled` when the round is stopped meanwhile; its state is kept by then.
    private func evaluate(
        _ texts: [RoundText], _ progress: ProgressReporter, _ isStopped: () -> Bool,
        _ model: () throws -> ([UInt8]) throws -> Double
    ) throws -> [String: Double] {
        guard !texts.isEmpty else { return [:] }
        let bits = try model()
        var result: [String: Double] = [:]
        for (index, text) in texts.enumerated() {
            try progress(Progress("held-out texts", index, texts.count))
            result[text.name ?? "\(index + 1)"] = try bits(text.bytes)
            guard !isStopped() else {
                throw CambiumError(
                    .cancelled,
                    "stopped after training, before the commit; nothing was committed. Go on with the "
                        + "same command and --resume")
            }
        }
        return result
    }

    /// Commits what was trained, with the texts' records, on the branch's head of this moment.
    private func commit(
        _ round: any Round, _ request: CommitRequest, _ start: RoundStart,
        _ new: [CountContribution], _ mixture: MixtureDescription?
    ) throws -> (outcome: CommitOutcome, gate: EvidenceGate?) {
        var request = request
        let mayRetry = round.followsHead && request.expectedParent == nil
        if !round.followsHead {
            // The weights grew out of this commit's; another's would be lost.
            request.expectedParent = request.expectedParent ?? start.target.parent?.hex
        }
        var attempts = 5
        while true {
            let target = try CommitTarget(request, self)
            guard round.followsHead || target.parent == start.target.parent else {
                throw CambiumError(
                    .branchMoved,
                    "branch '\(target.branch)' got a model while a new base was trained for it; nothing was "
                        + "committed: train the base on a branch of its own, --branch NAME")
            }
            if let parent = start.target.parent {
                if let obstacle = try round.obstacle(in: target.model().before) {
                    throw CambiumError(
                        .branchMoved,
                        "\(obstacle) while adapter '\(round.learner)' was trained on \(parent.short); "
                            + "nothing was committed: train again, or under another name")
                }
            }
            let known =
                target.parent == start.target.parent
                ? start.evidence : try target.parent.map { try map($0).evidence() } ?? []
            let gate = try EvidenceGate(known.counts + new)
            var draft = try CommitDraft(
                self, tree: target.before ?? Tree(architecture: Architecture.peerLM.name))
            try round.patch(&draft)
            for record in new { _ = try draft.add(.counts(record)) }
            // One that another round wrote meanwhile stays.
            if let mixture, draft.tree.files[MixtureDescription.fileName] == nil {
                try draft.put(mixture)
            }
            try round.checkFrozen(target.before, draft.tree)
            if round.bringsLayout, !request.allowsUnfit, let before = target.before {
                try checkFit(draft.tree, after: before, "the model on branch '\(target.branch)'")
            }
            do {
                let outcome =
                    round.bringsLayout
                    ? try target.commit(draft, request)
                    : try target.commit(fitting: draft, request).outcome
                return (outcome, gate)
            } catch let error as CambiumError where error.code == .branchMoved && mayRetry {
                attempts -= 1
                guard attempts > 0 else { throw error }
            }
        }
    }
}

extension RoundRequest {
    /// What the round is held to; nil for nothing.
    ///
    /// - Parameter trainsRows: Whether hashed experts change.
    /// - Throws: `usage` where the branch has no states of each of the model's expert layers, or of hashed experts that
    ///   change nothing that they pick.
    fileprivate func hold(
        _ evidence: [NamedContribution], _ round: any Round, trainsRows: Bool
    ) throws -> Hold? {
        guard let hold else { return nil }
        let layers = round.config.expertLayers
        // A hash has no distribution that could be held.
        let hash = trainsRows && hold.output > 0 ? round.config.hash : nil
        guard !layers.isEmpty || hash != nil else {
            throw CambiumError(
                .usage,
                round.config.hash == nil
                    ? "the model has no experts that could be held"
                    : "the model has hashed experts alone: their hash has no distribution to be held, and what "
                        + "they give is held where the round trains them and --hold is above 0")
        }
        let states = evidence.states(layers: layers, width: round.config.hiddenSize)
        let missing = layers.first { states[$0] == nil }
        let rowPicks = hash.map { evidence.rowPicks($0.router) } ?? []
        if missing != nil || hash != nil && rowPicks.isEmpty {
            let what =
                missing.map { "states of layer \($0)" } ?? "what old text picks of hashed experts"
            throw CambiumError(
                .usage,
                "the branch has no evidence of \(what) to hold the round to; add some of what the model knows: "
                    + "cambium evidence add --kind states --text FILE")
        }
        return Hold(
            try round.modelBefore(), states: states, rowPicks: rowPicks, output: Float(hold.output),
            router: Float(hold.router))
    }
}

extension CommitNote {
    /// Puts in the figures of a round, with what it was and how the loss went.
    fileprivate mutating func tell(
        _ summary: TrainingSummary, _ curve: LossCurve, _ bits: [String: Double],
        _ record: [String: String]
    ) {
        for (name, value) in bits { metrics["\(name).bpb"] = value }
        metrics["train.loss"] = summary.loss
        metrics["train.steps"] = Double(summary.steps)
        metrics["train.tokens"] = Double(summary.tokens)
        if let held = summary.held {
            metrics["train.hold.output"] = held.output
            metrics["train.hold.router"] = held.router
        }
        // A commit whose time is fixed is to have the same id again; of the clock, digits behind these are noise.
        if fixedTime() == nil {
            metrics["train.seconds"] = (summary.seconds * 100).rounded() / 100
        }
        metadata.merge(record) { $1 }
        series["train.loss"] = curve.points.map {
            Note.Point(step: UInt64($0.step), value: $0.loss)
        }
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
