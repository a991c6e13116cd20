internal import BenchmarkSupport
internal import Foundation
internal import Models
internal import Tensors
internal import Training

/// What a step of training may cost: one pace for all rounds that do the same work.
enum Pace: String, CaseIterable {
    /// Whole models.
    case peer, dense, large, hashed
    /// Adapters of deltas, on the base with expert layers and on the dense one; of low rank; with experts.
    case adapter, adapterOnDense, lora, neurons, swiglu
    /// On the base with hashed experts: deltas of all or of few weights with rows, and the base's rows alone.
    case adapterOnHashed, smallOnHashed, shared
    /// The whole base with something beside it, and a few experts of it alone.
    case ewc, lwf, edited
}

extension Method {
    /// What the row trains.
    var paces: [Pace] {
        switch self {
        case .cambium, .cambiumMerged: [.peer, .adapter]
        case .cambiumDense: [.dense, .adapterOnDense]
        case .neurons: [.peer, .neurons]
        case .swiglu: [.peer, .swiglu]
        case .lora: [.peer, .lora]
        case .edited: [.peer, .edited]
        case .counts: []
        case .sequential, .replay1, .replay5, .replay10, .jointPeer: [.peer]
        case .ewc: [.peer, .ewc]
        case .lwf: [.peer, .lwf]
        case .jointDense: [.dense]
        case .jointLarge: [.large]
        case .hashed, .hashedMerged, .hashedPacked: [.hashed, .adapterOnHashed]
        case .hashedSmall: [.hashed, .smallOnHashed]
        case .hashedShared: [.hashed, .shared]
        case .jointHashed: [.hashed]
        }
    }
}

extension Stream {
    /// How many steps fit a CPU-second, of each pace that some rows need: the median of three measurements, in
    /// turn.
    ///
    /// Measured before anything is trained, so that what else the machine does later takes no row's steps, and
    /// so that a run with the same paces repeats to the bit.
    func measurePaces(_ methods: [Method]) throws {
        let needed = Pace.allCases.filter { pace in
            plan.paces[pace.rawValue] == nil
                && methods.contains { $0.paces.contains(pace) }
        }
        results.paces = plan.paces
        var rates: [Pace: [Double]] = [:]
        for _ in 0..<3 {
            for pace in needed { rates[pace, default: []].append(try measure(pace)) }
        }
        for pace in needed { results.paces[pace.rawValue] = rates[pace]?.sorted()[1] }
        let text = results.paces.sorted { $0.key < $1.key }
            .map { "\($0.key) \(($0.value * 10).rounded() / 10)" }.joined(separator: ", ")
        FileHandle.standardError.write(Data("steps per CPU-second: \(text)\n".utf8))
    }

    /// The settings of a run of some CPU-seconds at a pace.
    func settings(_ pace: Pace, _ seconds: Double, _ seed: UInt64) throws -> TrainingSettings {
        guard let rate = results.paces[pace.rawValue] else {
            throw Failure("no pace \(pace.rawValue)")
        }
        return settings(
            pace, budget: .steps(max(1, Int((rate * seconds).rounded()))), seed)
    }

    private func settings(
        _ pace: Pace, budget: TrainingBudget, _ seed: UInt64
    ) -> TrainingSettings {
        var settings = TrainingSettings(budget: budget, seed: seed)
        let isAdapter = [
            .adapter, .adapterOnDense, .lora, .neurons, .swiglu, .adapterOnHashed, .smallOnHashed,
            .shared,
        ].contains(pace)
        settings.rowRate = isAdapter ? plan.tuning.adapterRowRate : plan.tuning.rowRate
        settings.windows = isAdapter ? plan.tuning.adapterWindows : plan.tuning.windows
        settings.warmUp = 20
        settings.rate = isAdapter ? plan.tuning.adapterRate : plan.tuning.rate
        return settings
    }

    /// Steps per CPU-second of untrained weights.
    private func measure(_ pace: Pace) throws -> Double {
        let sizes: StreamProtocol.Sizes =
            switch pace {
            case .dense, .adapterOnDense: .dense
            case .large: .large
            case .hashed, .adapterOnHashed, .smallOnHashed, .shared: .hashed
            default: .peer
            }
        let model = TrainableModel(config: try plan.config(sizes), seed: plan.seed)
        let texts = [plan.text(plan.newDomains[0])]
        func run(
            _ parameters: any TrainedParameters, teacher: Teacher? = nil,
            adjust: ((FloatSlice) -> Void)? = nil
        ) throws -> Double {
            let budget = TrainingBudget.processorSeconds(max(0.5, plan.roundSeconds / 20))
            let done = try train(
                parameters, on: texts, settings: settings(pace, budget: budget, plan.seed),
                teacher: teacher, adjust: adjust)
            return Double(done.steps) / done.processorSeconds
        }
        func run(_ form: AdapterForm) throws -> Double {
            try run(form.adapter(on: model, seed: plan.seed))
        }
        switch pace {
        case .peer, .dense, .large, .hashed: return try run(WholeModel(model))
        case .shared: return try run(WholeModel(model) { _ in true })
        case .smallOnHashed: return try run(AdapterForm(.small))
        case .adapter, .adapterOnDense, .adapterOnHashed: return try run(AdapterForm(.dense))
        case .lora: return try run(AdapterForm(.lowRank(16), keepsExperts: true))
        case .neurons: return try run(AdapterForm(.dense, try neurons()))
        case .swiglu: return try run(AdapterForm(.lowRank(16), try swiglu()))
        case .ewc:
            let consolidation = Consolidation(model, strength: plan.tuning.ewc)
            return try run(
                WholeModel(model, trainsExperts: false), adjust: consolidation.adjustment)
        case .lwf:
            return try run(
                WholeModel(model), teacher: Teacher(model.copy(), weight: plan.tuning.lwf))
        case .edited:
            let use = try ExpertUse(of: plan.train[plan.newDomains[0]] ?? [], under: model)
            let none = use.selection.map { $0.map { _ in 0 } }
            return try run(
                EditedExperts(
                    model,
                    experts: ExpertUse.mostSpecific(
                        plan.tuning.editedExperts, of: use.selection, background: none,
                        backgroundWindows: 1)))
        }
    }
}
