internal import BenchmarkSupport
internal import Foundation
internal import Models
internal import Routing
internal import Training

/// Runs the rows one after another.
final class Stream {
    private let plan: StreamProtocol
    private var results: Results
    private var base: TrainableModel?
    private var baseSummary: TrainingSummary?

    init(_ plan: StreamProtocol) {
        self.plan = plan
        results = Results(
            domains: plan.domains, baseDomains: plan.baseDomains.count, seed: plan.seed,
            baseSeconds: plan.baseSeconds, roundSeconds: plan.roundSeconds,
            evaluatedBytes: plan.evaluatedBytes)
    }

    func run(_ methods: [Method]) throws -> Results {
        for method in methods {
            FileHandle.standardError.write(Data("row \(method.rawValue)\n".utf8))
            switch method {
            case .cambium: try runCohorts(name: "cambium", kind: .dense, keepsExperts: false)
            case .lora: try runCohorts(name: "lora", kind: .lowRank(16), keepsExperts: true)
            case .sequential: try runFineTuning("sequential", replay: 0)
            case .replay1: try runFineTuning("replay 1 %", replay: 0.01)
            case .replay5: try runFineTuning("replay 5 %", replay: 0.05)
            case .replay10: try runFineTuning("replay 10 %", replay: 0.1)
            case .ewc: try runFineTuning("ewc", replay: 0, penalty: 1)
            case .jointPeer: try runJoint("joint, experts", experts: true)
            case .jointDense: try runJoint("joint, dense", experts: false)
            }
        }
        return results
    }

    private func settings(_ seconds: Double, _ seed: UInt64) -> TrainingSettings {
        var settings = TrainingSettings(budget: .processorSeconds(seconds), seed: seed)
        // Half the reference's batch: twice the steps in the same time.
        settings.windows = 8
        settings.warmUp = 10
        return settings
    }

    /// Bits per byte on every domain.
    private func evaluate(_ model: TrainableModel, usesExperts: Bool) throws -> [Double] {
        try likelihoods(model, usesExperts).map(\.bitsPerByte)
    }

    private func likelihoods(
        _ model: TrainableModel, _ usesExperts: Bool
    ) throws -> [TextLikelihood] {
        try plan.domains.map {
            try TextLikelihood(
                of: plan.test[$0] ?? [], under: model, usesExperts: usesExperts,
                byteLimit: plan.evaluatedBytes)
        }
    }

    private func trainedBase() throws -> (TrainableModel, TrainingSummary) {
        if let base, let baseSummary { return (base, baseSummary) }
        let model = TrainableModel(
            config: try StreamProtocol.config(experts: true), seed: plan.seed)
        let summary = try train(
            WholeModel(model), on: plan.baseDomains.map { plan.text($0) },
            settings: settings(plan.baseSeconds, plan.seed), progress: report("base"))
        (base, baseSummary) = (model, summary)
        return (model, summary)
    }

    private func report(_ name: String) -> (TrainingProgress) -> Bool {
        { progress in
            if progress.step % 50 == 0 {
                let line =
                    "\(name) step \(progress.step) loss \(progress.loss) "
                    + "\(Int(progress.tokensPerSecond)) tokens/s \(Int(100 * progress.fraction)) %\n"
                FileHandle.standardError.write(Data(line.utf8))
            }
            return true
        }
    }

    // Cohorts ------------------------------------------------------------------------------------

