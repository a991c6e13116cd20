internal import Evidence
internal import Objects
internal import Snapshots
internal import Training

extension TrainOptions {
    /// What the layer below is asked for.
    ///
    /// - Throws: `usage` for what is for another kind of round.
    func roundRequest() throws -> RoundRequest {
        let round: RoundTarget
        switch target {
        case .adapter(let name, let form):
            round = .adapter(name, form.kind, newExperts?.pool)
        case .model(let freezesTrunk, let freezesExperts):
            round = .model(
                freezesTrunk: freezesTrunk, freezesExperts: freezesExperts, initial: initial)
        case .experts(let count):
            round = .experts(count, background: Self.texts(background, backgroundNames))
        }
        if case .adapter = round {
        } else if newExperts != nil {
            throw CambiumError(.usage, "new experts are for a round that trains an adapter")
        }
        if case .experts = round {
        } else if !background.isEmpty {
            throw CambiumError(.usage, "background texts are for a round that edits experts")
        }
        var request = RoundRequest(
            round, commit.request, texts: Self.texts(texts, textNames), budget: budget.training)
        request.heldOut = heldOut.map { RoundText($0.bytes, $0.name) }
        request.adapterStart = try startOfRound()
        request.seed = seed
        request.windows = windows
        request.rate = rate
        request.rowRate = rowRate
        request.rowDrop = rowDrop
        request.warmUp = warmUp
        request.divergenceWeight = divergenceWeight
        request.hold = hold.map { ($0.output, $0.router) }
        request.threads = threads
        request.mixesCounts = mixesCounts
        request.evidenceOrder = evidenceOrder
        request.resumes = resumes
        if let words = self.request { request.origin.append(("request", words)) }
        if let plan {
            request.origin += [("plan", plan.commit), ("plan_round", "\(plan.number)")]
        }
        return request
    }

    private func startOfRound() throws -> Training.AdapterStart {
        guard adapterStart != .nothing else { return .nothing }
        guard case .adapter = target else {
            throw CambiumError(.usage, "a start is for a round that trains an adapter")
        }
        return if case .adapter(let name) = adapterStart { .adapter(name) } else { .nearest }
    }

    private static func texts(_ texts: [[UInt8]], _ names: [String]) -> [RoundText] {
        texts.enumerated().map { RoundText($1, names.indices.contains($0) ? names[$0] : nil) }
    }
}

extension TrainBudget {
    fileprivate var training: TrainingBudget {
        switch self {
        case .steps(let count): .steps(count)
        case .tokens(let count): .tokens(count)
        case .seconds(let seconds): .seconds(seconds)
        }
    }
}

extension AdapterForm {
    fileprivate var kind: Adapter.Kind {
        switch self {
        case .dense: .dense
        case .lowRank(let rank): .lowRank(rank)
        case .small: .small
        }
    }
}

extension NewExperts {
    fileprivate var pool: NewPool {
        switch self {
        case .neurons(let count): .neurons(count)
        case .swiglu(let count, let width, let topK): .swiglu(count, width: width, topK: topK)
        }
    }
}

extension TrainResult {
    init(_ round: RoundResult) {
        self.init(
            commit: round.outcome.id.hex, branch: round.branch, adapter: round.adapter?.name,
            isNewAdapter: round.adapter?.isNew ?? false,
            startedFrom: round.adapter?.startedFrom,
            edited: round.edited.map { EditedLayer(layer: $0.layer, experts: $0.experts) },
            steps: round.summary.steps, tokens: round.summary.tokens,
            seconds: round.summary.seconds, loss: round.summary.loss,
            parameters: round.parameterCount, bitsPerByte: round.bitsPerByte,
            gate: round.gate?.id.hex, newBytes: round.outcome.newBytes)
    }
}
