internal import Architectures
internal import Models
internal import Tensors

/// A product-key router over some tokens, and its gradient (2407.04153), as the checkpoint's reference has it.
///
/// One thread at a time runs it.
final class ProductKeyPass: RouterPass {
    private let sizes: PeerConfig.Peer
    private let tokens: Int
    private let width: Int
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

    var picksPerToken: Int { heads * sizes.topK }
    var picksPerHead: Int { sizes.topK }
    var products: [TrainedProduct] { [queryProduct] + keyProducts.flatMap { $0 } }
    var backwardProducts: [TrainedProduct] { [queryProduct] }

    /// - Parameters:
    ///   - query: [heads keySize, width].
    ///   - subKeys: [sets, 2, subKeys, half], of which all heads share one set or each has its own.
    init(
        _ sizes: PeerConfig.Peer, query: Range<Int>, subKeys: Range<Int>, tokens: Int, width: Int
    ) {
        self.sizes = sizes
        self.tokens = tokens
        self.width = width
        self.subKeys = subKeys
        queryProduct = TrainedProduct(query, columns: width)
        let (half, side) = (sizes.keySize / 2, sizes.subKeys * sizes.keySize / 2)
        let sets = subKeys.count / (2 * side)
        precondition(sets == 1 || sets == sizes.heads, "\(sets) sets of \(sizes.heads) heads")
        keyProducts = (0..<sets).map { set in
            (0..<2).map {
                let start = subKeys.lowerBound + (2 * set + $0) * side
                return TrainedProduct(start..<start + side, columns: half)
            }
        }
        func rows(_ columns: Int) -> FloatSlice { FloatMemory(count: tokens * columns).slice }
        let count = sizes.heads * sizes.keySize
        (raw, queries, queryGradients, rawGradients) = (
            rows(count), rows(count), rows(count), rows(count)
        )
        firstScores = FloatMemory(count: Self.block * sizes.subKeys).slice
        secondScores = FloatMemory(count: Self.block * sizes.subKeys).slice
    }

    func route(_ input: FloatSlice, weights: FloatMemory) -> (ids: [UInt32], gates: FloatSlice) {
        queryProduct.forward(rows(input), into: rows(raw), tokens: tokens)
        TrainingKernels.rmsNorm(raw, weight: nil, width: half, epsilon: Self.epsilon, into: queries)
        return select()
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

    func distribution() -> RouterDistribution? {
        let rows = 2 * tokens * heads
        let shares = FloatMemory(count: rows * sizes.subKeys).slice
        forEachSide { product, queries, own in
            product.forward(
                queries(self.queries), into: own(shares), tokens: tokens * heads / keyProducts.count
            )
        }
        shares.withMutableSpan { Kernels.softmax(&$0, width: sizes.subKeys) }
        return RouterDistribution(
            shares: shares, width: sizes.subKeys, choices: tokens * heads)
    }

    /// Calls back with each matrix of sub-keys, with what finds the rows of its queries among all, and those of its
    /// scores, [2, tokens, heads, subKeys].
    private func forEachSide(
        _ body: (
            TrainedProduct, _ queries: (FloatSlice) -> FloatRows,
            _ scores: (FloatSlice) -> FloatRows
        ) -> Void
    ) {
        let step = keyProducts.count == 1 ? 1 : heads
        for (set, products) in keyProducts.enumerated() {
            for (side, product) in products.enumerated() {
                let query = set * sizes.keySize + side * half
                let score = (side * tokens * heads + set) * sizes.subKeys
                body(
                    product,
                    { FloatRows($0[query..<$0.count], stride: step * self.sizes.keySize) },
                    { FloatRows($0[score..<$0.count], stride: step * self.sizes.subKeys) })
            }
        }
    }

    func backward(
        _ ids: [UInt32], scores: FloatSlice, input: FloatSlice, weights: FloatMemory,
        dinput: FloatSlice, gradient: FloatMemory, scratch: FloatSlice, pull: FloatSlice?
    ) {
        for side in 0..<2 {
            TrainingKernels.addKeyGradients(
                of: ids, scores: scores, side: side, sizes: keySizes,
                keys: weights[subKeys], queries: queries, dqueries: queryGradients,
                dkeys: gradient[subKeys])
        }
        if let pull {
            forEachSide { product, queries, own in
                let count = tokens * heads / keyProducts.count
                product.addWeightGradient(
                    own(pull), queries(self.queries), tokens: count, scratch: scratch, to: gradient)
                product.packBackward(weights)
                product.inputGradient(
                    own(pull), into: queries(queryGradients), tokens: count, keeping: true)
            }
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

    /// The rows of all tokens, one behind the other.
    private func rows(_ x: FloatSlice) -> FloatRows { FloatRows(x, stride: x.count / tokens) }
}
