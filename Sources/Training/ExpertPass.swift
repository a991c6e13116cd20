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
    private let queryProduct: TrainedProduct
    /// Of the two sides' sub-keys.
    private let keyProducts: [TrainedProduct]

    /// [tokens, heads, 2, half].
    private let raw, queries, queryGradients, rawGradients: FloatSlice
    /// Each [tokens heads, subKeys].
    private let firstScores, secondScores: FloatSlice

    private var half: Int { sizes.keySize / 2 }
    private var groups: Int { tokens * sizes.heads }
    private static let epsilon: Float = 1e-6

    var products: [TrainedProduct] { [queryProduct] + keyProducts }

    init(sizes: PeerConfig.Peer, layout: ParameterLayout.Experts, tokens: Int, width: Int) {
        self.sizes = sizes
        self.tokens = tokens
        self.width = width
        let query = sizes.heads * sizes.keySize
        queryProduct = TrainedProduct(layout.query, columns: width)
        let half = sizes.keySize / 2
        keyProducts = (0..<2).map { side in
            let start = layout.subKeys.lowerBound + side * sizes.subKeys * half
            return TrainedProduct(start..<start + sizes.subKeys * half, columns: half)
        }
        input = FloatMemory(count: tokens * width).slice
        outputGradient = FloatMemory(count: tokens * width).slice
        (raw, queries, queryGradients, rawGradients) = (
            FloatMemory(count: tokens * query).slice, FloatMemory(count: tokens * query).slice,
            FloatMemory(count: tokens * query).slice, FloatMemory(count: tokens * query).slice
        )
        firstScores = FloatMemory(count: tokens * sizes.heads * sizes.subKeys).slice
        secondScores = FloatMemory(count: tokens * sizes.heads * sizes.subKeys).slice
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
        for (side, scores) in [firstScores, secondScores].enumerated() {
            keyProducts[side].forward(
                sidePart(queries, side), into: FloatRows(scores, stride: sizes.subKeys),
                tokens: groups)
        }
        let (ids, gates) = select()
        let picks = NeuronPicks(ids: ids, gates: gates, perToken: sizes.heads * sizes.topK)
        picks.forward(table: table, x: input, out: out, width: width)
        self.picks = picks
    }

    private func select() -> (ids: [UInt32], gates: FloatSlice) {
        var ids = [UInt32](repeating: 0, count: groups * sizes.topK)
        var margins = [Float](repeating: 0, count: groups)
        let gates = FloatMemory(count: ids.count).slice
        firstScores.withSpan { first in
            secondScores.withSpan { second in
                gates.withMutableSpan { gates in
                    var ids = ids.mutableSpan
                    var margins = margins.mutableSpan
                    Kernels.productKeyTop(
                        first: first, second: second, ids: &ids, scores: &gates, margins: &margins)
                    Kernels.softmax(&gates, width: sizes.topK)
                }
            }
        }
        return (ids, gates)
    }

    /// Sets dinput, and adds the router's gradients; the neurons' come from ``ExpertGradient``.
    ///
    /// - Parameters:
    ///   - dout: [tokens, width].
    ///   - dinput: [tokens, width]; overwritten.
    ///   - gradient: Of all dense weights.
    ///   - scratch: Of the products' greatest ``TrainedProduct/scratchSize``.
    func backward(
        table: FloatSlice, dout: FloatSlice, dinput: FloatSlice, gradient: FloatMemory,
        scratch: FloatSlice
    ) {
        guard let picks else { return }
        outputGradient.copy(dout)
        dinput.fill(0)
        picks.backward(table: table, dout: dout, dx: dinput, width: width)
        scatterScores(picks)
        for (side, scores) in [firstScores, secondScores].enumerated() {
            let grid = FloatRows(scores, stride: sizes.subKeys)
            let product = keyProducts[side]
            product.inputGradient(grid, into: sidePart(queryGradients, side), tokens: groups)
            product.addWeightGradient(
                grid, sidePart(queries, side), tokens: groups, scratch: scratch, to: gradient)
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

    /// The scores become their gradients: those of the picks at both digits, 0 elsewhere.
    private func scatterScores(_ picks: NeuronPicks) {
        let scores = FloatMemory(count: picks.ids.count).slice
        picks.scoreGradients(width: sizes.topK, into: scores)
        firstScores.fill(0)
        secondScores.fill(0)
        let (n, k) = (sizes.subKeys, sizes.topK)
        firstScores.withMutableSpan { first in
            secondScores.withMutableSpan { second in
                for group in 0..<groups {
                    for pick in group * k..<(group + 1) * k {
                        let (high, low) = Int(picks.ids[pick]).quotientAndRemainder(dividingBy: n)
                        first[group * n + high] += scores[pick]
                        second[group * n + low] += scores[pick]
                    }
                }
            }
        }
    }

    /// The halves of all queries for one side, [groups, half].
    private func sidePart(_ queries: FloatSlice, _ side: Int) -> FloatRows {
        FloatRows(
            queries[side * half..<queries.count - (1 - side) * half], stride: sizes.keySize)
    }

    /// The rows of all tokens, one behind the other.
    private func rows(_ x: FloatSlice) -> FloatRows { FloatRows(x, stride: x.count / tokens) }
}
