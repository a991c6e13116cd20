import Architectures
import Models
import Tensors
import Testing
import Training

/// A tiny model, its loss, and the gradient of each tensor.
private struct Probe {
    let model: TrainableModel
    let usesExperts: Bool
    let inputs: [UInt8] = (0..<20).map { UInt8(truncatingIfNeeded: $0 * 37 + 11) }
    let targets: [UInt8] = (0..<20).map { UInt8(truncatingIfNeeded: $0 * 91 + 5) }

    /// The nats, and all that is picked.
    func loss() -> (nats: Double, selection: [[UInt32]]) {
        let pass = ForwardBackward(
            model: model, windows: 2, length: 10, usesExperts: usesExperts)
        pass.forward(inputs)
        return (pass.backward(inputs, targets: targets, scale: 1), pass.selection)
    }

    /// Checks the derivative along a tensor's own gradient by a central difference.
    func check(_ weights: FloatSlice, _ gradient: [Float], _ name: String) {
        let norm = gradient.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
        #expect(norm > 1e-3, "\(name) has no gradient to check")
        let before = weights.array
        let selection = loss().selection
        // The loss jumps where a token picks another expert: steps that stay on this side of it.
        for step in [2e-3, 1e-3, 5e-4, 2.5e-4] {
            func lossAt(_ side: Double) -> (nats: Double, selection: [[UInt32]]) {
                weights.copy(
                    zip(before, gradient).map {
                        Float(Double($0) + side * step * Double($1) / norm)
                    })
                defer { weights.copy(before) }
                return loss()
            }
            let (above, below) = (lossAt(1), lossAt(-1))
            if above.selection != selection || below.selection != selection { continue }
            let measured = (above.nats - below.nats) / (2 * step)
            let noise = 1e-5 / step
            #expect(
                abs(measured - norm) < 0.02 * norm + noise,
                "\(name): \(measured), not \(norm), step \(step)")
            return
        }
        Issue.record("\(name): every step changes the picks")
    }

    /// Checks every dense tensor that `isChecked` takes.
    ///
    /// - Returns: The pass, behind its way back.
    func checkAll(
        where isChecked: (ParameterLayout.Entry) -> Bool = { _ in true }
    ) -> ForwardBackward {
        let pass = ForwardBackward(
            model: model, windows: 2, length: 10, usesExperts: usesExperts)
        pass.forward(inputs)
        _ = pass.backward(inputs, targets: targets, scale: 1)
        for entry in model.layout.entries where isChecked(entry) {
            check(model.weights[entry.range], pass.gradient[entry.range].array, entry.name)
        }
        return pass
    }
}

@Suite("Gradients")
struct GradientTests {
    @Test(
        "of every tensor and picked expert agree with finite differences", arguments: [true, false])
    func finiteDifferences(usesExperts: Bool) throws {
        let model = TrainableModel(config: try tinyConfig(experts: usesExperts), seed: 5)
        // The head's small start would leave little to measure.
        model.weights[model.layout.entries.last!.range].scale(20)
        let probe = Probe(model: model, usesExperts: usesExperts)
        let pass = probe.checkAll()
        for (slot, gradient) in pass.expertRowGradients().enumerated() {
            let size = 2 * model.config.hiddenSize
            for (index, expert) in gradient.experts.enumerated().prefix(3) {
                let start = Int(expert) * size
                let row = gradient.rows[index * size..<(index + 1) * size].array
                if row.allSatisfy({ abs($0) < 1e-3 }) { continue }
                probe.check(model.experts[slot][start..<start + size], row, "expert \(expert)")
            }
        }
    }

    @Test("of linear routers and SwiGLU experts agree with finite differences", arguments: [1, 2])
    func linearLayers(topK: Int) throws {
        let sizes = try PeerConfig.Linear(experts: 3, topK: topK, width: 12)
        let config = try tinyConfig(experts: true).replacingExperts(linear: sizes, layers: [0, 1])
        let model = TrainableModel(config: config, seed: 6)
        model.weights[model.layout.entries.last!.range].scale(20)
        let probe = Probe(model: model, usesExperts: true)
        // The softmax over one pick is 1 whatever its score is.
        let pass = probe.checkAll { topK > 1 || $0.role != .router }
        for entry in model.layout.entries where topK == 1 && entry.role == .router {
            #expect(pass.gradient[entry.range].array.allSatisfy { abs($0) < 1e-5 })
        }
    }

