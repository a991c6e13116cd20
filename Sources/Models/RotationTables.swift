internal import Tensors

/// cos and sin of position / theta^(2i / headSize), computed in double and rounded once, by our own
/// functions: the C library's differ from CPU to CPU.
///
/// Su et al., RoFormer (2104.09864), section 3.2.2, with halves instead of pairs.
package struct RotationTables: Sendable {
    let half: Int
    /// [positions, half].
    package let cosines: [Float]
    /// [positions, half].
    package let sines: [Float]

    package init(positions: Int, headSize: Int, theta: Double) {
        half = headSize / 2
        var cosines = [Float](repeating: 0, count: positions * half)
        var sines = cosines
        do {
            var cosines = cosines.mutableSpan
            var sines = sines.mutableSpan
            RotationFrequencies(theta: theta, size: headSize)
                .fill(from: 0, cosines: &cosines, sines: &sines)
        }
        self.cosines = cosines
        self.sines = sines
    }

    /// Rotates queries or keys [tokens, heads, headSize] of positions `first`… in place.
    func rotate(_ x: inout MutableSpan<Float>, first: Int, heads: Int) {
        let tokens = x.count / (heads * 2 * half)
        let range = first * half..<(first + tokens) * half
        Kernels.rotate(
            &x, cosines: cosines.span.extracting(range), sines: sines.span.extracting(range),
            heads: heads, headSize: 2 * half)
    }
}
