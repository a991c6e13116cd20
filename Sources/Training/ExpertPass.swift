internal import Models
internal import Tensors

/// A PEER layer over some tokens, and its gradient: product-key router, softmax of the picks' scores,
/// neurons (2407.04153), as the checkpoint's reference has them.
///
/// One thread at a time runs it; several may then read it. The team that shares a step out waits for all
/// of its parts (`ThreadTeam.forEach`) before anything else is read, which the compiler cannot see (SE-0302,
/// "Unchecked Sendable").
final class ExpertPass: @unchecked Sendable {
    let sizes: PeerConfig.Peer
    let tokens: Int
    let width: Int
    /// What the neurons saw, [tokens, width].
    let input: FloatSlice
    /// The gradient of what they gave, [tokens, width], kept for the rows' gradients.
    let outputGradient: FloatSlice
    private(set) var picks: NeuronPicks?
    private let subKeys: Range<Int>
    private let queryProduct: TrainedProduct
    /// Of each set's two sides.
    private let keyProducts: [[TrainedProduct]]

    /// [tokens, heads, 2, half].
    private let raw, queries, queryGradients, rawGradients: FloatSlice
    /// Each [block, subKeys]: of as many queries as stay in the cache.
    private let firstScores, secondScores: FloatSlice

    private static let epsilon: Float = 1e-6
    private static let block = 48

    private var half: Int { sizes.keySize / 2 }
    private var heads: Int { sizes.heads }
    /// Elements of one set's keys.
    private var setSize: Int { 2 * sizes.subKeys * half }

    /// Those that `forward` reads.
    var products: [TrainedProduct] { [queryProduct] + keyProducts.flatMap { $0 } }
    /// Those that `backward` reads as well.
    var backwardProducts: [TrainedProduct] { [queryProduct] }

    /// - Parameters:
    ///   - layout: Where the weights are: query [heads keySize, width], sub-keys [sets, 2, subKeys,
    ///     half], of which all heads share one set or each has its own.
    init(sizes: PeerConfig.Peer, layout: ParameterLayout.Experts, tokens: Int, width: Int) {
        self.sizes = sizes
        self.tokens = tokens
        self.width = width
        subKeys = layout.subKeys
        queryProduct = TrainedProduct(layout.query, columns: width)
        let (half, side) = (sizes.keySize / 2, sizes.subKeys * sizes.keySize / 2)
        let sets = layout.subKeys.count / (2 * side)
        precondition(sets == 1 || sets == sizes.heads, "\(sets) sets of \(sizes.heads) heads")
        keyProducts = (0..<sets).map { set in
            (0..<2).map {
                let start = layout.subKeys.lowerBound + (2 * set + $0) * side
                return TrainedProduct(start..<start + side, columns: half)
            }
        }
        func rows(_ columns: Int) -> FloatSlice { FloatMemory(count: tokens * columns).slice }
        let query = sizes.heads * sizes.keySize
        (input, outputGradient) = (rows(width), rows(width))
        (raw, queries, queryGradients, rawGradients) = (
            rows(query), rows(query), rows(query), rows(query)
        )
        firstScores = FloatMemory(count: Self.block * sizes.subKeys).slice
        secondScores = FloatMemory(count: Self.block * sizes.subKeys).slice
    }

    /// out += the layer's output for `input`.
    ///
    /// - Parameters:
    ///   - table: [experts, 2, width].
    ///   - out: [tokens, width].
    func forward(table: FloatSlice, out: FloatSlice) {
        queryProduct.forward(rows(input), into: rows(raw), tokens: tokens)
        TrainingKernels.rmsNorm(
            raw, weight: nil, width: half, epsilon: Self.epsilon, into: queries)
        let (ids, gates) = select()
        let picks = NeuronPicks(ids: ids, gates: gates, perToken: heads * sizes.topK)
        picks.forward(table: table, x: input, out: out, width: width)
        self.picks = picks
    }

