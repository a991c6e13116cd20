import Architectures
import Models
import Tensors
import Testing
import Training

/// A small layer of random weights, and random inputs and targets.
private struct Sample {
    static let width = 12
    static let tokens = 7
    let layer: PeerLayerTraining
    let inputs: FloatMemory
    let targets: FloatMemory

    init(keySets: Int, seed: UInt64, threads: Int = 2) throws {
        let config = try PeerConfig(
            json: Array(
                """
                {"architecture":"peer-lm","vocab_size":256,"hidden_size":12,"num_layers":1,
                "num_heads":2,"context_length":16,"ffn_size":24,"rms_norm_eps":1e-5,
                "rope_theta":10000,"peer_layers":[0],
                "peer":{"sub_keys":5,"heads":2,"top_k":3,"key_size":8}}
                """.utf8))
        layer = PeerLayerTraining(
            try #require(config.peer), width: Self.width, keySets: keySets, tokens: Self.tokens,
            team: ThreadTeam(count: threads))
        inputs = FloatMemory(count: Self.tokens * Self.width)
        targets = FloatMemory(count: Self.tokens * Self.width)
        var generator = SplitMix64(seed: seed)
        for memory in [layer.router, layer.table, inputs, targets] {
            memory.slice.copy(
                (0..<memory.count).map { _ in Float(2 * generator.nextUnit() - 1) })
        }
    }

    /// The loss, and the weights as they were.
    func loss() -> Double {
        let (router, table) = (layer.router.slice.array, layer.table.slice.array)
        defer {
            layer.router.slice.copy(router)
            layer.table.slice.copy(table)
        }
        return layer.step(
            1, inputs: inputs.slice, targets: targets.slice, expertRate: 0, routerRate: 0)
    }

    /// Checks a derivative along a gradient by a central difference.
    func check(_ values: FloatSlice, _ gradient: [Float], _ name: String) {
        let norm = gradient.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
        #expect(norm > 1e-3, "\(name)")
        let (before, step) = (values.array, 1e-3)
        func lossAt(_ side: Double) -> Double {
            values.copy(
                zip(before, gradient).map { Float(Double($0) + side * step * Double($1) / norm) })
            defer { values.copy(before) }
            return loss()
        }
        let measured = (lossAt(1) - lossAt(-1)) / (2 * step)
        #expect(abs(measured - norm) < 0.03 * norm + 1e-3, "\(name): \(measured), not \(norm)")
    }
}

@Suite("A PEER layer that learns by gradient descent")
struct PeerLayerTests {
    @Test(
        "has the gradients of finite differences, with sub-keys shared or one set for each head",
        arguments: [1, 2])
    func gradients(keySets: Int) throws {
        let sample = try Sample(keySets: keySets, seed: 3)
        let layer = sample.layer
        let before = layer.table.slice.array
        _ = layer.step(
            1, inputs: sample.inputs.slice, targets: sample.targets.slice, expertRate: 1,
            routerRate: 0)
        // One step at rate 1 leaves the weights minus their gradient.
        let rows = zip(before, layer.table.slice.array).map { $0 - $1 }
        let (router, inputs) = (layer.routerGradient.array, layer.inputGradients.slice.array)
        layer.table.slice.copy(before)
        sample.check(layer.table.slice, rows, "experts")
        sample.check(layer.router.slice, router, "router")
        sample.check(sample.inputs.slice, inputs, "inputs")
    }

    @Test("lowers its loss, with the same bits each time, and leaves what no token picks")
    func learns() throws {
        func run() throws -> (losses: [Double], table: [Float], changed: Int) {
            let sample = try Sample(keySets: 2, seed: 9)
            let before = sample.layer.table.slice.array
            var losses: [Double] = []
            var changed = 0
            for number in 1...30 {
                losses.append(
                    sample.layer.step(
                        number, inputs: sample.inputs.slice, targets: sample.targets.slice,
                        expertRate: 0.1, routerRate: 1e-3))
                let size = 2 * Sample.width
                let now = sample.layer.table.slice.array
                if number == 1 {
                    changed = (0..<now.count / size).count { expert in
                        let row = expert * size..<(expert + 1) * size
                        return now[row] != before[row]
                    }
                }
            }
            return (losses, sample.layer.table.slice.array, changed)
        }
        let first = try run()
        #expect(first.losses[29] < 0.7 * first.losses[0], "\(first.losses)")
        // 7 tokens pick at most 2 heads x 3 experts each, of 25.
        #expect((3..<25).contains(first.changed))
        let second = try run()
        #expect(second.losses == first.losses && second.table == first.table)
    }
}
