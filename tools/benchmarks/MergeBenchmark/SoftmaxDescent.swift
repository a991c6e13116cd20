internal import Foundation
internal import Models

/// A linear softmax classifier that learns step by step by stochastic gradient descent: what sequential
/// training, rehearsal and elastic weight consolidation do on the same features.
struct SoftmaxDescent {
    /// What is done about forgetting.
    enum Method {
        case plain
        /// This share of each earlier step's examples is kept and mixed in; 1 is joint training.
        case replay(Double)
        /// Elastic weight consolidation with this strength (Kirkpatrick et al., 2017): a penalty by the
        /// diagonal of the Fisher information.
        case ewc(Float)
    }

    private let width: Int
    private let classes: Int
    private let method: Method
    /// [classes, width].
    private var weights: [Float]
    private var anchor: [Float]
    private var fisher: [Float]
    private var kept: [IntentCase.Example] = []
    private var random = SplitMix64(seed: 5)

    init(width: Int, classes: Int, _ method: Method) {
        (self.width, self.classes, self.method) = (width, classes, method)
        weights = [Float](repeating: 0, count: width * classes)
        anchor = weights
        fisher = weights
    }

    /// Five passes over a step's examples and what was kept of earlier ones.
    mutating func learn(_ examples: [IntentCase.Example]) {
        let all = examples + kept
        for pass in 0..<5 {
            for example in all.shuffled(using: &random) {
                step(example, rate: 0.05 / Float(1 + pass))
            }
        }
        switch method {
        case .plain: break
        case .replay(let share):
            kept += examples.filter { _ in Double.random(in: 0..<1, using: &random) < share }
        case .ewc:
            anchor = weights
            for example in examples {
                let (active, _, shares) = scores(example)
                for index in 0..<classes {
                    let error = shares[index] - (UInt32(index) == example.label ? 1 : 0)
                    for (feature, value) in active {
                        fisher[index * width + feature] +=
                            error * error * value * value / Float(examples.count)
                    }
                }
            }
        }
    }

    /// The likeliest class.
    func best(_ features: [Int16]) -> UInt32 {
        let found = scores(IntentCase.Example(features: features, label: 0)).logits
        return UInt32(found.indices.max { found[$0] < found[$1] } ?? 0)
    }

    private mutating func step(_ example: IntentCase.Example, rate: Float) {
        let (active, _, shares) = scores(example)
        var strength: Float = 0
        if case .ewc(let given) = method { strength = given }
        for index in 0..<classes {
            let error = shares[index] - (UInt32(index) == example.label ? 1 : 0)
            for (feature, value) in active {
                let place = index * width + feature
                var gradient = error * value
                if strength > 0 {
                    gradient += strength * fisher[place] * (weights[place] - anchor[place])
                }
                weights[place] -= rate * min(max(gradient, -1), 1)
            }
        }
    }

    /// The features that are not 0, at unit length, with logits and their softmax.
    private func scores(
        _ example: IntentCase.Example
    ) -> (active: [(Int, Float)], logits: [Float], shares: [Float]) {
        var active: [(Int, Float)] = []
        var square: Float = 0
        for (feature, value) in example.features.enumerated() where value != 0 {
            active.append((feature, Float(value)))
            square += Float(value) * Float(value)
        }
        let scale = 4 / max(square, 1).squareRoot()
        active = active.map { ($0.0, $0.1 * scale) }
        var logits = [Float](repeating: 0, count: classes)
        for index in 0..<classes {
            var sum: Float = 0
            for (feature, value) in active { sum += weights[index * width + feature] * value }
            logits[index] = sum
        }
        let greatest = logits.max() ?? 0
        var shares = logits.map { expf($0 - greatest) }
        let sum = shares.reduce(0, +)
        for index in shares.indices { shares[index] /= sum }
        return (active, logits, shares)
    }
}
