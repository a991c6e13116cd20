internal import Glibc
internal import Tensors

/// cos and sin of position / theta^(2i / headSize), computed in double and rounded once.
///
/// Su et al., RoFormer (2104.09864), section 3.2.2, with halves instead of pairs.
struct RotationTables: Sendable {
    let half: Int
    /// [positions, half].
    private let cosines: [Float]
    /// [positions, half].
    private let sines: [Float]

    init(positions: Int, headSize: Int, theta: Double) {
        half = headSize / 2
        var cosines: [Float] = []
        var sines: [Float] = []
        cosines.reserveCapacity(positions * half)
        sines.reserveCapacity(positions * half)
        let frequencies = (0..<half).map { 1 / pow(theta, Double(2 * $0) / Double(headSize)) }
        for position in 0..<positions {
            for frequency in frequencies {
                cosines.append(Float(cos(Double(position) * frequency)))
                sines.append(Float(sin(Double(position) * frequency)))
            }
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
