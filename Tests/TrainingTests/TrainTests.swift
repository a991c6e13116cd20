import Architectures
import Elements
import Models
import Tensors
import Testing
import Training

private let text = Array(
    String(repeating: "the quick brown fox jumps over the lazy dog. ", count: 40).utf8)

private func settings(steps: Int, seed: UInt64 = 7) -> TrainingSettings {
    var settings = TrainingSettings(budget: .steps(steps), seed: seed)
    settings.windows = 4
    settings.warmUp = 5
    settings.rate = 1e-2
    return settings
}

@Suite("Training")
struct TrainTests {
    @Test(
        "lowers the loss, with experts and without, and tells every step", arguments: [true, false])
    func lowersTheLoss(experts: Bool) throws {
        let model = TrainableModel(config: try tinyConfig(experts: experts), seed: 1)
        let before = try TextLikelihood(of: text, under: model, usesExperts: true).bitsPerByte
        var steps: [Int] = []
        let summary = try train(
            WholeModel(model), on: [TrainingText(text)], settings: settings(steps: 60),
            progress: {
                steps.append($0.step)
                return true
            })
        let after = try TextLikelihood(of: text, under: model, usesExperts: true).bitsPerByte
        #expect(before > 7.5 && after < 4, "\(before) -> \(after)")
        #expect(steps == Array(1...60) && summary.steps == 60 && summary.tokens == 60 * 64)
    }

    @Test("with one seed gives the same bits, with another others")
    func seeds() throws {
        func run(_ seed: UInt64) throws -> [[Float]] {
            let model = TrainableModel(config: try tinyConfig(experts: true), seed: seed)
            _ = try train(
                WholeModel(model), on: [TrainingText(text)], settings: settings(steps: 8))
            return model.tensors().map(\.values)
        }
        let first = try run(5)
        #expect(try run(5) == first)
        #expect(try run(6) != first)
    }

    @Test("leaves experts that no token picks byte for byte")
    func untouchedExperts() throws {
        let model = TrainableModel(config: try tinyConfig(experts: true), seed: 2)
        let before = model.experts.map { $0.slice.array }
        var short = settings(steps: 1)
        short.windows = 2
        short.length = 2
        _ = try train(WholeModel(model), on: [TrainingText(text)], settings: short)
        let size = 2 * model.config.hiddenSize
        for (slot, rows) in before.enumerated() {
            let after = model.experts[slot].slice.array
            let changed = (0..<rows.count / size).filter {
                rows[$0 * size..<($0 + 1) * size] != after[$0 * size..<($0 + 1) * size]
            }
            // 4 tokens pick at most 2 heads x 3 experts each, of 36.
            #expect(!changed.isEmpty && changed.count <= 24)
        }
    }

    @Test("with a teacher stays closer to what the teacher predicts")
    func teacher() throws {
        let model = TrainableModel(config: try tinyConfig(experts: true), seed: 1)
        _ = try train(WholeModel(model), on: [TrainingText(text)], settings: settings(steps: 40))
        let other = Array(String(repeating: "0123456789 98765 43210; ", count: 40).utf8)
        func forgotten(_ weight: Float) throws -> Double {
            let student = model.copy()
            _ = try train(
                WholeModel(student), on: [TrainingText(other)], settings: settings(steps: 15),
                teacher: weight > 0 ? Teacher(model, weight: weight) : nil)
            return try TextLikelihood(of: text, under: student, usesExperts: true).bitsPerByte
        }
        let (free, pulled) = (try forgotten(0), try forgotten(4))
        #expect(pulled < free - 0.3, "\(free) \(pulled)")
        // Infinitely strong, it changes little but rounding; the loss alone would change much.
        let kept = try TextLikelihood(of: text, under: model, usesExperts: true).bitsPerByte
        #expect(try forgotten(1000) < kept + 0.3)
    }

    @Test("moves experts by plain gradient descent when told so")
    func descent() throws {
        let model = TrainableModel(config: try tinyConfig(experts: true), seed: 2)
        // Of a text that is one byte longer than its only window both parts see the same.
        let window = Array(text.prefix(17))
        let pass = ForwardBackward(model: model, windows: 1, length: 16, usesExperts: true)
        pass.forward(Array(window.dropLast()))
        _ = pass.backward(
            Array(window.dropLast()), targets: Array(window.dropFirst()), scale: 1.0 / 16)
        let size = 2 * model.config.hiddenSize
        var expected = model.experts.map { $0.slice.array }
        for (slot, gradient) in pass.expertRowGradients().enumerated() {
            for (index, expert) in gradient.experts.enumerated() {
                for column in 0..<size {
                    expected[slot][Int(expert) * size + column] -=
                        0.5 * gradient.rows[index * size + column]
                }
            }
        }
        var short = settings(steps: 1)
        short.windows = 2
        short.warmUp = 1
        short.clip = 1e9
        short.expertRule = .descent(rate: 0.5)
        let texts = [TrainingText(Array(text.prefix(18)))]
        _ = try train(WholeModel(model), on: texts, settings: short)
        for (slot, rows) in expected.enumerated() {
            let difference = zip(model.experts[slot].slice.array, rows).map { abs($0 - $1) }.max()
            #expect(try #require(difference) < 1e-6)
        }

        short.budget = .steps(60)
        let summary = try train(WholeModel(model), on: [TrainingText(text)], settings: short)
        #expect(summary.loss < 6)
    }

