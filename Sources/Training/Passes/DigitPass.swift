internal import Architectures
internal import Models
internal import Tensors

/// Read-outs of digits over some tokens, and their gradient: picks as `DigitRouter` finds them.
///
/// One thread at a time runs it.
final class DigitPass: RouterPass {
    private let sizes: PeerConfig.Peer
    private let heads: Int
    private let tokens: Int
    private let biases: Range<Int>
    /// Of the high and the low digit, all heads.
    private let digits: [TrainedProduct]
    /// Of each digit [tokens, heads, subKeys]: scores, then their gradients.
    private let scores: [FloatSlice]

    var picksPerToken: Int { heads * sizes.topK }
    var picksPerHead: Int { sizes.topK }
    var products: [TrainedProduct] { digits }
    var backwardProducts: [TrainedProduct] { digits }

    /// - Parameters:
    ///   - weights: [2, heads, subKeys, width].
    ///   - biases: [2, heads, subKeys].
    init(
        _ sizes: PeerConfig.Peer, weights: Range<Int>, biases: Range<Int>, tokens: Int, width: Int
    ) {
        let rows = biases.count / 2
        self.sizes = sizes
        self.tokens = tokens
        self.biases = biases
        heads = rows / sizes.subKeys
        digits = (0..<2).map { digit in
            let start = weights.lowerBound + digit * rows * width
            return TrainedProduct(start..<start + rows * width, columns: width)
        }
        scores = (0..<2).map { _ in FloatMemory(count: tokens * rows).slice }
    }

    /// Elements of a token's scores of one digit.
    private var rows: Int { heads * sizes.subKeys }

    func route(_ input: FloatSlice, weights: FloatMemory) -> (ids: [UInt32], gates: FloatSlice) {
        score(input, weights, into: scores)
        let k = sizes.topK
        var ids = [UInt32](repeating: 0, count: tokens * heads * k)
        var picked = [Float](repeating: 0, count: ids.count)
        var margins = [Float](repeating: 0, count: tokens * heads)
        do {
            var idSpan = ids.mutableSpan
            var pickedSpan = picked.mutableSpan
            var marginSpan = margins.mutableSpan
            scores[0].withSpan { first in
                scores[1].withSpan { second in
                    Kernels.productKeyTop(
                        first: first, second: second, ids: &idSpan, scores: &pickedSpan,
                        margins: &marginSpan)
                }
            }
            Kernels.softmax(&pickedSpan, width: k)
        }
        let gates = FloatMemory(count: ids.count).slice
        gates.copy(picked)
        return (ids, gates)
    }

    private func score(_ input: FloatSlice, _ weights: FloatMemory, into scores: [FloatSlice]) {
        for (digit, product) in digits.enumerated() {
            product.forward(
                columns(input), into: FloatRows(scores[digit], stride: rows), tokens: tokens)
            let start = biases.lowerBound + digit * rows
            for token in 0..<tokens {
                scores[digit][token * rows..<(token + 1) * rows].add(weights[start..<start + rows])
            }
        }
    }

    /// Behind `route`.
    func distribution() -> RouterDistribution? {
        let count = tokens * rows
        let shares = FloatMemory(count: 2 * count).slice
        for digit in 0..<2 { shares[digit * count..<(digit + 1) * count].copy(scores[digit]) }
        shares.withMutableSpan { Kernels.softmax(&$0, width: sizes.subKeys) }
        return RouterDistribution(
            shares: shares, width: sizes.subKeys, choices: tokens * heads)
    }

    func backward(
        _ ids: [UInt32], scores changes: FloatSlice, input: FloatSlice, weights: FloatMemory,
        dinput: FloatSlice, gradient: FloatMemory, scratch: FloatSlice, pull: FloatSlice?
    ) {
        let (k, side, count) = (sizes.topK, sizes.subKeys, tokens * rows)
        for (digit, product) in digits.enumerated() {
            // What was scored is not needed any more.
            let own = scores[digit]
            own.fill(0)
            if let pull { own.copy(pull[digit * count..<(digit + 1) * count]) }
            for (index, expert) in ids.enumerated() {
                let value = digit == 0 ? Int(expert) / side : Int(expert) % side
                own[index / k * side + value] += changes[index]
            }
            let start = biases.lowerBound + digit * rows
            for token in 0..<tokens {
                gradient[start..<start + rows].add(own[token * rows..<(token + 1) * rows])
            }
            let gradients = FloatRows(own, stride: rows)
            product.addWeightGradient(
                gradients, columns(input), tokens: tokens, scratch: scratch, to: gradient)
            product.inputGradient(gradients, into: columns(dinput), tokens: tokens, keeping: true)
        }
    }

    private func columns(_ x: FloatSlice) -> FloatRows { FloatRows(x, stride: x.count / tokens) }
}
