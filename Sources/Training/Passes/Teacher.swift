internal import Models
internal import Tensors

/// A model whose predictions a run keeps close to, on the run's own texts: learning without forgetting
/// (Li and Hoiem, 1606.09282) at temperature 1.
///
/// The loss of a byte is -ln p(target) + weight KL(teacher, p).
package struct Teacher: Sendable {
    package let model: TrainableModel
    package let weight: Float

    /// - Parameter model: Not changed; not the one that is trained.
    package init(_ model: TrainableModel, weight: Float) {
        self.model = model
        self.weight = weight
    }
}

/// The teacher's predictions for one part of a step.
final class TeacherPass: Sendable {
    private let pass: ForwardBackward
    private let weight: Float

    init(_ teacher: Teacher, windows: Int, length: Int) {
        pass = ForwardBackward(
            model: teacher.model, windows: windows, length: length, usesExperts: true)
        weight = teacher.weight
    }

    /// Adds weight scale (p - q) to the gradient scale (p - target) of the logits, where q are the
    /// teacher's probabilities.
    func pull(_ gradient: FloatSlice, _ inputs: [UInt8], targets: [UInt8], scale: Float) {
        pass.forward(inputs)
        let weight = weight
        pass.logits.withMutableSpan { teacher in
            Kernels.softmax(&teacher, width: 256)
            gradient.withMutableSpan { gradient in
                for (token, target) in targets.enumerated() {
                    for byte in 0..<256 {
                        let index = 256 * token + byte
                        let own = gradient[index] + (byte == Int(target) ? scale : 0)
                        gradient[index] += weight * (own - scale * teacher[index])
                    }
                }
            }
        }
    }
}