    @Test(
        "of trees and the neurons below them agree with finite differences",
        arguments: [[6], [3, 4], [2, 3, 2]])
    func trees(branching: [Int]) throws {
        let model = TrainableModel(config: try treeConfig(branching), seed: 7)
        model.weights[model.layout.entries.last!.range].scale(20)
        for entry in model.layout.entries where entry.role == .router {
            model.weights[entry.range].scale(3)
        }
        let probe = Probe(model: model, usesExperts: true)
        let pass = probe.checkAll()
        for (slot, gradient) in pass.expertRowGradients().enumerated() {
            let row = gradient.rows[0..<32].array
            let start = Int(gradient.experts[0]) * 32
            probe.check(model.experts[slot][start..<start + 32], row, "expert")
        }
    }

    @Test(
        "of solved routers and their biases agree with finite differences",
        arguments: [true, false])
    func solved(isTree: Bool) throws {
        let plain = try isTree ? treeConfig([3, 4]) : tinyConfig(experts: true)
        let config = try plain.solving(0, form: .ridge, heads: isTree ? 1 : 2)
            .solving(1, form: .ridge, heads: isTree ? 1 : 2)
        let model = TrainableModel(config: config, seed: 8)
        model.weights[model.layout.entries.last!.range].scale(20)
        for entry in model.layout.entries where entry.role == .router {
            model.weights[entry.range].scale(isTree ? 2 : 6)
        }
        for entry in model.layout.entries where entry.role == .bias {
            model.weights[entry.range].copy(
                (0..<entry.range.count).map { Float($0 % 3) / 10 })
        }
        // The embedding's goes through the routers' inputs.
        _ = Probe(model: model, usesExperts: true).checkAll {
            $0.isRouter || $0.role == .embedding
        }
    }

    @Test("of a batch are the sums of those of its parts", arguments: [true, false])
    func parts(hasLinearLayers: Bool) throws {
        var config = try tinyConfig(experts: true)
        if hasLinearLayers {
            config = try config.replacingExperts(
                linear: PeerConfig.Linear(experts: 4, topK: 2, width: 8), layers: [1])
        }
        let model = TrainableModel(config: config, seed: 3)
        let probe = Probe(model: model, usesExperts: true)
        let whole = ForwardBackward(model: model, windows: 2, length: 10, usesExperts: true)
        whole.forward(probe.inputs)
        let nats = whole.backward(probe.inputs, targets: probe.targets, scale: 1)
        let half = ForwardBackward(model: model, windows: 1, length: 10, usesExperts: true)
        var sum = 0.0
        for window in 0..<2 {
            let range = window * 10..<(window + 1) * 10
            half.forward(Array(probe.inputs[range]))
            sum += half.backward(
                Array(probe.inputs[range]), targets: Array(probe.targets[range]), scale: 1)
        }
        #expect(abs(nats - sum) < 1e-4)
        let (one, two) = (whole.gradient.slice.array, half.gradient.slice.array)
        #expect(zip(one, two).allSatisfy { abs($0 - $1) < 1e-4 })
    }

}

func treeConfig(_ branching: [Int]) throws -> PeerConfig {
    let json = """
        {"architecture":"peer-lm","vocab_size":256,"hidden_size":16,"num_layers":2,"num_heads":2,
        "context_length":16,"ffn_size":24,"rms_norm_eps":1e-5,"rope_theta":10000,"peer_layers":[0,1],
        "tree":{"branching":\(branching),"beam":2,"top_k":2}}
        """
    return try PeerConfig(json: Array(json.utf8))
}

func tinyConfig(experts: Bool) throws -> PeerConfig {
    let json = """
        {"architecture":"peer-lm","vocab_size":256,"hidden_size":16,"num_layers":2,"num_heads":2,
        "context_length":16,"ffn_size":24,"rms_norm_eps":1e-5,"rope_theta":10000,
        "peer_layers":\(experts ? "[0,1]" : "[]"),
        "peer":{"sub_keys":6,"heads":2,"top_k":3,"key_size":8}}
        """
    return try PeerConfig(json: Array(json.utf8))
}
