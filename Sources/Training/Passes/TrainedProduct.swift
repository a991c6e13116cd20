internal import Tensors

/// A weight matrix [rows, columns] with the layouts that both ways of a step read.
struct TrainedProduct: Sendable {
    /// Of the weights, and of their gradients.
    let range: Range<Int>
    let rows: Int
    let columns: Int
    private let forwardPanels, backwardPanels: WeightPanels

    /// - Parameter range: Row-major, of `columns` each.
    init(_ range: Range<Int>, columns: Int) {
        self.range = range
        self.columns = columns
        rows = range.count / columns
        forwardPanels = WeightPanels(depth: columns, outputs: rows)
        backwardPanels = WeightPanels(depth: rows, outputs: columns)
    }

    /// Lays the weights out for `forward`; after every change of them.
    func packForward(_ weights: FloatMemory) { forwardPanels.pack(rowsOf: weights[range]) }

    /// Lays the weights out for `inputGradient`.
    func packBackward(_ weights: FloatMemory) { backwardPanels.pack(columnsOf: weights[range]) }

    /// out = x Wᵀ, + out when it is kept.
    func forward(_ x: FloatRows, into out: FloatRows, tokens: Int, keeping: Bool = false) {
        forwardPanels.multiply(x, into: out, tokens: tokens, keeping: keeping)
    }

    /// dx = dy W, + dx when it is kept.
    func inputGradient(_ dy: FloatRows, into dx: FloatRows, tokens: Int, keeping: Bool = false) {
        backwardPanels.multiply(dy, into: dx, tokens: tokens, keeping: keeping)
    }

    /// dW += dyᵀ x.
    func addWeightGradient(
        _ dy: FloatRows, _ x: FloatRows, tokens: Int, scratch: FloatSlice, to gradient: FloatMemory
    ) {
        TrainingKernels.addWeightGradient(
            dy: dy, x: x, tokens: tokens, rows: rows, columns: columns, scratch: scratch,
            into: gradient[range])
    }

    /// Elements of the scratch memory.
    var scratchSize: Int { TrainingKernels.gradientScratch(rows: rows, columns: columns) }
}
