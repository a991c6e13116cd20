package import Routing

/// Which models answer for the next byte of a text, and with what shares.
///
/// The gate's classes are adapters; every class belongs to a model, 0 for the base. A model's weight is the
/// sum of its classes', in the gate's integers, so that shares do not depend on the order of evidence. The
/// two likeliest models are mixed: p = w1 p1 + w2 p2; a second one with a share below 1 / 1024 is left out,
/// so that its layers need not run.
package struct AdapterMixture: Sendable {
    /// A model's share of the next byte.
    package struct Share: Sendable, Hashable {
        /// 0 for the base, then the adapters.
        package let model: Int
        /// Above 0; of `shares`, both of a byte add up to 1.
        package let weight: Float
    }

    /// What the next byte is predicted from: p = `counts` + Σ weight p(model).
    package struct Blend: Sendable {
        /// One or two models, the likelier first; where counts predict, their weights leave room for those.
        package let shares: [Share]
        /// The counts' part, for each byte; empty where they have none.
        package let counts: [Float]
    }

    private let gate: CountGate?
    /// In the gate's place, where the models themselves tell which of them it is.
    let likelihood: LikelihoodGate?
    /// The model of each of the gate's classes.
    private let models: [Int]
    private let modelCount: Int
    /// Of each of the gate's classes, how many bits it begins behind.
    private let handicaps: [Int]
    /// Of each of the gate's classes; none where counts do not predict.
    private let experts: [CountExpert]

    /// The base alone.
    package init() {
        gate = nil
        likelihood = nil
        models = []
        modelCount = 1
        handicaps = []
        experts = []
    }

    /// Models that are picked by how well they predict the text.
    package init(_ likelihood: LikelihoodGate) {
        gate = nil
        self.likelihood = likelihood
        models = []
        modelCount = likelihood.modelCount
        handicaps = []
        experts = []
    }

    /// - Parameters:
    ///   - models: The model of each of the gate's classes, 0 for the base.
    ///   - counts: How the gate's counts predict beside the models; nil if they do not.
    ///   - handicaps: Of each class, how many bits of evidence its text owes before it counts as much as the others.
    package init(
        _ gate: CountGate, models: [Int], counts: CountExpert.Settings? = nil,
        handicaps: [Int]? = nil
    ) {
        precondition(
            models.count == gate.classCount && models.allSatisfy { $0 >= 0 },
            "\(models) for \(gate.classCount) classes")
        self.gate = gate
        likelihood = nil
        self.models = models
        modelCount = (models.max() ?? 0) + 1
        self.handicaps = handicaps ?? [Int](repeating: 0, count: models.count)
        experts = counts.map { gate.experts($0) } ?? []
    }

    /// One model for all of a gate's classes.
    package init(_ gate: CountGate, counts: CountExpert.Settings?) {
        self.init(
            gate, models: [Int](repeating: 0, count: gate.classCount), counts: counts)
    }

    /// Whether a text's bytes are looked at.
    package var hasGate: Bool { gate != nil }

    /// A text that has not begun.
    package var start: CountGate.State? { gate?.start(behind: handicaps) }

    /// Takes the next byte of a text into account.
    package func advance(_ state: inout CountGate.State?, _ byte: UInt8) {
        guard let gate, var next = state else { return }
        gate.advance(&next, byte)
        state = next
    }

    /// One or two models for the byte after those that the state has seen, the likelier first, of equal
    /// ones the lower.
    package func shares(_ state: CountGate.State?) -> [Share] {
        guard let gate, let state else { return [Share(model: 0, weight: 1)] }
        var weights = [UInt64](repeating: 0, count: modelCount)
        for (model, weight) in zip(models, gate.weights(state)) { weights[model] += weight }
        return Self.shares(weights)
    }

    /// Of models with these weights.
    static func shares(_ weights: [UInt64]) -> [Share] {
        var (first, second): (Int, Int?) = (0, nil)
        for model in weights.indices.dropFirst() {
            if weights[model] > weights[first] {
                (first, second) = (model, first)
            } else if second.map({ weights[model] > weights[$0] }) ?? true {
                second = model
            }
        }
        guard let second, weights[second] > (weights[first] + weights[second]) >> 10 else {
            return [Share(model: first, weight: 1)]
        }
        let sum = Float(weights[first] + weights[second])
        return [
            Share(model: first, weight: Float(weights[first]) / sum),
            Share(model: second, weight: Float(weights[second]) / sum),
        ]
    }

    /// What predicts the byte after those that the state has seen.
    package func blend(_ state: CountGate.State?) -> Blend {
        let shares = shares(state)
        guard let gate, let state, !experts.isEmpty else {
            return Blend(shares: shares, counts: [])
        }
        let weights = gate.weights(state)
        var sum = [Float](repeating: 0, count: 256)
        let blended = shares.map { share in
            let own = models.indices.filter { models[$0] == share.model }
            let most = own.map { weights[$0] }.max() ?? 0
            // As of models, what hardly counts is left out.
            let chosen = own.filter { weights[$0] > most >> 10 || weights[$0] == most }
            let total = Float(chosen.reduce(0) { $0 + weights[$1] })
            var left: Float = 0
            for index in chosen {
                let part = share.weight * Float(weights[index]) / total
                let (counts, model) = experts[index].predictions(
                    at: gate.place(index, state))
                for byte in sum.indices { sum[byte] += part * counts[byte] }
                left += part * model
            }
            return Share(model: share.model, weight: left)
        }
        return Blend(shares: blended, counts: sum)
    }
}