    @Test("leaves frozen tensors and experts byte for byte")
    func frozen() throws {
        let model = TrainableModel(config: try tinyConfig(experts: true), seed: 2)
        let before = model.tensors()
        let parameters = WholeModel(model, trainsExperts: false) { !$0.hasPrefix("lm_head") }
        _ = try train(parameters, on: [TrainingText(text)], settings: settings(steps: 3))
        for (old, new) in zip(before, model.tensors()) {
            #expect((old.values == new.values) == (old.name != "lm_head.weight"), "\(old.name)")
        }
    }

    @Test(
        "of an adapter leaves the base as it was, and the adapter follows from its tensors",
        arguments: [Adapter.Kind.dense, .lowRank(2)])
    func adapter(kind: Adapter.Kind) throws {
        let base = TrainableModel(config: try tinyConfig(experts: true), seed: 4)
        let before = base.tensors().map(\.values)
        let adapter = Adapter(on: base, kind: kind, usesExperts: kind != .dense, seed: 9)
        #expect(adapter.model.weights.slice.array == base.weights.slice.array)
        func bits() throws -> Double {
            try TextLikelihood(of: text, under: adapter.model, usesExperts: adapter.usesExperts)
                .bitsPerByte
        }
        let untrained = try bits()
        _ = try train(adapter, on: [TrainingText(text)], settings: settings(steps: 40))
        #expect(base.tensors().map(\.values) == before)
        let trained = try bits()
        #expect(trained < untrained - 1, "\(untrained) -> \(trained)")

        let stored = Dictionary(
            uniqueKeysWithValues: adapter.tensors(named: "fox").map { ($0.name, $0) })
        for entry in base.layout.entries {
            let name = "cohorts.fox.\(entry.name)"
            var expected = base.weights[entry.range].array
            if let delta = stored[name] {
                #expect(delta.shape == entry.shape)
                for index in expected.indices { expected[index] += delta.values[index] }
            } else if let a = stored[name + ".a"], let b = stored[name + ".b"] {
                let (rank, columns) = (a.shape[0], a.shape[1])
                for index in expected.indices {
                    let (row, column) = index.quotientAndRemainder(dividingBy: columns)
                    var delta: Float = 0
                    for step in 0..<rank {
                        delta.addProduct(
                            b.values[row * rank + step], a.values[step * columns + column])
                    }
                    expected[index] += delta
                }
            }
            #expect(adapter.model.weights[entry.range].array == expected, "\(entry.name)")
        }
        let kept =
            kind == .dense ? "dense\",\"base_experts\":\"skipped" : "lora\",\"base_experts\":\"kept"
        #expect(
            String(decoding: adapter.description(base: "ab").encoded, as: UTF8.self)
                == "{\"version\":1,\"kind\":\"\(kept)\",\"base\":\"ab\"}")
    }

    @Test("gives tensors that make the same model again; missing and wrong ones are named")
    func exported() throws {
        let config = try tinyConfig(experts: true)
        let model = TrainableModel(config: config, seed: 8)
        let tensors = Dictionary(
            uniqueKeysWithValues: model.tensors().map { ($0.name, $0.values) })
        let again = try TrainableModel(config: config) { tensors[$0] }
        #expect(again.tensors().map(\.values) == model.tensors().map(\.values))
        for name in ["model.norm.weight", "model.layers.1.peer.up.weight"] {
            var missing = tensors
            missing[name] = nil
            let error = #expect(throws: CambiumError.self) {
                try TrainableModel(config: config) { missing[$0] }
            }
            #expect(error?.code == .missingTensor && error?.message.contains(name) == true)
            missing[name] = [1]
            let other = #expect(throws: CambiumError.self) {
                try TrainableModel(config: config) { missing[$0] }
            }
            #expect(other?.code == .badTensor)
        }
    }

    @Test("refuses texts and settings that cannot be, and stops when it is told or diverges")
    func errors() throws {
        let model = TrainableModel(config: try tinyConfig(experts: false), seed: 8)
        func code(_ texts: [TrainingText], _ settings: TrainingSettings, _ go: Bool = true)
            -> CambiumError.Code?
        {
            do {
                _ = try train(
                    WholeModel(model), on: texts, settings: settings, progress: { _ in go })
                return nil
            } catch {
                return (error as? CambiumError)?.code
            }
        }
        #expect(code([], settings(steps: 1)) == .usage)
        #expect(code([TrainingText([1, 2, 3])], settings(steps: 1)) == .usage)
        #expect(code([TrainingText(text, share: -1)], settings(steps: 1)) == .usage)
        var odd = settings(steps: 1)
        odd.windows = 3
        #expect(code([TrainingText(text)], odd) == .usage)
        odd.windows = 4
        odd.length = 17
        #expect(code([TrainingText(text)], odd) == .usage)
        #expect(code([TrainingText(text)], settings(steps: 9), false) == .cancelled)
        model.weights.slice.fill(.nan)
        #expect(code([TrainingText(text)], settings(steps: 1)) == .diverged)
    }
}
