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

    /// [tokens, heads, 2, half].
    private let raw, queries, queryGradients, rawGradients: FloatSlice
    /// Each [tokens heads, subKeys].
    private let firstScores, secondScores: FloatSlice

    private var half: Int { sizes.keySize / 2 }
    private var groups: Int { tokens * sizes.heads }
    private static let epsilon: Float = 1e-6

    init(sizes: PeerConfig.Peer, tokens: Int, width: Int) {
        self.sizes = sizes
        self.tokens = tokens
        self.width = width
        let query = sizes.heads * sizes.keySize
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
    ///   - query: [heads keySize, width].
    ///   - subKeys: [2, subKeys, half].
    ///   - table: [experts, 2, width].
    ///   - out: [tokens, width].
    func forward(query: FloatSlice, subKeys: FloatSlice, table: FloatSlice, out: FloatSlice) {
        multiply(
            MatrixSlice(input, rows: tokens, columns: width),
            MatrixSlice(query, rows: sizes.heads * sizes.keySize, columns: width).transposed,
            into: MatrixSlice(raw, rows: tokens, columns: sizes.heads * sizes.keySize))
        TrainingKernels.rmsNorm(
            raw, weight: nil, width: half, epsilon: Self.epsilon, into: queries)
        for (side, scores) in [firstScores, secondScores].enumerated() {
            multiply(
                sidePart(queries, side), keys(subKeys, side).transposed,
                into: MatrixSlice(scores, rows: groups, columns: sizes.subKeys))
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
    func backward(
        query: FloatSlice, subKeys: FloatSlice, table: FloatSlice, dout: FloatSlice,
        dinput: FloatSlice, dquery: FloatSlice, dsubKeys: FloatSlice
    ) {
        guard let picks else { return }
        outputGradient.copy(dout)
        dinput.fill(0)
        picks.backward(table: table, dout: dout, dx: dinput, width: width)
        scatterScores(picks)
        for (side, scores) in [firstScores, secondScores].enumerated() {
            let grid = MatrixSlice(scores, rows: groups, columns: sizes.subKeys)
            multiply(grid, keys(subKeys, side), into: sidePart(queryGradients, side))
            multiply(
                grid.transposed, sidePart(queries, side), into: keys(dsubKeys, side), keeping: 1)
        }
        rawGradients.fill(0)
        TrainingKernels.rmsNormBackward(
            raw, weight: nil, dy: queryGradients, width: half, epsilon: Self.epsilon,
            dx: rawGradients, dweight: nil)
        let rows = sizes.heads * sizes.keySize
        let gradient = MatrixSlice(rawGradients, rows: tokens, columns: rows)
        multiply(
            gradient.transposed, MatrixSlice(input, rows: tokens, columns: width),
            into: MatrixSlice(dquery, rows: rows, columns: width), keeping: 1)
        multiply(
            gradient, MatrixSlice(query, rows: rows, columns: width),
            into: MatrixSlice(dinput, rows: tokens, columns: width), keeping: 1)
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
    private func sidePart(_ queries: FloatSlice, _ side: Int) -> MatrixSlice {
        MatrixSlice(
            queries[side * half..<queries.count - (1 - side) * half], rows: groups, columns: half,
            stride: sizes.keySize)
    }

    private func keys(_ subKeys: FloatSlice, _ side: Int) -> MatrixSlice {
        let count = sizes.subKeys * half
        return MatrixSlice(
            subKeys[side * count..<(side + 1) * count], rows: sizes.subKeys, columns: half)
    }
}
