import Architectures
import Foundation
import Models
import Tensors
import Testing
import Training

/// Weights, loss and gradients that PyTorch computed (`tools/golden/gradients.py`).
private struct Golden: Decodable {
    struct Tensor: Decodable {
        let name: String
        let shape: [Int]
        var count: Int { shape.reduce(1, *) }
    }

    let tokens: [[UInt8]]
    let loss: Double
    let tensors: [Tensor]

    static func load() throws -> (Golden, PeerConfig, [String: [Float]], [String: [Float]]) {
        let folder = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "Fixtures")
        let json = try Data(contentsOf: folder.appending(path: "gradients.json"))
        let golden = try JSONDecoder().decode(Golden.self, from: json)
        let fields = try #require(
            try JSONSerialization.jsonObject(with: json) as? [String: Any])
        let config = try JSONSerialization.data(withJSONObject: try #require(fields["config"]))
        let bytes = [UInt8](try Data(contentsOf: folder.appending(path: "gradients.bin")))
        var position = 0
        func next(_ count: Int) -> [Float] {
            defer { position += 4 * count }
            return (0..<count).map { index in
                let start = position + 4 * index
                return Float(
                    bitPattern: (0..<4).reduce(0) {
                        $0 | UInt32(bytes[start + $1]) << UInt32(8 * $1)
                    })
            }
        }
        var (weights, gradients): ([String: [Float]], [String: [Float]]) = ([:], [:])
        for tensor in golden.tensors { weights[tensor.name] = next(tensor.count) }
        for tensor in golden.tensors { gradients[tensor.name] = next(tensor.count) }
        #expect(position == bytes.count)
        return (golden, try PeerConfig(json: [UInt8](config)), weights, gradients)
    }
}

@Suite("PyTorch's gradients")
struct GoldenGradientTests {
    @Test("of every tensor and expert are ours, and so is the loss")
    func golden() throws {
        let (golden, config, weights, gradients) = try Golden.load()
        let model = try TrainableModel(config: config) { weights[$0] }
        let pass = ForwardBackward(
            model: model, windows: golden.tokens.count, length: golden.tokens[0].count - 1,
            usesExperts: true)
        let inputs = golden.tokens.flatMap { $0.dropLast() }
        let targets = golden.tokens.flatMap { $0.dropFirst() }
        pass.forward(inputs)
        let nats = pass.backward(inputs, targets: targets, scale: 1 / Float(inputs.count))
        #expect(abs(nats / Double(inputs.count) - golden.loss) < 1e-5)

        for entry in model.layout.entries {
            try expectClose(
                pass.gradient[entry.range].array, try #require(gradients[entry.name]), entry.name)
        }
        let experts = pass.expertRowGradients()
        let (width, down, up) = (
            config.hiddenSize, try #require(gradients["model.layers.1.peer.down.weight"]),
            try #require(gradients["model.layers.1.peer.up.weight"])
        )
        var (ours, theirs) = ([Float](repeating: 0, count: 2 * down.count), [Float]())
        for (index, expert) in experts[0].experts.enumerated() {
            for column in 0..<2 * width {
                ours[Int(expert) * 2 * width + column] = experts[0].rows[index * 2 * width + column]
            }
        }
        for expert in 0..<down.count / width {
            theirs += down[expert * width..<(expert + 1) * width]
            theirs += up[expert * width..<(expert + 1) * width]
        }
        try expectClose(ours, theirs, "expert rows")
    }
}

private func expectClose(_ ours: [Float], _ theirs: [Float], _ name: String) throws {
    try #require(ours.count == theirs.count, "\(name)")
    let largest = theirs.map(abs).max() ?? 0
    #expect(largest > 0, "\(name) has no gradient to compare")
    let difference = zip(ours, theirs).map { abs($0 - $1) }.max() ?? 0
    #expect(difference <= 2e-5 * largest + 1e-8, "\(name): \(difference) of \(largest)")
}
