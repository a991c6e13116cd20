internal import Models
internal import Tensors

/// Causal self-attention of some windows with RoPE, and its gradient.
struct AttentionPass {
    private let attention: CausalAttention
    private let rotations: Rotations

    private var rowSize: Int { 3 * attention.heads * attention.headSize }

    /// - Parameter scratch: See ``CausalAttention``.
    init(windows: Int, heads: Int, rotations: Rotations, scratch: FloatSlice) {
        attention = CausalAttention(
            windows: windows, length: rotations.length, heads: heads,
            headSize: rotations.headSize, scratch: scratch)
        self.rotations = rotations
    }

    /// The rotations of all positions of some windows.
    struct Rotations {
        let length: Int
        let headSize: Int
        /// Each [windows, length, headSize / 2]; and the negative sines.
        let cosines, sines, backwardSines: FloatSlice

        init(windows: Int, length: Int, headSize: Int, theta: Double) {
            self.length = length
            self.headSize = headSize
            let count = length * headSize / 2
            var table = RotationTable(RotationFrequencies(theta: theta, size: headSize))
            table.reserve(length)
            let memory = FloatMemory(count: 3 * windows * count)
            func tiled(_ index: Int, _ values: [Float]) -> FloatSlice {
                let slice = memory[index * windows * count..<(index + 1) * windows * count]
                for window in 0..<windows {
                    slice[window * count..<(window + 1) * count].copy(values)
                }
                return slice
            }
            let turned = Array(table.sines[..<count])
            cosines = tiled(0, Array(table.cosines[..<count]))
            sines = tiled(1, turned)
            backwardSines = tiled(2, turned.map { -$0 })
        }
    }

    /// - Parameters:
    ///   - projections: [windows, length, 3 width]: queries, keys and values; the first two are
    ///     rotated in place.
    ///   - out: [windows, length, width]; overwritten.
    func forward(_ projections: FloatSlice, into out: FloatSlice) {
        rotate(projections, rotations.sines)
        attention.forward(projections, into: out)
    }

    /// - Parameters:
    ///   - projections: As `forward` left them.
    ///   - dout: [windows, length, width].
    ///   - gradient: Of the projections before they were rotated; overwritten.
    func backward(_ projections: FloatSlice, dout: FloatSlice, into gradient: FloatSlice) {
        attention.backward(projections, dout: dout, into: gradient)
        rotate(gradient, rotations.backwardSines)
    }

    private func rotate(_ projections: FloatSlice, _ sines: FloatSlice) {
        TrainingKernels.rotate(
            projections, width: rowSize, cosines: rotations.cosines, sines: sines,
            heads: 2 * attention.heads, headSize: attention.headSize)
    }
}
