internal import CKernels

/// Causal attention of training: the heads of some windows of equal length, and their gradients.
package struct CausalAttention: Sendable {
    package let length: Int
    package let heads: Int
    package let headSize: Int
    /// [windows, heads, length, padded length]: what the way back needs of each layer.
    private let probabilities: FloatSlice
    private let scratch: FloatSlice

    private var width: Int { heads * headSize }
    private var grid: Int { length * padded(length) }
    private var scale: Float { 1 / Float(headSize).squareRoot() }

    /// Elements of `scratch`.
    package static func scratchSize(length: Int, headSize: Int) -> Int {
        (3 * length + padded(length)) * padded(headSize) + length * padded(length)
    }

    /// - Parameter scratch: Of the size that ``scratchSize(length:headSize:)`` tells; passes that do
    ///   not run at the same time may share it.
    package init(windows: Int, length: Int, heads: Int, headSize: Int, scratch: FloatSlice) {
        TrainingKernels.check(
            scratch.count >= Self.scratchSize(length: length, headSize: headSize), scratch.count,
            length)
        self.length = length
        self.heads = heads
        self.headSize = headSize
        self.scratch = scratch
        probabilities = FloatMemory(count: windows * heads * length * padded(length)).slice
    }

    private var windows: Int { probabilities.count / (heads * grid) }

    /// - Parameters:
    ///   - projections: [windows, length, 3 width]: queries, keys and values.
    ///   - out: [windows, length, width]; overwritten.
    package func forward(_ projections: FloatSlice, into out: FloatSlice) {
        check(projections, out)
        for index in 0..<windows * heads {
            let (at, to) = offsets(index)
            unsafe cambium_training_active().pointee.causal_attention(
                projections.pointer + at, projections.pointer + at + width,
                projections.pointer + at + 2 * width, 3 * width, length, headSize, scale,
                scratch.pointer, probabilities.pointer + index * grid, out.pointer + to, width)
        }
    }

    /// - Parameters:
    ///   - projections: As given to `forward`.
    ///   - dout: [windows, length, width].
    ///   - gradient: Of the projections; overwritten.
    package func backward(
        _ projections: FloatSlice, dout: FloatSlice, into gradient: FloatSlice
    ) {
        check(projections, dout)
        check(gradient, dout)
        for index in 0..<windows * heads {
            let (at, to) = offsets(index)
            unsafe cambium_training_active().pointee.causal_attention_backward(
                projections.pointer + at, projections.pointer + at + width,
                projections.pointer + at + 2 * width, 3 * width,
                probabilities.pointer + index * grid, dout.pointer + to, width, length, headSize,
                scale, scratch.pointer, gradient.pointer + at, gradient.pointer + at + width,
                gradient.pointer + at + 2 * width, 3 * width)
        }
    }

    /// Where a head of a window begins in the projections and in the outputs.
    private func offsets(_ index: Int) -> (projections: Int, outputs: Int) {
        let (window, head) = index.quotientAndRemainder(dividingBy: heads)
        let (row, column) = (window * length, head * headSize)
        return (row * 3 * width + column, row * width + column)
    }

    private func check(_ projections: FloatSlice, _ out: FloatSlice) {
        let tokens = windows * length
        TrainingKernels.check(
            projections.count == tokens * 3 * width && out.count == tokens * width,
            projections.count, out.count)
    }
}