    /// One cohort per new domain on the same base; the gate, or for LoRA the domain's label, picks.
    private func runCohorts(name: String, kind: Cohort.Kind, keepsExperts: Bool) throws {
        let (base, summary) = try trainedBase()
        var seconds = summary.processorSeconds
        var steps = summary.steps
        var models = [try likelihoods(base, true)]
        var parameters = base.parameterCount
        for (index, domain) in plan.newDomains.enumerated() {
            let cohort = Cohort(
                on: base, kind: kind, usesExperts: keepsExperts, seed: plan.seed + UInt64(index))
            let done = try train(
                cohort, on: [plan.text(domain)],
                settings: settings(plan.roundSeconds, plan.seed + UInt64(index)),
                progress: report("\(name) \(domain)"))
            if kind == .dense, index == 0 {
                try repeatCohort(base, domain, steps: min(done.steps, 20))
            }
            seconds += done.processorSeconds
            steps += done.steps
            parameters += cohort.parameterCount
            models.append(try likelihoods(cohort.model, keepsExperts))
        }
        var row = Row(name: kind == .dense ? "Cambium" : "LoRA, oracle labels")
        row.parameters = parameters
        row.activeParameters = base.layout.count
        row.processorSeconds = seconds
        row.steps = steps
        row.stateBytes = 4 * parameters
        if kind == .dense {
            let start = processorSeconds()
            let counts = try classes()
            row.processorSeconds += processorSeconds() - start
            row.stateBytes += try counts.reduce(0) { $0 + (try recordBytes($1)) }
            for stage in 0...plan.newDomains.count {
                let gate = try CountGate(Array(counts[0...stage]))
                let mixed = plan.domains.indices.map { domain in
                    mix(gate, models[0...stage].map { $0[domain] }, plan.domains[domain])
                }
                row.stages.append(mixed.map(\.bits))
                if stage == plan.newDomains.count { results.gateUse = mixed.map(\.use) }
            }
            results.rows.append(row)
            row.name = "Cambium, oracle labels"
            row.stages = []
        }
        for stage in 0...plan.newDomains.count {
            row.stages.append(
                plan.domains.indices.map { domain in
                    let own = max(0, domain - plan.baseDomains.count + 1)
                    return models[own <= stage ? own : 0][domain].bitsPerByte
                })
        }
        results.rows.append(row)
    }

    /// Trains the first steps of a cohort twice: the digests must agree, since a round's result follows
    /// from base, text and seed alone, whatever other branches do.
    private func repeatCohort(_ base: TrainableModel, _ domain: String, steps: Int) throws {
        for _ in 0..<2 {
            let cohort = Cohort(on: base, kind: .dense, usesExperts: false, seed: plan.seed)
            var settings = settings(1, plan.seed)
            settings.budget = .steps(steps)
            _ = try train(cohort, on: [plan.text(domain)], settings: settings)
            var digest = Digest()
            for tensor in cohort.tensors(named: domain) { digest.add(tensor.values) }
            results.cohortDigests.append(String(digest.value, radix: 16))
        }
        try expect(
            results.cohortDigests[0] == results.cohortDigests[1],
            "the same cohort trained twice gives \(results.cohortDigests)")
    }

    /// The gate's classes: the base's texts together, then each new domain's.
    private func classes() throws -> [NGramCounts] {
        var base: NGramCounts?
        for domain in plan.baseDomains {
            let counts = NGramCounts(of: plan.train[domain] ?? [], order: 3)
            base = try base?.adding(counts) ?? counts
        }
        return [base].compactMap { $0 }
            + plan.newDomains.map { NGramCounts(of: plan.train[$0] ?? [], order: 3) }
    }

    /// Bytes of a class's counts as a store keeps them.
    private func recordBytes(_ counts: NGramCounts) throws -> Int {
        try CountContribution(
            cohort: "cohort", label: "", data: [UInt8](repeating: 0, count: 32),
            byteCount: counts.total + UInt64(counts.order - 1), counts: counts
        ).encoded.count
    }

