package import Routing

/// Which models answer for the next byte of a text, and with what shares.
///
/// The gate's classes are cohorts; every class belongs to a model, 0 for the base. A model's weight is the
/// sum of its classes', in the gate's integers, so that shares do not depend on the order of evidence. The
/// two likeliest models are mixed: p = w1 p1 + w2 p2; a second one with a share below 1 / 1024 is left out,
/// so that its layers need not run.
package struct CohortMixture: Sendable {
    /// A model's share of the next byte.
    package struct Share: Sendable, Hashable {
        /// 0 for the base, then the cohorts.
        package let model: Int
        /// Above 0; both of a byte add up to 1.
        package let weight: Float
    }

    private let gate: CountGate?
    /// The model of each of the gate's classes.
    private let models: [Int]
    private let modelCount: Int

    /// The base alone.
    package init() {
        gate = nil
        models = []
        modelCount = 1
    }

    /// - Parameters:
    ///   - models: The model of each of the gate's classes, 0 for the base.
    package init(_ gate: CountGate, models: [Int]) {
        precondition(
            models.count == gate.classCount && models.allSatisfy { $0 >= 0 },
            "\(models) for \(gate.classCount) classes")
        self.gate = gate
        self.models = models
        modelCount = (models.max() ?? 0) + 1
    }

    /// Whether a text's bytes are looked at.
    package var hasGate: Bool { gate != nil }

    /// A text that has not begun.
    package var start: CountGate.State? { gate?.start }

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
}
