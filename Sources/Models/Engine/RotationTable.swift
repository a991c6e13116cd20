internal import Architectures
package import Tensors

/// cos and sin of how far each pair of a head's elements has turned at the positions of a text, computed when a
/// position is first needed.
///
/// Su et al., RoFormer (2104.09864), section 3.2.2, with halves instead of pairs.
package struct RotationTable: Sendable {
    /// Positions that the first growth makes room for.
    private static let firstCount = 128

    private let frequencies: RotationFrequencies
    /// Pairs of a head.
    let half: Int
    /// [positions, half].
    package private(set) var cosines: [Float] = []
    package private(set) var sines: [Float] = []
    private var positions = 0

    package init(_ frequencies: RotationFrequencies) {
        self.frequencies = frequencies
        half = frequencies.size / 2
    }

    /// Makes sure that the positions below `count` are there.
    package mutating func reserve(_ count: Int) {
        guard count > positions else { return }
        let wanted = max(count, 2 * positions, Self.firstCount)
        grow(to: max(count, min(wanted, ModelDescription.mostPositions)))
    }

    /// Computes the positions up to `count`.
    private mutating func grow(to count: Int) {
        let new = (count - positions) * half
        var newCosines = [Float](repeating: 0, count: new)
        var newSines = newCosines
        do {
            var cosines = newCosines.mutableSpan
            var sines = newSines.mutableSpan
            frequencies.fill(from: positions, cosines: &cosines, sines: &sines)
        }
        cosines += newCosines
        sines += newSines
        positions = count
    }

    /// Turns queries or keys [tokens, heads, 2 * half] of positions `first`… in place.
    func rotate(_ x: inout MutableSpan<Float>, from first: Int, heads: Int) {
        guard half > 0 else { return }
        let tokens = x.count / (heads * 2 * half)
        let range = first * half..<(first + tokens) * half
        Kernels.rotate(
            &x, cosines: cosines.span.extracting(range), sines: sines.span.extracting(range),
            heads: heads, headSize: 2 * half)
    }
}