    /// Mixes the two likeliest classes' probabilities, byte by byte; the gate starts anew in each window.
    private func mix(
        _ gate: CountGate, _ models: [TextLikelihood], _ domain: String
    ) -> (bits: Double, use: [Double]) {
        let text = plan.test[domain] ?? []
        let perWindow = models[0].perWindow
        var nats = 0.0
        var use = [Double](repeating: 0, count: 1 + plan.newDomains.count)
        let count = models[0].nats.count
        var state = gate.start
        for index in 0..<count {
            let (window, position) = index.quotientAndRemainder(dividingBy: perWindow)
            if position == 0 { state = gate.start }
            gate.advance(&state, text[window * (perWindow + 1) + position])
            let pick = gate.pick(state, count: min(2, models.count))
            var probability = 0.0
            for (chosen, weight) in zip(pick.classes, pick.weights) {
                probability += Double(weight) * exp(-models[chosen].nats[index])
            }
            nats -= log(max(probability, 1e-300))
            use[pick.classes[0]] += 1 / Double(count)
        }
        return (nats / (Double(count) * log(2)), use)
    }

    // Baselines ----------------------------------------------------------------------------------

    /// Trains the whole base on one domain after another.
    ///
    /// - Parameters:
    ///   - replay: The share of windows that come from all earlier domains' texts.
    ///   - penalty: Of elastic weight consolidation (Kirkpatrick et al., 1612.00796), times the mean of
    ///     squared gradients over earlier domains.
    private func runFineTuning(_ name: String, replay: Double, penalty: Double = 0) throws {
        let (base, summary) = try trainedBase()
        let model = base.copy()
        var row = Row(name: name)
        row.stages.append(try evaluate(model, usesExperts: true))
        row.parameters = model.parameterCount
        row.activeParameters = model.layout.count
        row.processorSeconds = summary.processorSeconds
        row.steps = summary.steps
        let consolidation = penalty > 0 ? Consolidation(model, strength: penalty) : nil
        for (index, domain) in plan.newDomains.enumerated() {
            let earlier = plan.baseDomains + plan.newDomains[..<index]
            let start = processorSeconds()
            consolidation?.add(
                (index == 0 ? plan.baseDomains : [plan.newDomains[index - 1]]).map {
                    plan.train[$0] ?? []
                }, seed: plan.seed + UInt64(index))
            row.processorSeconds += processorSeconds() - start
            var texts = [plan.text(domain, share: 1 - replay)]
            if replay > 0 {
                texts += earlier.map { plan.text($0, share: replay / Double(earlier.count)) }
            }
            let penalise = consolidation?.adjustment
            let done = try train(
                WholeModel(model, trainsExperts: penalty == 0), on: texts,
                settings: settings(plan.roundSeconds, plan.seed + UInt64(index)),
                adjust: penalise, progress: report("\(name) \(domain)"))
            row.processorSeconds += done.processorSeconds
            row.steps += done.steps
            row.stages.append(try evaluate(model, usesExperts: true))
        }
        row.stateBytes = 4 * model.parameterCount
        if penalty > 0 { row.stateBytes += 8 * model.layout.count }
        if replay > 0 {
            let all = plan.baseDomains + plan.newDomains.dropLast()
            row.replayBytes = all.reduce(0) { $0 + (plan.train[$1]?.count ?? 0) }
        }
        results.rows.append(row)
    }

    /// Trains on all domains at once, for as long as base and rounds take together.
    private func runJoint(_ name: String, experts: Bool) throws {
        let model = TrainableModel(
            config: try StreamProtocol.config(experts: experts), seed: plan.seed)
        let seconds = plan.baseSeconds + Double(plan.newDomains.count) * plan.roundSeconds
        let summary = try train(
            WholeModel(model), on: plan.domains.map { plan.text($0) },
            settings: settings(seconds, plan.seed), progress: report(name))
        var row = Row(name: name)
        row.stages = [try evaluate(model, usesExperts: true)]
        row.parameters = model.parameterCount
        row.activeParameters = model.layout.count
        row.stateBytes = 4 * model.parameterCount
        row.replayBytes = plan.domains.reduce(0) { $0 + (plan.train[$1]?.count ?? 0) }
        row.processorSeconds = summary.processorSeconds
        row.steps = summary.steps
        results.rows.append(row)
    }
}
