import Architectures
import Elements
import Models
import Tensors
import Testing
import Training

@Suite("Squared gradients")
struct SquaredGradientsTests {
    /// Two whole windows and a rest, then a text shorter than one.
    private func texts(_ size: Int) -> [[UInt8]] {
        [2 * size + 4, 5].map { count in
            (0..<count).map { UInt8(truncatingIfNeeded: $0 * 37 + count) }
        }
    }

    @Test("are the mean over tokens of each window's, with any number of threads")
    func windows() throws {
        let model = TrainableModel(config: try tinyConfig(experts: true), seed: 5)
        let size = model.config.contextLength
        var dense = [Double](repeating: 0, count: model.layout.count)
        var rows: [Int: [Double]] = [:]
        let width = 2 * model.config.hiddenSize
        for text in texts(size) {
            for start in stride(from: 0, to: text.count - 1, by: size) {
                let window = Array(text[start...min(start + size, text.count - 1)])
                let pass = ForwardBackward(
                    model: model, windows: 1, length: window.count - 1, usesExperts: true)
                pass.forward(Array(window.dropLast()))
                _ = pass.backward(
                    Array(window.dropLast()), targets: Array(window.dropFirst()), scale: 1)
                for (index, value) in pass.gradient.slice.array.enumerated() {
                    dense[index] += Double(value) * Double(value)
                }
                let gradient = pass.expertRowGradients()[0]
                let values = gradient.rows.array
                for (position, expert) in gradient.experts.enumerated() {
                    let squares = values[position * width..<(position + 1) * width].map {
                        Double($0) * Double($0)
                    }
                    let known = rows[Int(expert)] ?? [Double](repeating: 0, count: width)
                    rows[Int(expert)] = zip(known, squares).map { $0 + $1 }
                }
            }
        }
        let tokens = Double(2 * size + 3 + 4)
        var steps: [Int] = []
        let found = try SquaredGradients(of: texts(size), under: model) { done, _ in
            steps.append(done)
        }
        #expect(steps == [1, 2, 3, 4])
        #expect(found.tokens == 2 * size + 3 + 4)
        #expect(found.dense == dense.map { Float($0 / tokens) })
        #expect(found.dense.contains { $0 > 0 })
        #expect(found.experts[0] == rows.mapValues { $0.map { Float($0 / tokens) } })
        for threads in [2, 3, 9] {
            let again = try SquaredGradients(of: texts(size), under: model, threads: threads)
            #expect(again.dense == found.dense && again.experts == found.experts)
        }
    }

    @Test("of texts that are too short, or of weights that are no numbers, are refused")
    func refused() throws {
        let model = TrainableModel(config: try tinyConfig(experts: true), seed: 5)
        for texts in [[], [[1]], [[1, 2], []]] as [[[UInt8]]] {
            let error = #expect(throws: CambiumError.self) {
                try SquaredGradients(of: texts, under: model)
            }
            #expect(error?.code == .usage)
        }
        model.weights[model.layout.entries[0].range].fill(.nan)
        let error = #expect(throws: CambiumError.self) {
            try SquaredGradients(of: [[1, 2, 3]], under: model)
        }
        #expect(error?.code == .diverged)
    }
}
