import Architectures
import Elements
import Models
import Routing
import Tensors
import Testing
import Training

private let text = Array(
    String(repeating: "the quick brown fox jumps over the lazy dog. ", count: 40).utf8)
private let other = Array(String(repeating: "0123456789 98765 43210; ", count: 60).utf8)

private func hashedConfig(_ layers: [Int], experts: Bool = false) throws -> PeerConfig {
    let hash = try PeerConfig.Hash(
        layers: layers, orders: [1, 2, 4], tableSize: 256, layerCount: 2)
    return try tinyConfig(experts: experts).replacingHash(hash)
}

private func settings(steps: Int, threads: Int = 2) -> TrainingSettings {
    var settings = TrainingSettings(budget: .steps(steps), seed: 7)
    settings.windows = 4
    settings.warmUp = 5
    settings.rate = 1e-2
    settings.threads = threads
    return settings
}

private func rows(_ tables: [RowTable]) -> [[UInt32: [Float]]] {
    tables.map { table in
        Dictionary(uniqueKeysWithValues: table.ids.map { ($0, table[$0] ?? []) })
    }
}

private func bits(_ text: [UInt8], _ model: TrainableModel) throws -> Double {
    try TextLikelihood(of: text, under: model, usesExperts: false).bitsPerByte
}

@Suite("Hashed experts in training")
struct HashedExpertsTests {
    @Test("bytes that go without rows train none, and how many do is the share")
    func dropped() throws {
        func trained(_ share: Double, _ orders: [Int], threads: Int = 2) throws -> TrainableModel {
            let hash = try PeerConfig.Hash(
                layers: [0], orders: orders, tableSize: 4_096, layerCount: 2)
            let config = try tinyConfig(experts: false).replacingHash(hash)
            let model = TrainableModel(config: config, seed: 5)
            var settings = settings(steps: 3, threads: threads)
            settings.rowDrop = share
            _ = try train(WholeModel(model), on: [TrainingText(text)], settings: settings)
            return model
        }
        func count(_ share: Double, _ orders: [Int]) throws -> Int {
            try trained(share, orders).rows[0][0].ids.count
        }
        // With one order, every byte that goes without a longer n-gram goes without any.
        #expect(try count(1, [3]) == 0)
        let (all, half, none) = (
            try count(0, [2, 3, 4]), try count(0.5, [2, 3, 4]), try count(1, [2, 3, 4])
        )
        #expect(all >= half && half >= none && all > none && none > 0)
        let (one, two) = (try trained(0.5, [2, 3, 4], threads: 1), try trained(0.5, [2, 3, 4]))
        #expect(rows(one.rows[0]) == rows(two.rows[0]))
        #expect(one.weights.slice.array == two.weights.slice.array)
    }

    @Test("their gradients agree with finite differences", arguments: [[0], [1], [0, 1]])
    func gradients(layers: [Int]) throws {
        let model = TrainableModel(config: try hashedConfig(layers), seed: 5)
        model.weights[model.layout.entries.last!.range].scale(20)
        let inputs = (0..<20).map { UInt8(truncatingIfNeeded: $0 % 7 * 37 + 11) }
        let targets = (0..<20).map { UInt8(truncatingIfNeeded: $0 * 91 + 5) }
        let router = try #require(model.config.hash).router
        let width = model.config.hiddenSize
        func loss() -> (Double, ForwardBackward) {
            let pass = ForwardBackward(model: model, windows: 2, length: 10, usesExperts: false)
            pass.forward(inputs)
            return (pass.backward(inputs, targets: targets, scale: 1), pass)
        }
        // Two rows of the base and one of an adapter's, each picked more than once.
        let ids = router.rows(of: Array(inputs[..<10])) + router.rows(of: Array(inputs[10...]))
        for (slot, tables) in model.rows.enumerated() {
            for id in [ids[0], ids[7], ids[59]] {
                var sum = [Float](repeating: 0, count: width)
                let gradient = loss().1.rowGradient(slot).array
                for (position, picked) in ids.enumerated() where picked == id {
                    for column in 0..<width {
                        sum[column] += gradient[position / 3 * width + column]
                    }
                }
                let norm = sum.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
                #expect(norm > 1e-3)
                func at(_ step: Double) -> Double {
                    tables[0].set(id, sum.map { Float(step * Double($0) / norm) })
                    return loss().0
                }
                let measured = (at(1e-3) - at(-1e-3)) / 2e-3
                #expect(abs(measured - norm) < 0.02 * norm + 0.01, "\(measured), not \(norm)")
                tables[0].set(id, [Float](repeating: 0, count: width))
            }
        }
    }

