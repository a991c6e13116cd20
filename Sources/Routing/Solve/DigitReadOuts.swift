internal import Elements

/// Read-outs of both digits of experts over activations, a pair for each head, as a router keeps them.
package struct DigitReadOuts: Sendable, Equatable {
    package let heads: Int
    /// Values of the high and of the low digit, n and m.
    package let counts: (Int, Int)
    package let width: Int
    /// [heads (n + m), width]: the rows of the high digit of all heads, then those of the low one.
    package let weights: [Float]
    /// One for each row; a value without evidence has one so low that it is never picked before others.
    package let biases: [Float]

    package static func == (left: Self, right: Self) -> Bool {
        left.heads == right.heads && left.counts == right.counts && left.width == right.width
            && left.weights == right.weights && left.biases == right.biases
    }

    /// What a model has.
    package init(
        heads: Int, counts: (Int, Int), width: Int, weights: [Float], biases: [Float]
    ) {
        precondition(
            heads > 0 && biases.count == heads * (counts.0 + counts.1)
                && weights.count == biases.count * width,
            "\(weights.count) weights and \(biases.count) biases for \(heads) heads of \(counts)")
        self.heads = heads
        self.counts = counts
        self.width = width
        self.weights = weights
        self.biases = biases
    }

    /// - Parameters:
    ///   - readOuts: Over quantised features, of the high and the low digit, head by head.
    ///   - counts: More than any class of its read-out.
    ///   - scales: What multiplies activations before they are rounded; the weights are multiplied by
    ///     them, so that a router reads activations.
    ///   - sharpness: Multiplies the scores.
    package init(
        _ readOuts: [ReadOut], counts: (Int, Int), scales: [Float], sharpness: Float = 1
    ) {
        let width = scales.count
        var (weights, biases): ([Float], [Float]) = ([], [])
        for digit in 0..<2 {
            for index in stride(from: digit, to: readOuts.count, by: 2) {
                let dense = readOuts[index].dense(
                    count: digit == 0 ? counts.0 : counts.1, scales: scales, sharpness: sharpness)
                weights += dense.weights
                biases += dense.biases
            }
        }
        self.init(
            heads: readOuts.count / 2, counts: counts, width: width, weights: weights,
            biases: biases)
    }

    /// The rows of a digit, 0 the high and 1 the low one, of all heads.
    package func rows(ofDigit digit: Int) -> Range<Int> {
        digit == 0 ? 0..<heads * counts.0 : heads * counts.0..<biases.count
    }
}
