internal import BenchmarkSupport
internal import Foundation
internal import Models
internal import Routing
internal import Training

/// How likely a model finds the texts, by domain: those that are measured, and those that settings are chosen on.
struct Likelihoods {
    let test, valid: [TextLikelihood]
}

/// Runs the rows one after another.
final class Stream {
    /// Of each valid text, to choose the model's share.
    static let validBytes = 8_192

    let plan: StreamProtocol
    var results: Results
    private var bases: [StreamProtocol.Sizes: (TrainableModel, TrainingSummary)] = [:]
    /// The adapters of the first row, to train them again on branches of their own.
    var trained: [StreamProtocol.Sizes: [TrainedAdapter]] = [:]
    /// The models of the row with hashed experts, that of the base first, where a later row needs them.
    var hashedModels: [TrainableModel] = []
    /// Whether one does.
    var keepsHashedModels = false

    init(_ plan: StreamProtocol) {
        self.plan = plan
        results = Results(
            domains: plan.domains, baseDomains: plan.baseDomains.count, seed: plan.seed,
            baseSeconds: plan.baseSeconds, roundSeconds: plan.roundSeconds,
            evaluatedBytes: plan.evaluatedBytes)
    }

    func run(_ methods: [Method]) throws -> Results {
        try measurePaces(methods)
        keepsHashedModels = methods.contains(.hashedPacked)
        for method in methods {
            FileHandle.standardError.write(Data("row \(method.rawValue)\n".utf8))
            switch method {
            case .cambium: try runAdapters("Cambium", AdapterForm(.dense), .adapter)
            case .cambiumMerged: try runBranches("Cambium", .adapter, base: .peer)
            case .cambiumDense:
                try runAdapters(
                    "Cambium, dense base", AdapterForm(.dense), .adapterOnDense, base: .dense)
            case .neurons:
                try runAdapters("Cambium, neurons", AdapterForm(.dense, try neurons()), .neurons)
            case .swiglu:
                try runAdapters(
                    "Cambium, SwiGLU", AdapterForm(.lowRank(16), try swiglu()), .swiglu)
            case .edited: try runEdits()
            case .hashed:
                try runAdapters(
                    "Cambium, hashed", AdapterForm(.dense), .adapterOnHashed, base: .hashed)
            case .hashedMerged: try runBranches("Cambium, hashed", .adapterOnHashed, base: .hashed)
            case .hashedPacked: try runPacked()
            case .hashedSmall:
                try runAdapters(
                    "Cambium, hashed, small deltas", AdapterForm(.small), .smallOnHashed,
                    base: .hashed)
            case .hashedShared: try runShared()
            case .jointHashed: try runJoint("joint, hashed", .hashed)
            case .counts: try runCounts()
            case .lora:
                try runAdapters("LoRA", AdapterForm(.lowRank(16), keepsExperts: true), .lora)
            case .sequential: try runFineTuning("sequential", replay: 0)
            case .replay1: try runFineTuning("replay 1 %", replay: 0.01)
            case .replay5: try runFineTuning("replay 5 %", replay: 0.05)
            case .replay10: try runFineTuning("replay 10 %", replay: 0.1)
            case .ewc: try runFineTuning("EWC", replay: 0, penalty: plan.tuning.ewc)
            case .lwf: try runFineTuning("LwF", replay: 0, teaches: true)
            case .jointPeer: try runJoint("joint, experts", .peer)
            case .jointDense: try runJoint("joint, dense", .dense)
            case .jointLarge: try runJoint("joint, dense, total size", .large)
            }
        }
        return results
    }

    /// Bits per byte on every domain.
    func evaluate(_ model: TrainableModel) throws -> [Double] {
        try plan.domains.map {
            try TextLikelihood(
                of: plan.test[$0] ?? [], under: model, usesExperts: true,
                byteLimit: plan.evaluatedBytes
            ).bitsPerByte
        }
    }

