import Architectures
import Elements
import Models
import Tensors
import Testing

@testable import Training

/// A kind of expert layers.
enum HeldKind: String, CaseIterable, Sendable {
    case productKey, tree, linear, digits, solvedTree

    /// Whether its router thinks of all experts at once.
    var hasDistribution: Bool { self != .tree && self != .solvedTree }

    var config: PeerConfig {
        get throws {
            switch self {
            case .productKey: try tinyConfig(experts: true)
            case .tree: try treeConfig([3, 4])
            case .digits:
                try tinyConfig(experts: true).solving(0, form: .ridge, heads: 2)
                    .solving(1, form: .ridge, heads: 2)
            case .solvedTree:
                try treeConfig([3, 4]).solving(0, form: .ridge, heads: 1)
                    .solving(1, form: .ridge, heads: 1)
            case .linear:
                try tinyConfig(experts: true).replacingExperts(
                    linear: PeerConfig.Linear(experts: 5, topK: 2, width: 12), layers: [0, 1])
            }
        }
    }
}

@Suite("Held behaviour")
struct HoldTests {
    private static let text = Array(
        String(repeating: "the quick brown fox jumps over the lazy dog. ", count: 40).utf8)
    private static let other = Array(String(repeating: "0123456789 98765 43210; ", count: 40).utf8)

    private func states(_ count: Int, _ width: Int) -> [Int: [Float]] {
        var noise = NormalNoise(seed: 3)
        return Dictionary(
            uniqueKeysWithValues: [0, 1].map { layer in
                let memory = FloatMemory(count: count * width)
                noise.fill(memory.slice, deviation: 1)
                return (layer, memory.slice.array)
            })
    }

    /// What is held, its loss, and what was picked.
    private func loss(
        _ hold: Hold, _ model: TrainableModel, draw: UInt64 = 1, into gradient: FloatMemory? = nil
    ) -> (loss: Double, picks: [[UInt32]], passes: [HoldPass]) {
        let passes = HoldPass.all(hold, of: model)
        let gradient = gradient ?? FloatMemory(count: model.layout.count)
        for pass in passes { pass.run(draw: draw, gradient: gradient) }
        let sum = passes.reduce(0) {
            $0 + Double(hold.output) * $1.distance.output + Double(hold.router) * $1.distance.router
        }
        return (sum / Double(passes.count), passes.map(\.picks), passes)
    }

