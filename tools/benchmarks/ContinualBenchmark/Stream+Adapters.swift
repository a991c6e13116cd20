internal import Architectures
internal import BenchmarkSupport
internal import Foundation
internal import Models
internal import Tensors
internal import Training

/// What an adapter of the first row was.
struct TrainedAdapter {
    let domain: String
    let steps: Int
    let seed: UInt64
    let digest: String
}

/// What the adapters of a row are.
struct AdapterForm {
    let kind: Adapter.Kind
    let experts: AdapterExperts?
    let keepsExperts: Bool

    init(_ kind: Adapter.Kind, _ experts: AdapterExperts? = nil, keepsExperts: Bool = false) {
        self.kind = kind
        self.experts = experts
        self.keepsExperts = keepsExperts
    }

    /// Whether the gate picks; of LoRA alone, a baseline, the domain's label does.
    var isGated: Bool { !keepsExperts }
    /// Whether the expert layers run, those of the base or the adapter's.
    var usesExperts: Bool { keepsExperts || experts != nil }

    func adapter(on base: TrainableModel, seed: UInt64) -> Adapter {
        Adapter(on: base, kind: kind, usesExperts: keepsExperts, experts: experts, seed: seed)
    }
}

/// Rounds that add an adapter each to a frozen base.
extension Stream {
    /// One adapter per new domain on the same base; the gate, or for LoRA the domain's label, picks.
    func runAdapters(
        _ name: String, _ form: AdapterForm, _ pace: Pace, base sizes: StreamProtocol.Sizes = .peer
    ) throws {
        let (base, summary) = try trainedBase(sizes)
        var row = Row(name: name, base, summary)
        var models = [try likelihoods(base, true)]
        let keeps = keepsHashedModels && sizes == .hashed && form.kind == .dense
        if keeps { hashedModels = [base] }
        for domain in plan.newDomains {
            // The domain's own, whatever its place in the order.
            let seed = plan.seed + UInt64(plan.newDomains.sorted().firstIndex(of: domain) ?? 0)
            let adapter = form.adapter(on: base, seed: seed)
            let done = try train(
                adapter, on: [plan.text(domain)],
                settings: settings(pace, plan.roundSeconds, seed),
                progress: report("\(name) \(domain)"))
            if form.experts == nil, form.isGated, form.kind == .dense {
                trained[sizes, default: []].append(
                    TrainedAdapter(
                        domain: domain, steps: done.steps, seed: seed,
                        digest: digest(adapter, domain)))
            }
            row.add(done)
            row.parameters += adapter.parameterCount
            row.rows += adapter.trainedRows.reduce(0) { $0 + $1.ids.count }
            models.append(try likelihoods(adapter.model, form.usesExperts))
            if keeps { hashedModels.append(adapter.model) }
        }
        row.stateBytes = 4 * row.parameters
        if form.isGated {
            try addGated(row, models, mixesCounts: false)
            try addGated(row, models, mixesCounts: true)
        }
        row.name = "\(name), oracle labels"
        row.stages = []
        for stage in 0...plan.newDomains.count {
            row.stages.append(
                plan.domains.indices.map { domain in
                    let own = max(0, domain - plan.baseDomains.count + 1)
                    return models[own <= stage ? own : 0].test[domain].bitsPerByte
                })
        }
        results.rows.append(row)
    }

    /// A row's adapters again, each on a branch of its own from the base, in another order, merged
    /// at the end: the union of the same deltas and counts.
    func runBranches(
        _ name: String, _ pace: Pace, base sizes: StreamProtocol.Sizes
    ) throws {
        let (base, summary) = try trainedBase(sizes)
        let trained = trained[sizes] ?? []
        try expect(!trained.isEmpty, "a row of merged branches comes behind that of the sequence")
        var row = Row(name: "\(name), branches merged", base, summary)
        var models: [String: Likelihoods] = [:]
        for branch in trained.reversed() {
            let adapter = Adapter(
                on: base, kind: .dense, usesExperts: false, seed: branch.seed)
            var settings = try settings(pace, plan.roundSeconds, branch.seed)
            settings.budget = .steps(branch.steps)
            let done = try train(
                adapter, on: [plan.text(branch.domain)], settings: settings,
                progress: report("branch \(branch.domain)"))
            row.add(done)
            row.parameters += adapter.parameterCount
            row.rows += adapter.trainedRows.reduce(0) { $0 + $1.ids.count }
            models[branch.domain] = try likelihoods(adapter.model, false)
            results.adapterDigests += [branch.digest, digest(adapter, branch.domain)]
        }
        row.stateBytes = 4 * row.parameters
        let all = [try likelihoods(base, true)] + plan.newDomains.compactMap { models[$0] }
        try addGated(row, all, stages: [0, plan.newDomains.count], mixesCounts: false)
    }

    /// As many neurons in each of the base's expert layers as the base has.
    func neurons() throws -> AdapterExperts {
        let config = try plan.config(.peer)
        guard let peer = config.peer else { throw Failure("the base has no neurons") }
        return .neurons(peer, layers: config.peerLayers)
    }

    /// One SwiGLU expert of 256 in every layer, which the gate alone routes to.
    func swiglu() throws -> AdapterExperts {
        .swiglu(try PeerConfig.Linear(experts: 1, topK: 1, width: 256), layers: [0, 1, 2, 3])
    }

    private func digest(_ adapter: Adapter, _ domain: String) -> String {
        var digest = Digest()
        for tensor in adapter.tensors(named: domain) { digest.add(tensor.values) }
        for table in adapter.trainedRows {
            for id in table.ids.sorted() { digest.add([Float(id)] + (table[id] ?? [])) }
        }
        return String(digest.value, radix: 16)
    }
}
