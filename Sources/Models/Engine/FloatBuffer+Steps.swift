internal import Tensors

// What forward passes do with their buffers. Functions, since a method of what holds the buffers cannot
// lend one of them while it writes another.

/// out = the norm of each row of x that is as long as the weights.
func normalise(
    _ x: borrowing FloatBuffer, _ weight: [Float], _ epsilon: Float, _ rows: Int,
    into out: inout FloatBuffer
) {
    let all = 0..<rows * weight.count
    var span = out.mutableSpan(all)
    Kernels.rmsNorm(x.span(all), weight: weight.span, epsilon: epsilon, into: &span)
}

/// out = x Wᵀ.
func project(
    _ matrix: some Projection, _ x: borrowing FloatBuffer, _ tokens: Int,
    into out: inout FloatBuffer, _ team: ThreadTeam
) {
    var span = out.mutableSpan(0..<tokens * matrix.rows)
    matrix.multiply(
        x.span(0..<tokens * matrix.columns), tokens: tokens, into: &span, team: team)
}

/// The logits of some tokens, [tokens, rows of the head], from their hidden states behind the last layer.
func logits(
    of tokens: Range<Int>, _ hidden: borrowing FloatBuffer, norm: [Float], _ epsilon: Float,
    head: some Projection, _ team: ThreadTeam
) -> [Float] {
    let width = norm.count
    var x = FloatBuffer(count: tokens.count * width)
    do {
        var span = x.mutableSpan(0..<x.count)
        Kernels.rmsNorm(
            hidden.span(tokens.lowerBound * width..<tokens.upperBound * width),
            weight: norm.span, epsilon: epsilon, into: &span)
    }
    var logits = [Float](repeating: 0, count: tokens.count * head.rows)
    do {
        var span = logits.mutableSpan
        head.multiply(x.span, tokens: tokens.count, into: &span, team: team)
    }
    return logits
}

/// x = 0.
func clear(_ x: inout FloatBuffer, _ count: Int) {
    var span = x.mutableSpan(0..<count)
    span.update(repeating: 0)
}

/// x += y.
func add(_ y: borrowing FloatBuffer, _ count: Int, to x: inout FloatBuffer) {
    var span = x.mutableSpan(0..<count)
    Kernels.axpy(1, y.span(0..<count), into: &span)
}

/// gate = SiLU(gate) ⊙ up.
func activate(_ gate: inout FloatBuffer, _ up: borrowing FloatBuffer, _ count: Int) {
    var span = gate.mutableSpan(0..<count)
    Kernels.siluGate(&span, up: up.span(0..<count))
}

/// Multiplies each row of x with the sigmoid of its score.
///
/// - Parameter scores: [rows]; their sigmoids afterwards.
func weigh(
    _ x: inout FloatBuffer, by scores: inout FloatBuffer, _ rows: Int, _ width: Int
) {
    var shares = scores.mutableSpan(0..<rows)
    Kernels.sigmoid(&shares)
    var span = x.mutableSpan(0..<rows * width)
    for row in 0..<rows {
        for index in row * width..<(row + 1) * width { span[index] *= shares[row] }
    }
}