    @Test("they lower the loss, with the same bits for every number of threads")
    func training() throws {
        func run(_ threads: Int, rows: Bool) throws -> TrainableModel {
            let config = try hashedConfig([0])
            let model = TrainableModel(config: rows ? config : config.replacingHash(nil), seed: 1)
            _ = try train(
                WholeModel(model), on: [TrainingText(text)],
                settings: settings(steps: 30, threads: threads))
            return model
        }
        let (one, three) = (try run(1, rows: true), try run(3, rows: true))
        #expect(rows(one.rows[0]) == rows(three.rows[0]))
        #expect(one.tensors().map(\.values) == three.tensors().map(\.values))
        #expect(try bits(text, one) < (try bits(text, run(1, rows: false))) - 0.1)
        // What no window has is absent.
        let absent = try #require(one.config.hash).router.rows(of: other)
        #expect(absent.contains { one.rows[0][0][$0] == nil })
    }

    @Test("they stand beside other experts, and freeze with them")
    func besideExperts() throws {
        let model = TrainableModel(config: try hashedConfig([1], experts: true), seed: 1)
        _ = try train(
            WholeModel(model, trainsExperts: false), on: [TrainingText(text)],
            settings: settings(steps: 3))
        #expect(model.rows[0][0].ids.isEmpty)
        _ = try train(WholeModel(model), on: [TrainingText(text)], settings: settings(steps: 3))
        #expect(!model.rows[0][0].ids.isEmpty)
    }

    @Test(
        "an adapter adds rows of its own and leaves the base's",
        arguments: [Adapter.Kind.dense, .small, .lowRank(2)])
    func adapters(kind: Adapter.Kind) throws {
        let base = TrainableModel(config: try hashedConfig([0]), seed: 4)
        _ = try train(WholeModel(base), on: [TrainingText(text)], settings: settings(steps: 20))
        let before = (base.tensors().map(\.values), rows(base.rows[0]))
        let known = try bits(other, base)
        let adapter = Adapter(on: base, kind: kind, usesExperts: false, seed: 9)
        #expect(
            try bits(other, adapter.model) == known && adapter.model.rows[0][0] === base.rows[0][0])
        _ = try train(adapter, on: [TrainingText(other)], settings: settings(steps: 20))
        #expect(try bits(other, adapter.model) < known - 0.5)
        #expect(base.tensors().map(\.values) == before.0 && rows(base.rows[0]) == before.1)
        let own = adapter.trainedRows[0]
        let dense = adapter.segments.reduce(0) { $0 + $1.range.count }
        #expect(!own.ids.isEmpty && adapter.parameterCount == dense + own.ids.count * 16)
        // Sums go on from the base's.
        for id in own.ids { #expect(own.sum(of: id) >= base.rows[0][0].sum(of: id)) }
        let names = Set(adapter.tensors(named: "x").map(\.name))
        #expect(
            names.contains("cohorts.x.model.layers.0.mlp.up_proj.weight") == (kind == .dense))
    }

    @Test("protected rows move less, and rows alone can be trained")
    func protection() throws {
        let base = TrainableModel(config: try hashedConfig([0]), seed: 4)
        _ = try train(WholeModel(base), on: [TrainingText(text)], settings: settings(steps: 20))
        func forgotten(_ uses: UInt32) throws -> (old: Double, new: Double) {
            let model = base.copy()
            _ = try train(
                WholeModel(
                    model,
                    protecting: [(0..<768).map { base.rows[0][0][$0] == nil ? 0 : uses }]
                ) { _ in true }, on: [TrainingText(other)], settings: settings(steps: 20))
            #expect(model.tensors().map(\.values) == base.tensors().map(\.values))
            return (try bits(text, model), try bits(other, model))
        }
        let (free, held) = (try forgotten(0), try forgotten(1 << 20))
        let (old, new) = (try bits(text, base), try bits(other, base))
        #expect(free.new < new - 0.3 && held.new < new - 0.1)
        #expect(held.old - old < free.old - old && abs(held.old - old) < 0.01)
    }

    @Test("a run that was stopped goes on to the same bits, and refuses another's state")
    func resume() throws {
        func fresh() throws -> WholeModel {
            WholeModel(TrainableModel(config: try hashedConfig([0, 1]), seed: 3))
        }
        let whole = try fresh()
        _ = try train(whole, on: [TrainingText(text)], settings: settings(steps: 12))
        let first = try fresh()
        var state: TrainingState?
        #expect(throws: CambiumError.self) {
            try train(
                first, on: [TrainingText(text)], settings: settings(steps: 12),
                ended: { state = $0 }, progress: { $0.step < 5 })
        }
        let stopped = try #require(state)
        let second = try fresh()
        _ = try train(
            second, on: [TrainingText(text)], settings: settings(steps: 12), from: stopped)
        #expect(second.model.tensors().map(\.values) == whole.model.tensors().map(\.values))
        #expect(second.model.rows.map(rows) == whole.model.rows.map(rows))
        for change in 0..<3 {
            var bad = stopped
            let last = bad.numbers.count - 3
            if change == 0 { bad.numbers.removeLast() }
            if change == 1 { bad.numbers[last][0] = 0.5 }
            if change == 2 { bad.numbers[last + 1].removeLast() }
            let error = #expect(throws: CambiumError.self) {
                try train(
                    try fresh(), on: [TrainingText(text)], settings: settings(steps: 12), from: bad)
            }
            #expect(error?.code == .usage)
        }
    }
}
