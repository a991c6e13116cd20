internal import Architectures
internal import Models
internal import Tensors
internal import Training

/// Elastic weight consolidation of the dense weights (Kirkpatrick et al., 1612.00796; one running sum
/// as in Schwarz et al., 1805.06370); the experts' rows are frozen beside it.
final class Consolidation {
    private let model: TrainableModel
    private let strength: Double
    private let fisher: FloatMemory
    private let anchor: FloatMemory

    init(_ model: TrainableModel, strength: Double) {
        self.model = model
        self.strength = strength
        fisher = FloatMemory(count: model.layout.count)
        anchor = FloatMemory(count: model.layout.count)
    }

    /// Adds the mean of squared gradients over some windows of what was learned, and anchors the
    /// weights where they are.
    func add(_ texts: [[UInt8]], seed: UInt64) {
        let length = model.config.contextLength
        let pass = ForwardBackward(model: model, windows: 1, length: length, usesExperts: true)
        var generator = SplitMix64(seed: seed)
        let windows = 32
        for index in 0..<windows {
            let text = texts[index % texts.count]
            let start = Int(generator.nextUnit() * Double(text.count - length - 1))
            let inputs = Array(text[start..<start + length])
            pass.gradient.slice.fill(0)
            pass.forward(inputs)
            // Of the sum over the window: the Fisher information of all its bytes.
            _ = pass.backward(
                inputs, targets: Array(text[start + 1..<start + length + 1]), scale: 1)
            fisher.slice.withMutableSpan { fisher in
                pass.gradient.slice.withSpan { gradient in
                    for element in fisher.indices {
                        fisher[element] +=
                            gradient[element] * gradient[element] / Float(windows)
                    }
                }
            }
        }
        anchor.slice.copy(model.weights.slice)
    }

    /// Adds the gradient of strength / 2 Σ F (θ - θ*)², per window's sum, divided by its bytes.
    var adjustment: (FloatSlice) -> Void {
        let scale = Float(strength) / Float(model.config.contextLength)
        return { [fisher, anchor, model] gradient in
            gradient.withMutableSpan { gradient in
                fisher.slice.withSpan { fisher in
                    anchor.slice.withSpan { anchor in
                        model.weights.slice.withSpan { weights in
                            for index in gradient.indices {
                                gradient[index] +=
                                    scale * fisher[index] * (weights[index] - anchor[index])
                            }
                        }
                    }
                }
            }
        }
    }
}