    @Test(
        "has gradients that agree with finite differences", arguments: HeldKind.allCases,
        [(1, 0), (0, 1), (0.7, 1.3)] as [(Float, Float)])
    func finiteDifferences(_ kind: HeldKind, _ weights: (Float, Float)) throws {
        let config = try kind.config
        let before = TrainableModel(config: config, seed: 5)
        let model = TrainableModel(config: config, seed: 6)
        for entry in model.layout.entries where entry.isRouter {
            // Far enough apart that a step does not change what is picked.
            for one in [before, model] { one.weights[entry.range].scale(kind == .digits ? 6 : 2) }
        }
        let hold = Hold(
            before, states: states(11, config.hiddenSize), output: weights.0, router: weights.1)
        let gradient = FloatMemory(count: model.layout.count)
        let (_, picks, passes) = loss(hold, model, into: gradient)
        func check(_ own: FloatSlice, _ slope: [Float], _ name: String) {
            let norm = slope.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
            let values = own.array
            for step in [1e-2, 5e-3, 2e-3, 1e-3, 5e-4] {
                func at(_ side: Double) -> (loss: Double, picks: [[UInt32]], passes: [HoldPass]) {
                    own.copy(
                        zip(values, slope).map {
                            Float(Double($0) + side * step * Double($1) / norm)
                        })
                    defer { own.copy(values) }
                    return loss(hold, model)
                }
                let (above, below) = (at(1), at(-1))
                // The output jumps where a state picks another expert.
                if weights.0 > 0, above.picks != picks || below.picks != picks { continue }
                let measured = (above.loss - below.loss) / (2 * step)
                #expect(
                    abs(measured - norm) < 0.02 * norm + 2e-6 / step,
                    "\(name): \(measured), not \(norm), step \(step)")
                return
            }
            Issue.record("\(name): every step changes the picks")
        }
        var checked = 0
        for entry in model.layout.entries {
            let slope = gradient[entry.range].array
            let isHeld = entry.role == .expert || entry.isRouter
            let isZero = slope.allSatisfy { $0 == 0 }
            if isHeld, !isZero {
                check(model.weights[entry.range], slope, entry.name)
                checked += 1
            } else {
                // Only a tree has no distribution, and only the output is of the experts.
                #expect(isZero)
                #expect(!isHeld || weights.0 == 0 || entry.role == .expert, "\(entry.name)")
            }
        }
        #expect(checked > 0 || (!kind.hasDistribution && weights.0 == 0))
        for (slot, pass) in passes.compactMap(\.expertPass).enumerated() {
            let rows = ExpertGradient([pass], count: config.expertCount, team: .single)
            let size = 2 * config.hiddenSize
            for (index, expert) in rows.experts.enumerated().prefix(3) {
                let slope = rows.rows[index * size..<(index + 1) * size].array
                if slope.allSatisfy({ abs($0) < 1e-5 }) { continue }
                check(
                    model.experts[slot][Int(expert) * size..<(Int(expert) + 1) * size], slope,
                    "expert \(expert)")
            }
            #expect(weights.0 > 0 || rows.rows.array.allSatisfy { $0 == 0 })
        }
    }

    @Test("is no distance and no pull where nothing changed", arguments: HeldKind.allCases)
    func same(_ kind: HeldKind) throws {
        let model = TrainableModel(config: try kind.config, seed: 5)
        let hold = Hold(
            model.copy(), states: states(9, model.config.hiddenSize), output: 1, router: 1)
        let gradient = FloatMemory(count: model.layout.count)
        let found = loss(hold, model, into: gradient)
        #expect(found.loss == 0 && gradient.slice.array.allSatisfy { $0 == 0 })
    }

    @Test("is of other states in each step where there are more than a step takes")
    func draws() throws {
        let model = TrainableModel(config: try tinyConfig(experts: true), seed: 5)
        var hold = Hold(
            TrainableModel(config: model.config, seed: 6),
            states: states(40, model.config.hiddenSize), output: 1, router: 1)
        #expect(loss(hold, model, draw: 1).loss == loss(hold, model, draw: 2).loss)
        hold.perStep = 8
        #expect(loss(hold, model, draw: 1).loss != loss(hold, model, draw: 2).loss)
        #expect(loss(hold, model, draw: 2).loss == loss(hold, model, draw: 2).loss)
    }

    @Test(
        "keeps layers closer to what they did, by the same bits with any threads and after a stop",
        arguments: HeldKind.allCases)
    func training(_ kind: HeldKind) throws {
        let model = TrainableModel(config: try kind.config, seed: 1)
        func settings(_ steps: Int, threads: Int = 2) -> TrainingSettings {
            var settings = TrainingSettings(budget: .steps(steps), seed: 7)
            (settings.windows, settings.warmUp, settings.rate) = (4, 5, 1e-2)
            settings.threads = threads
            return settings
        }
        _ = try train(WholeModel(model), on: [TrainingText(Self.text)], settings: settings(30))
        let states = states(32, model.config.hiddenSize)
        func run(
            _ output: Float, _ router: Float, threads: Int = 2, stop: Int? = nil
        ) throws -> (held: HoldDistance, weights: [[Float]]) {
            let student = model.copy()
            var hold = Hold(model, states: states, output: output, router: router)
            hold.perStep = 24
            var state: TrainingState?
            if let stop {
                let other = model.copy()
                _ = try? train(
                    WholeModel(other), on: [TrainingText(Self.other)],
                    settings: settings(12, threads: threads), hold: hold, ended: { state = $0 },
                    progress: { $0.step < stop })
                #expect(state?.step == stop)
            }
            let summary = try train(
                WholeModel(student), on: [TrainingText(Self.other)],
                settings: settings(12, threads: threads), from: state, hold: hold)
            return (try #require(summary.held), student.tensors().map(\.values))
        }
        let free = try run(1e-9, 1e-9)
        let held = try run(10, 10)
        #expect(held.held.output < 0.5 * free.held.output, "\(held.held) \(free.held)")
        #expect(
            kind.hasDistribution
                ? held.held.router < free.held.router : held.held.router == 0)
        #expect(try run(10, 10, threads: 1).weights == held.weights)
        #expect(try run(10, 10, stop: 5).weights == held.weights)
        let none = try train(
            WholeModel(model.copy()), on: [TrainingText(Self.other)], settings: settings(1))
        #expect(none.held == nil)
    }
}