    /// The best `topK` pairs of sub-keys of each query, and the softmax of their scores.
    private func select() -> (ids: [UInt32], gates: FloatSlice) {
        var ids = [UInt32](repeating: 0, count: tokens * heads * sizes.topK)
        let gates = FloatMemory(count: ids.count).slice
        // The queries of one set, and how far apart they are among those of all heads.
        let step = keyProducts.count == 1 ? 1 : heads
        for (set, products) in keyProducts.enumerated() {
            let count = tokens * heads / step
            for first in stride(from: 0, to: count, by: Self.block) {
                let rows = min(Self.block, count - first)
                let start = set + first * step
                for (side, scores) in [firstScores, secondScores].enumerated() {
                    let from = start * sizes.keySize + side * half
                    products[side].forward(
                        FloatRows(queries[from..<queries.count], stride: step * sizes.keySize),
                        into: FloatRows(scores, stride: sizes.subKeys), tokens: rows)
                }
                pick(rows, from: start, step, &ids, gates)
            }
        }
        gates.withMutableSpan { Kernels.softmax(&$0, width: sizes.topK) }
        return (ids, gates)
    }

    private func pick(
        _ rows: Int, from start: Int, _ step: Int, _ ids: inout [UInt32], _ gates: FloatSlice
    ) {
        let k = sizes.topK
        var found = [UInt32](repeating: 0, count: rows * k)
        var scores = [Float](repeating: 0, count: rows * k)
        var margins = [Float](repeating: 0, count: rows)
        do {
            var foundSpan = found.mutableSpan
            var scoresSpan = scores.mutableSpan
            var marginsSpan = margins.mutableSpan
            firstScores[0..<rows * sizes.subKeys].withSpan { first in
                secondScores[0..<rows * sizes.subKeys].withSpan { second in
                    Kernels.productKeyTop(
                        first: first, second: second, ids: &foundSpan, scores: &scoresSpan,
                        margins: &marginsSpan)
                }
            }
        }
        gates.withMutableSpan { gates in
            for row in 0..<rows {
                let to = (start + row * step) * k
                for pick in 0..<k {
                    ids[to + pick] = found[row * k + pick]
                    gates[to + pick] = scores[row * k + pick]
                }
            }
        }
    }

    /// Sets dinput, and adds the router's gradients; the neurons' come from ``addRowGradients``.
    ///
    /// - Parameters:
    ///   - weights: All dense ones.
    ///   - dout: [tokens, width].
    ///   - dinput: [tokens, width]; overwritten.
    ///   - gradient: Of all dense weights.
    ///   - scratch: Of the products' greatest ``TrainedProduct/scratchSize``.
    func backward(
        weights: FloatMemory, table: FloatSlice, dout: FloatSlice, dinput: FloatSlice,
        gradient: FloatMemory, scratch: FloatSlice
    ) {
        guard let picks else { return }
        outputGradient.copy(dout)
        dinput.fill(0)
        picks.backward(table: table, dout: dout, dx: dinput, width: width)
        let scores = FloatMemory(count: picks.ids.count).slice
        picks.scoreGradients(width: sizes.topK, into: scores)
        for side in 0..<2 {
            TrainingKernels.addKeyGradients(
                of: picks.ids, scores: scores, side: side, sizes: keySizes,
                keys: weights[subKeys], queries: queries, dqueries: queryGradients,
                dkeys: gradient[subKeys])
        }
        rawGradients.fill(0)
        TrainingKernels.rmsNormBackward(
            raw, weight: nil, dy: queryGradients, width: half, epsilon: Self.epsilon,
            dx: rawGradients, dweight: nil)
        queryProduct.addWeightGradient(
            rows(rawGradients), rows(input), tokens: tokens, scratch: scratch, to: gradient)
        queryProduct.inputGradient(
            rows(rawGradients), into: rows(dinput), tokens: tokens, keeping: true)
    }

    private var keySizes: TrainingKernels.KeySizes {
        TrainingKernels.KeySizes(
            heads: heads, sets: keyProducts.count, subKeys: sizes.subKeys, half: half,
            topK: sizes.topK)
    }

    /// Adds `scale` times the gradients of some experts to their rows.
    ///
    /// - Parameters:
    ///   - sorted: The picks of this pass.
    ///   - range: Of `sorted.experts`.
    ///   - rows: [n, 2, width].
    ///   - targets: Which of `rows` each expert's are.
    func addRowGradients(
        _ sorted: PicksByExpert, _ range: Range<Int>, to rows: FloatSlice, at targets: [UInt32],
        scale: Float
    ) {
        picks?.addRowGradients(
            order: sorted.order, starts: sorted.starts[range.lowerBound...range.upperBound],
            targets: targets, x: input, dout: outputGradient, width: width, scale: scale, to: rows)
    }

    /// The rows of all tokens, one behind the other.
    private func rows(_ x: FloatSlice) -> FloatRows { FloatRows(x, stride: x.count / tokens) }
}
