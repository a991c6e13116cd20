internal import BenchmarkSupport
internal import Foundation
internal import Models
internal import Routing
internal import Training

/// What the gate, and counts beside the models, make of the models' predictions.
extension Stream {
    /// The counts of all classes beside no model at all: what they leave open goes to shorter contexts, and below
    /// all to all bytes alike.
    func runCounts() throws {
        let uniform = plan.domains.map { domain in
            let size = 256
            let windows = min(plan.test[domain]?.count ?? 0, plan.evaluatedBytes) / size
            return TextLikelihood(
                nats: [Double](repeating: log(256), count: windows * (size - 1)),
                perWindow: size - 1)
        }
        let none = Likelihoods(test: uniform, valid: [])
        try addGated(
            Row(name: "no model"),
            [Likelihoods](repeating: none, count: 1 + plan.newDomains.count),
            mixesCounts: true, modelShare: 0)
    }

    /// Adds a row whose predictions go through the gate.
    ///
    /// - Parameters:
    ///   - mixesCounts: Whether the classes' counts predict beside the models.
    ///   - modelShare: What they leave to the models; nil to choose it.
    func addGated(
        _ row: Row, _ models: [Likelihoods], stages: [Int]? = nil, mixesCounts: Bool,
        modelShare: Float? = nil
    ) throws {
        var row = row
        if mixesCounts { row.name += ", counts" }
        let order = mixesCounts ? plan.tuning.counts : 3
        let start = processorSeconds()
        let counts = try classes(plan.baseDomains, order)
        row.processorSeconds += processorSeconds() - start
        row.stateBytes += try counts.reduce(0) { $0 + (try recordBytes($1)) }
        let names = ["base"] + plan.newDomains
        for domains in [plan.baseDomains, plan.baseDomains.reversed()] {
            var digest = Digest()
            let classes = zip(names, try classes(domains, order)).sorted { $0.0 < $1.0 }
            digest.add(CountGate.encoded(classes.map { ($0, $1) }, .standard).map { Float($0) })
            results.gateDigests.append(String(digest.value, radix: 16))
        }
        var settings: CountExpert.Settings?
        if mixesCounts {
            let share = try modelShare ?? chooseShare(models, try CountGate(counts))
            row.modelShare = share
            settings = CountExpert.Settings(pseudoCount: 4, modelShare: share)
        }
        for stage in stages ?? Array(0...plan.newDomains.count) {
            let gate = try CountGate(Array(counts[0...stage]))
            let mixture = AdapterMixture(gate, models: Array(0...stage), counts: settings)
            let mixed = plan.domains.indices.map { domain in
                mix(mixture, models[0...stage].map { $0.test[domain] }, plan.domains[domain])
            }
            row.stages.append(mixed.map(\.bits))
            if stage == plan.newDomains.count, results.gateUse.isEmpty {
                results.gateUse = mixed.map(\.use)
            }
        }
        results.rows.append(row)
    }

    /// The gate's classes: the base's texts together, added in a given order, then each new domain's.
    private func classes(_ baseDomains: [String], _ order: Int) throws -> [NGramCounts] {
        try [counts(baseDomains, order)] + plan.newDomains.map { try counts([$0], order) }
    }

    /// Bytes of a class's counts as a store keeps them.
    func recordBytes(_ counts: NGramCounts) throws -> Int {
        try CountContribution(
            adapter: "adapter", label: "", data: [UInt8](repeating: 0, count: 32),
            byteCount: counts.total + UInt64(counts.order - 1), counts: counts
        ).encoded.count
    }

    /// The bits of a domain's test text under one model for all of it, with counts of all domains beside it.
    ///
    /// - Returns: Also the share that counts leave to the model.
    func besideAllCounts(_ model: Likelihoods) throws -> (bits: [Double], share: Float) {
        let gate = try CountGate([try counts(plan.domains, plan.tuning.counts)])
        let share = try chooseShare([model], gate)
        let mixture = AdapterMixture(
            gate, counts: CountExpert.Settings(pseudoCount: 4, modelShare: share))
        let bits = plan.domains.indices.map {
            mix(mixture, [model.test[$0]], plan.domains[$0]).bits
        }
        return (bits, share)
    }

    /// The share of models beside counts that is best for the valid texts together.
    private func chooseShare(_ models: [Likelihoods], _ gate: CountGate) throws -> Float {
        if let share = plan.tuning.modelShare { return share }
        let bits = [0.1, 0.3, 0.5, 0.7, 0.9].map { (share: Float) in
            let mixture = AdapterMixture(
                gate, models: Array(models.indices),
                counts: CountExpert.Settings(pseudoCount: 4, modelShare: share))
            let sum = plan.domains.indices.reduce(0.0) { sum, domain in
                sum
                    + TextLikelihood.mixed(
                        models.map { $0.valid[domain] }, by: mixture,
                        of: plan.valid[plan.domains[domain]] ?? []
                    ).bitsPerByte
            }
            return (share: share, sum: sum)
        }
        return bits.min { $0.sum < $1.sum }?.share ?? CountExpert.Settings.standard.modelShare
    }

    /// A domain's test text under a mixture: its bits, and how often each class is the likeliest.
    private func mix(
        _ mixture: AdapterMixture, _ models: [TextLikelihood], _ domain: String
    ) -> (bits: Double, use: [Double]) {
        let mixed = TextLikelihood.mixed(models, by: mixture, of: plan.test[domain] ?? [])
        let all = Double(max(mixed.selection.reduce(0, +), 1))
        let use = (0...plan.newDomains.count).map { model in
            model < mixed.selection.count ? Double(mixed.selection[model]) / all : 0
        }
        return (mixed.bitsPerByte, use)
    }
}
