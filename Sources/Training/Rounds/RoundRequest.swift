internal import Architectures
internal import Elements
internal import Evidence
internal import Models
internal import Objects
internal import Routing
package import Snapshots
internal import Tensors

/// What a round changes of its branch's model.
package enum RoundTarget: Sendable {
    /// Deltas of the frozen base's weights, new or trained further, active for the texts that the gate gives
    /// them; a new adapter may get experts of its own.
    case adapter(String, Adapter.Kind, NewPool?)
    /// The model's own weights: of the branch's model or, of the sizes in a config.json, of a new one.
    case model(freezesTrunk: Bool, freezesExperts: Bool, initial: [UInt8]?)
    /// The old experts of each layer, so many, that the round's texts use most relative to the background.
    case experts(Int, background: [RoundText])
}

/// A text, and what the commit calls it.
package struct RoundText: Sendable {
    package let bytes: [UInt8]
    package let name: String?

    package init(_ bytes: [UInt8], _ name: String?) {
        self.bytes = bytes
        self.name = name
    }
}

/// What a round of training is asked for, whatever it trains.
package struct RoundRequest: Sendable {
    package let target: RoundTarget
    /// Where and how it is committed; the round's figures go into the note.
    package var commit: CommitRequest
    /// Each is drawn from in equal shares.
    package var texts: [RoundText]
    /// Evaluated before the commit; the figures become metrics `NAME.bpb`.
    package var heldOut: [RoundText] = []
    package var budget: TrainingBudget
    /// Of a new adapter.
    package var adapterStart = AdapterStart.nothing
    package var seed: UInt64 = 1
    /// Windows of the context length in a step.
    package var windows = 8
    package var rate = 3e-3
    /// The peak rate of hashed experts; nil for 0.1.
    package var rowRate: Double?
    /// The share of tokens that go without hashed experts of longer n-grams while they are trained.
    package var rowDrop = 0.0
    package var warmUp = 20
    /// How much predictions are kept close to those of the model before; 0 for not at all.
    package var divergenceWeight = 0.0
    /// How much expert layers are kept close to what they were on stored states of old text: what their outputs
    /// count, and what the routers' distributions do; nil for not at all.
    package var hold: (output: Double, router: Double)?
    /// Nil for as many as the machine has cores.
    package var threads: Int?
    /// Whether counts predict beside the model from now on; nil as the branch has it.
    package var mixesCounts: Bool?
    /// Bytes in an n-gram of the evidence; nil as the branch's has.
    package var evidenceOrder: Int?
    /// Goes on with the round of this branch that was stopped.
    package var resumes = false
    /// How the round was asked for, and its place among several, to be kept when it is stopped.
    package var origin: [(key: String, value: String)] = []

    package init(
        _ target: RoundTarget, _ commit: CommitRequest, texts: [RoundText], budget: TrainingBudget
    ) {
        self.target = target
        self.commit = commit
        self.texts = texts
        self.budget = budget
    }

    /// The numbers of the run.
    ///
    /// - Throws: `usage` for those that cannot be.
    package func settings() throws -> TrainingSettings {
        guard !texts.isEmpty else { throw CambiumError(.usage, "there is no text to train on") }
        guard budget.isPositive else {
            throw CambiumError(.usage, "the budget of the round is not above 0")
        }
        guard windows > 0, windows <= 1 << 16, windows % 2 == 0 else {
            throw CambiumError(.usage, "\(windows) windows in a step; give an even number above 0")
        }
        guard rate > 0, rate <= 1 else {
            throw CambiumError(.usage, "a rate of \(rate); give more than 0, at most 1")
        }
        if let rowRate, !(rowRate > 0 && rowRate <= 1) {
            throw CambiumError(
                .usage, "a rate of hashed experts of \(rowRate); give more than 0, at most 1")
        }
        guard (0...1).contains(rowDrop) else {
            throw CambiumError(
                .usage,
                "\(rowDrop) of the bytes go without hashed experts; give a share from 0 to 1")
        }
        guard divergenceWeight >= 0, divergenceWeight <= 1_000 else {
            throw CambiumError(
                .usage, "the divergence counts \(divergenceWeight) times; give 0 to 1000")
        }
        if let hold {
            guard [hold.output, hold.router].allSatisfy({ (0...1_000).contains($0) }),
                hold.output + hold.router > 0
            else {
                throw CambiumError(
                    .usage,
                    "outputs are held \(hold.output) times and routers \(hold.router) times; give 0 to 1000, "
                        + "and one of them above 0")
            }
            if case .adapter(let name, _, _) = target {
                throw CambiumError(
                    .usage,
                    "adapter '\(name)' leaves old text to the base and needs no hold; hold rounds that train the "
                        + "model itself (--whole) or edit its experts (--edit-experts)")
            }
        }
        guard warmUp >= 0 else { throw CambiumError(.usage, "\(warmUp) steps of warm-up") }
        var settings = TrainingSettings(budget: budget, seed: seed)
        settings.threads = threads ?? ThreadTeam.processors
        try ThreadTeam.check(settings.threads)
        settings.windows = windows
        settings.rate = Float(rate)
        if let rowRate { settings.rowRate = Float(rowRate) }
        settings.rowDrop = rowDrop
        settings.warmUp = warmUp
        return settings
    }

    /// Refuses what is said of hashed experts where a model has none, or none are trained.
    func checkRows(_ config: PeerConfig) throws {
        guard rowRate != nil || rowDrop > 0 else { return }
        if case .experts = target {
            throw CambiumError(
                .usage,
                "editing experts trains no hashed ones, of which --row-rate and --row-drop say how they learn; leave "
                    + "them out")
        }
        guard config.hash == nil else { return }
        throw CambiumError(
            .usage,
            "the model has no hashed experts (\"hash\" in its config.json), of which --row-rate and --row-drop "
                + "say how they learn; leave them out")
    }

    /// Checks before training what would fail behind it.
    func checkHeldOut(_ contextLength: Int) throws {
        for text in heldOut where text.bytes.count < contextLength {
            throw CambiumError(
                .usage,
                "the held-out text '\(text.name ?? "")' has \(text.bytes.count) bytes; a window of the model "
                    + "has \(contextLength): hold out more, or nothing")
        }
    }

    /// How counts predict beside the models after the round.
    ///
    /// - Parameter before: How they did on the branch; a new base has them unless they are not wanted.
    /// - Throws: `usage` when they do and shall not: models were evaluated, and texts counted, as if they stayed.
    func mixture(after before: MixtureDescription?) throws -> MixtureDescription? {
        var isNewBase = false
        if case .model(_, _, _?) = target { isNewBase = true }
        guard let before else {
            return mixesCounts ?? isNewBase ? MixtureDescription() : nil
        }
        guard mixesCounts != false else {
            throw CambiumError(
                .usage,
                "counts predict beside the models of this branch, and stay: leave that option out, or start "
                    + "a base without them")
        }
        return before
    }

    /// The texts' records, labelled with the first line of the message.
    ///
    /// - Parameter known: The branch's.
    func evidence(
        for learner: String, beside known: [CountContribution], mixesCounts: Bool
    ) throws -> [CountContribution] {
        let order = evidenceOrder ?? EvidenceOrder.standard(known, mixesCounts: mixesCounts)
        let line = commit.note.message.split(whereSeparator: \.isNewline).first ?? ""
        var label = String(
            line.filter { character in
                !character.unicodeScalars.contains { $0.properties.generalCategory == .control }
            })
        while label.utf8.count > 255 { label.removeLast() }
        return try texts.enumerated().map { index, text in
            try CountContribution(
                of: TextSource(text.bytes), "text \(index + 1)", adapter: learner, label: label,
                order: order)
        }
    }
}

extension TrainingBudget {
    fileprivate var isPositive: Bool {
        switch self {
        case .steps(let count), .tokens(let count): count > 0
        case .seconds(let seconds), .processorSeconds(let seconds):
            seconds > 0 && seconds.isFinite
        }
    }
}
