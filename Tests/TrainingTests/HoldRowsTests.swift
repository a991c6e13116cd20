import Architectures
import Elements
import Models
import Routing
import Tensors
import Testing

@testable import Training

@Suite("Held rows of hashed experts")
struct HoldRowsTests {
    private static let text = Array(
        String(repeating: "the quick brown fox jumps over the lazy dog. ", count: 40).utf8)
    private static let other = Array(String(repeating: "the 0123 fox 98765 dog; ", count: 60).utf8)

    private func config(_ layers: [Int], experts: Bool = false) throws -> PeerConfig {
        let hash = try PeerConfig.Hash(
            layers: layers, orders: [1, 2, 4], tableSize: 256, layerCount: 2)
        return try tinyConfig(experts: experts).replacingHash(hash)
    }

    private func trained(_ model: TrainableModel, _ text: [UInt8], _ steps: Int) throws {
        _ = try train(WholeModel(model), on: [TrainingText(text)], settings: settings(steps))
    }

    private func settings(_ steps: Int, threads: Int = 2) -> TrainingSettings {
        var settings = TrainingSettings(budget: .steps(steps), seed: 7)
        (settings.windows, settings.warmUp, settings.rate) = (4, 5, 1e-2)
        settings.threads = threads
        return settings
    }

    private func rows(_ model: TrainableModel) -> [[UInt32: [Float]]] {
        model.rows.map { tables in
            Dictionary(uniqueKeysWithValues: tables[0].ids.map { ($0, tables[0][$0] ?? []) })
        }
    }

    @Test("their gradient agrees with finite differences", arguments: [[0], [0, 1]])
    func gradient(layers: [Int]) throws {
        let before = TrainableModel(config: try config(layers), seed: 5)
        try trained(before, Self.text, 10)
        let model = before.copy()
        try trained(model, Self.other, 5)
        let router = try #require(model.config.hash).router
        let picks = router.rows(of: Array(Self.text.prefix(40)))
        let hold = Hold(before, states: [:], rowPicks: picks, output: 0.7, router: 1)
        let passes = HoldRowsPass.all(hold, of: model)
        #expect(passes.count == layers.count)
        for (slot, pass) in passes.enumerated() {
            pass.run(draw: 1)
            #expect(pass.picks == picks && pass.distance > 0)
            let (slope, table) = (pass.gradient.array, model.rows[slot][0])
            for id in [picks[0], picks[7], picks[59]] {
                let old = try #require(table[id])
                var sum = [Float](repeating: 0, count: 16)
                for (place, picked) in picks.enumerated() where picked == id {
                    for column in 0..<16 { sum[column] += slope[place / 3 * 16 + column] }
                }
                let norm = sum.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
                func at(_ step: Double) -> Double {
                    table.set(id, zip(old, sum).map { $0 + Float(step * Double($1) / norm) })
                    pass.run(draw: 1)
                    return pass.distance * Double(hold.share) * 0.7
                }
                let measured = (at(1e-2) - at(-1e-2)) / 2e-2
                #expect(abs(measured - norm) < 0.02 * norm + 1e-5, "\(measured), not \(norm)")
                table.set(id, old)
            }
        }
    }

    @Test(
        "they stay nearer, by the same bits with any threads and after a stop, beside other experts too",
        arguments: [false, true])
    func training(experts: Bool) throws {
        let model = TrainableModel(config: try config([1], experts: experts), seed: 1)
        try trained(model, Self.text, 30)
        let router = try #require(model.config.hash).router
        var states: [Int: [Float]] = [:]
        if experts { for layer in [0, 1] { states[layer] = (0..<320).map { Float($0 % 7) - 3 } } }
        func run(
            _ weight: Float, threads: Int = 2, stop: Int? = nil
        ) throws -> (held: HoldDistance, rows: [[UInt32: [Float]]]) {
            var hold = Hold(
                model, states: states, rowPicks: router.rows(of: Array(Self.text.prefix(60))),
                output: weight, router: 0)
            hold.perStep = 24
            var state: TrainingState?
            if let stop {
                _ = try? train(
                    WholeModel(model.copy()), on: [TrainingText(Self.other)],
                    settings: settings(12, threads: threads), hold: hold, ended: { state = $0 },
                    progress: { $0.step < stop })
            }
            let student = model.copy()
            let summary = try train(
                WholeModel(student), on: [TrainingText(Self.other)],
                settings: settings(12, threads: threads), from: state, hold: hold)
            return (try #require(summary.held), rows(student))
        }
        let (free, held) = (try run(1e-9), try run(30))
        #expect(held.held.output < 0.7 * free.held.output, "\(held.held) \(free.held)")
        #expect(free.held.output > 0 && (experts || held.held.router == 0))
        #expect(try run(30, threads: 1).rows == held.rows)
        #expect(try run(30, stop: 5).rows == held.rows)
    }

    @Test("rows that are not there stay so, layer by layer, when held tokens alone pick them")
    func absent() throws {
        let model = TrainableModel(config: try config([0, 1]), seed: 1)
        try trained(model, Self.text, 5)
        let router = try #require(model.config.hash).router
        let strange = router.rows(of: Array("QXZJ!?".utf8))
        let own = Set(router.rows(of: Self.text))
        // One that only the second layer has.
        let lone = try #require(strange.first { !own.contains($0) })
        model.rows[1][0].set(lone, [Float](repeating: 0.5, count: 16))
        let student = model.copy()
        _ = try train(
            WholeModel(student), on: [TrainingText(Self.text)], settings: settings(3),
            hold: Hold(model, states: [:], rowPicks: strange, output: 1, router: 1))
        for layer in 0..<2 {
            let (before, after) = (model.rows[layer][0], student.rows[layer][0])
            let others = strange.filter { !own.contains($0) && before[$0] == nil }
            #expect(others.count > 3 && others.allSatisfy { after[$0] == nil })
        }
        #expect(student.rows[1][0][lone] != nil)
    }
}
