internal import Architectures
internal import Elements
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

/// out = the norm of each row of x.
func normalise(
    _ x: borrowing FloatBuffer, _ norm: LanguageModel.Norm, _ epsilon: Float, _ rows: Int,
    into out: inout FloatBuffer
) {
    let all = 0..<rows * norm.weight.count
    var span = out.mutableSpan(all)
    apply(norm, x.span(all), epsilon, into: &span)
}

/// out = the norm of each row of x.
private func apply(
    _ norm: LanguageModel.Norm, _ x: Span<Float>, _ epsilon: Float,
    into out: inout MutableSpan<Float>
) {
    guard !norm.bias.isEmpty else {
        return Kernels.rmsNorm(x, weight: norm.weight.span, epsilon: epsilon, into: &out)
    }
    // What is left of the mean taken away is normalised like any row.
    let width = norm.weight.count
    var centred = FloatBuffer(count: x.count)
    do {
        var span = centred.mutableSpan(0..<x.count)
        for start in stride(from: 0, to: x.count, by: width) {
            var sum = 0.0
            for index in start..<start + width { sum += Double(x[index]) }
            let mean = Float(sum / Double(width))
            for index in start..<start + width { span[index] = x[index] - mean }
        }
    }
    Kernels.rmsNorm(centred.span, weight: norm.weight.span, epsilon: epsilon, into: &out)
    for start in stride(from: 0, to: x.count, by: width) {
        for index in 0..<width { out[start + index] += norm.bias[index] }
    }
}

/// x = factor · x.
func scale(_ x: inout FloatBuffer, _ count: Int, by factor: Float) {
    guard factor != 1 else { return }
    var span = x.mutableSpan(0..<count)
    for index in span.indices { span[index] *= factor }
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

/// The states of some tokens as the head reads them, [tokens, hidden].
func finalStates(
    of tokens: Range<Int>, _ hidden: borrowing FloatBuffer, _ model: LanguageModel
) -> FloatBuffer {
    let norm = model.finalNorm
    let width = norm.weight.count
    var x = FloatBuffer(count: tokens.count * width)
    do {
        var span = x.mutableSpan(0..<x.count)
        apply(
            norm, hidden.span(tokens.lowerBound * width..<tokens.upperBound * width),
            model.description.normEpsilon, into: &span)
    }
    return x
}

/// The logits of some tokens, [tokens, vocabulary], from their hidden states behind the last layer.
func logits(
    of tokens: Range<Int>, _ hidden: borrowing FloatBuffer, _ model: LanguageModel,
    _ team: ThreadTeam
) -> [Float] {
    let head = model.head
    let x = finalStates(of: tokens, hidden, model)
    var logits = [Float](repeating: 0, count: tokens.count * head.rows)
    do {
        var span = logits.mutableSpan
        head.multiply(x.span, tokens: tokens.count, into: &span, team: team)
        let (bias, divisor) = (model.headBias, model.description.multipliers.logitDivisor)
        if !bias.isEmpty {
            for index in span.indices { span[index] += bias[index % bias.count] }
        }
        if divisor != 1 {
            for index in span.indices { span[index] /= divisor }
        }
        if let cap = model.description.multipliers.logitCap { Models.cap(&span, at: cap) }
    }
    return logits
}

/// x = cap · tanh(x / cap), as 2σ(2x / cap) - 1.
private func cap(_ x: inout MutableSpan<Float>, at cap: Float) {
    for index in x.indices { x[index] = 2 * x[index] / cap }
    Kernels.sigmoid(&x)
    for index in x.indices { x[index] = cap * (2 * x[index] - 1) }
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

/// gate = f(gate) ⊙ up.
func activate(
    _ gate: inout FloatBuffer, _ up: borrowing FloatBuffer, _ count: Int,
    by activation: GateActivation = .silu
) {
    var span = gate.mutableSpan(0..<count)
    switch activation {
    case .silu: Kernels.siluGate(&span, up: up.span(0..<count))
    case .gelu: Kernels.geluGate(&span, up: up.span(0..<count))
    }
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