    func likelihoods(
        _ model: TrainableModel, _ usesExperts: Bool
    ) throws -> Likelihoods {
        func run(_ texts: [String: [UInt8]], _ limit: Int) throws -> [TextLikelihood] {
            try plan.domains.map {
                try TextLikelihood(
                    of: texts[$0] ?? [], under: model, usesExperts: usesExperts, byteLimit: limit)
            }
        }
        return Likelihoods(
            test: try run(plan.test, plan.evaluatedBytes),
            valid: plan.tuning.modelShare == nil
                ? try run(plan.valid, min(plan.evaluatedBytes, Self.validBytes)) : [])
    }

    func trainedBase(
        _ sizes: StreamProtocol.Sizes
    ) throws -> (TrainableModel, TrainingSummary) {
        if let base = bases[sizes] { return base }
        let model = TrainableModel(config: try plan.config(sizes), seed: plan.seed)
        let summary = try train(
            WholeModel(model), on: plan.baseDomains.map { plan.text($0) },
            settings: settings(sizes.pace, plan.baseSeconds, plan.seed), progress: report("base"))
        bases[sizes] = (model, summary)
        return (model, summary)
    }

    /// The counts of some domains' training texts together, added in this order.
    func counts(_ domains: [String], _ order: Int) throws -> NGramCounts {
        var sum = NGramCounts(of: [], order: order)
        for domain in domains {
            sum = try sum.adding(NGramCounts(of: plan.train[domain] ?? [], order: order))
        }
        return sum
    }

    func report(_ name: String) -> (TrainingProgress) -> Bool {
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

    // Baselines ----------------------------------------------------------------------------------

    /// Trains the whole base on one domain after another.
    ///
    /// - Parameters:
    ///   - replay: The share of windows that come from all earlier domains' texts.
    ///   - penalty: Of elastic weight consolidation (Kirkpatrick et al., 1612.00796), times the mean of
    ///     squared gradients over earlier domains.
    ///   - teaches: Whether the model before each domain is a teacher on the domain's own text.
    private func runFineTuning(
        _ name: String, replay: Double, penalty: Double = 0, teaches: Bool = false
    ) throws {
        let (base, summary) = try trainedBase(.peer)
        let model = base.copy()
        var row = Row(name: name, model, summary)
        row.stages.append(try evaluate(model))
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
            let pace: Pace = penalty > 0 ? .ewc : teaches ? .lwf : .peer
            var settings = try settings(pace, plan.roundSeconds, plan.seed + UInt64(index))
            // What nothing holds back forgets less at a lower rate: docs/continual.md has the search.
            if penalty == 0, !teaches { settings.rate /= 3 }
            let penalise = consolidation?.adjustment
            let teacher = teaches ? Teacher(model.copy(), weight: plan.tuning.lwf) : nil
            let done = try train(
                WholeModel(model, trainsExperts: penalty == 0), on: texts,
                settings: settings, teacher: teacher, adjust: penalise,
                progress: report("\(name) \(domain)"))
            row.add(done)
            row.stages.append(try evaluate(model))
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
    private func runJoint(_ name: String, _ sizes: StreamProtocol.Sizes) throws {
        let model = TrainableModel(config: try plan.config(sizes), seed: plan.seed)
        let seconds = plan.baseSeconds + Double(plan.newDomains.count) * plan.roundSeconds
        let summary = try train(
            WholeModel(model), on: plan.domains.map { plan.text($0) },
            settings: settings(sizes.pace, seconds, plan.seed), progress: report(name))
        var row = Row(name: name, model, summary)
        let alone = try likelihoods(model, true)
        row.stages = [alone.test.map(\.bitsPerByte)]
        row.stateBytes = 4 * model.parameterCount
        row.replayBytes = plan.domains.reduce(0) { $0 + (plan.train[$1]?.count ?? 0) }
        results.rows.append(row)
        guard sizes != .large else { return }
        row.name += ", counts"
        let beside = try besideAllCounts(alone)
        (row.stages, row.modelShare) = ([beside.bits], beside.share)
        row.stateBytes += try recordBytes(try counts(plan.domains, plan.tuning.counts))
        results.rows.append(row)
    }
}
