internal import Architectures
internal import Tensors

/// The gated delta rule of any layer (Gated DeltaNet, 2412.06464), with its working memory.
///
/// A token's part is computed from the text's state alone, so that a text gives the same bits in one piece and token by
/// token.
struct DeltaStep: ~Copyable {
    /// Of the norms of queries and keys.
    private static let epsilon: Float = 1e-6

    private let model: LanguageModel
    private let team: ThreadTeam
    private var room = 0
    /// [tokens, …] each, grown to the largest batch so far.
    private var mixed = FloatBuffer(count: 0)
    private var inputs = FloatBuffer(count: 0)
    private var window = FloatBuffer(count: 0)
    private var convolved = FloatBuffer(count: 0)
    private var queries = FloatBuffer(count: 0)
    private var keys = FloatBuffer(count: 0)
    private var values = FloatBuffer(count: 0)
    private var gates = FloatBuffer(count: 0)
    private var rates = FloatBuffer(count: 0)
    private var decays = FloatBuffer(count: 0)

    init(_ model: LanguageModel, _ team: ThreadTeam) {
        self.model = model
        self.team = team
    }

    private mutating func reserve(_ tokens: Int) {
        guard tokens > room else { return }
        room = tokens
        var (columns, taps, keys, values, heads) = (0, 1, 0, 0, 0)
        for layer in model.layers {
            guard case .delta(let delta) = layer.attention else { continue }
            columns = max(columns, delta.columns)
            taps = max(taps, delta.taps)
            keys = max(keys, delta.shape.keyWidth)
            values = max(values, delta.shape.valueWidth)
            heads = max(heads, delta.shape.valueHeads)
        }
        mixed = FloatBuffer(count: tokens * (columns + values))
        inputs = FloatBuffer(count: tokens * columns)
        window = FloatBuffer(count: (tokens + taps - 1) * columns)
        convolved = FloatBuffer(count: tokens * columns)
        queries = FloatBuffer(count: tokens * keys)
        self.keys = FloatBuffer(count: tokens * keys)
        self.values = FloatBuffer(count: tokens * values)
        gates = FloatBuffer(count: tokens * values)
        rates = FloatBuffer(count: tokens * heads)
        decays = FloatBuffer(count: tokens * heads)
    }

    /// out = what the tokens read.
    ///
    /// - Parameters:
    ///   - number: The layer's, which is that of its states.
    ///   - x: [tokens, hidden], normalised.
    ///   - out: [tokens, hidden].
    mutating func run(
        _ layer: LanguageModel.Delta, _ number: Int, _ segments: [ForwardPass.Segment],
        _ tokens: Int, _ x: borrowing FloatBuffer, into out: inout FloatBuffer
    ) {
        reserve(tokens)
        project(layer, tokens, x)
        let (shape, columns) = (layer.shape, layer.columns)
        for segment in segments {
            guard case .delta(let memory) = segment.session.memories[number] else { continue }
            memory.changeInputs(at: segment.session.position) { before in
                convolve(layer, inputs, segment.range, &before, &window, into: &convolved)
            }
        }
        let (keyWidth, valueWidth) = (shape.keyWidth, shape.valueWidth)
        take(convolved, tokens, columns, from: 0, keyWidth, into: &mixed)
        normalise(
            mixed, layer.queryScale, Self.epsilon / Float(shape.keySize), tokens * shape.keyHeads,
            into: &queries)
        take(convolved, tokens, columns, from: keyWidth, keyWidth, into: &mixed)
        normalise(
            mixed, layer.keyScale, Self.epsilon / Float(shape.keySize), tokens * shape.keyHeads,
            into: &keys)
        take(convolved, tokens, columns, from: 2 * keyWidth, valueWidth, into: &values)
        for segment in segments {
            guard case .delta(let memory) = segment.session.memories[number] else { continue }
            memory.changeState { state in
                deltaRule(
                    shape, segment.range, queries, keys, values, decays, rates, &state,
                    into: &mixed, team)
            }
        }
        normalise(
            mixed, layer.norm, model.description.normEpsilon, tokens * shape.valueHeads,
            into: &values)
        // SiLU(gates) times what was read.
        activate(&gates, values, tokens * valueWidth)
        Models.project(layer.output, gates, tokens, into: &out, team)
    }

    /// The inputs of the convolution, gates, rates and decays.
    private mutating func project(
        _ layer: LanguageModel.Delta, _ tokens: Int, _ x: borrowing FloatBuffer
    ) {
        let (shape, heads) = (layer.shape, layer.shape.valueHeads)
        switch layer.inputs {
        case .split(let all, let gate, let rate, let decay):
            Models.project(all, x, tokens, into: &inputs, team)
            Models.project(gate, x, tokens, into: &gates, team)
            Models.project(rate, x, tokens, into: &rates, team)
            Models.project(decay, x, tokens, into: &decays, team)
        case .byKeyHeads(let all, let pairs):
            // Of each head of keys its query, key, and the values and gates of its heads.
            Models.project(all, x, tokens, into: &mixed, team)
            let (size, width) = (shape.keySize, heads / shape.keyHeads * shape.valueSize)
            let step = 2 * size + 2 * width
            let columns = layer.columns
            for head in 0..<shape.keyHeads {
                let first = head * step
                move(
                    mixed, tokens, shape.keyHeads * step, first, size, to: columns, head * size,
                    of: &inputs)
                move(
                    mixed, tokens, shape.keyHeads * step, first + size, size, to: columns,
                    shape.keyWidth + head * size, of: &inputs)
                move(
                    mixed, tokens, shape.keyHeads * step, first + 2 * size, width, to: columns,
                    2 * shape.keyWidth + head * width, of: &inputs)
                move(
                    mixed, tokens, shape.keyHeads * step, first + 2 * size + width, width,
                    to: shape.valueWidth, head * width, of: &gates)
            }
            Models.project(pairs, x, tokens, into: &mixed, team)
            let group = heads / shape.keyHeads
            for head in 0..<shape.keyHeads {
                move(
                    mixed, tokens, 2 * heads, 2 * head * group, group, to: heads, head * group,
                    of: &rates)
                move(
                    mixed, tokens, 2 * heads, (2 * head + 1) * group, group, to: heads,
                    head * group, of: &decays)
            }
        }
        sigmoid(&rates, tokens * heads)
        decay(&decays, tokens * heads, layer)
    }
}

// Functions of the buffers, since a method cannot lend one of them while it writes another.

/// Some columns of each row, moved to others of another matrix.
private func move(
    _ x: borrowing FloatBuffer, _ rows: Int, _ width: Int, _ first: Int, _ count: Int,
    to outWidth: Int, _ outFirst: Int, of out: inout FloatBuffer
) {
    for row in 0..<rows {
        let source = x.span(row * width + first..<row * width + first + count)
        var target = out.mutableSpan(
            row * outWidth + outFirst..<row * outWidth + outFirst + count)
        for index in source.indices { target[index] = source[index] }
    }
}

/// out = some columns of each row.
private func take(
    _ x: borrowing FloatBuffer, _ rows: Int, _ width: Int, from first: Int, _ count: Int,
    into out: inout FloatBuffer
) {
    move(x, rows, width, first, count, to: count, 0, of: &out)
}

private func sigmoid(_ x: inout FloatBuffer, _ count: Int) {
    var span = x.mutableSpan(0..<count)
    Kernels.sigmoid(&span)
}

/// x = what is kept of a state: e^(-rate · softplus(x + bias)), of each head.
private func decay(_ x: inout FloatBuffer, _ count: Int, _ layer: LanguageModel.Delta) {
    var span = x.mutableSpan(0..<count)
    let heads = layer.shape.valueHeads
    for index in span.indices {
        let step = Double(span[index] + layer.stepBias[index % heads])
        let time = step > 20 ? step : Kernels.log(1 + Kernels.exp(step))
        span[index] = Float(Kernels.exp(-layer.rates[index % heads] * time))
    }
}

/// out = the convolution of a segment's inputs, behind those of the text before it, which move on.
private func convolve(
    _ layer: LanguageModel.Delta, _ inputs: borrowing FloatBuffer, _ range: Range<Int>,
    _ before: inout FloatBuffer, _ window: inout FloatBuffer, into out: inout FloatBuffer
) {
    let (columns, kept) = (layer.columns, (layer.taps - 1) * layer.columns)
    let count = range.count * columns
    copy(before, 0..<kept, to: 0, of: &window)
    copy(inputs, range.lowerBound * columns..<range.upperBound * columns, to: kept, of: &window)
    var span = out.mutableSpan(range.lowerBound * columns..<range.upperBound * columns)
    Kernels.convolve(
        window.span(0..<kept + count), weights: layer.convolution.span, width: columns,
        into: &span)
    copy(window, count..<count + kept, to: 0, of: &before)
}

private func copy(
    _ x: borrowing FloatBuffer, _ range: Range<Int>, to first: Int, of out: inout FloatBuffer
) {
    let source = x.span(range)
    var target = out.mutableSpan(first..<first + range.count)
    for index in source.indices { target[index] = source[index] }
}

private func deltaRule(
    _ shape: DeltaShape, _ range: Range<Int>, _ queries: borrowing FloatBuffer,
    _ keys: borrowing FloatBuffer, _ values: borrowing FloatBuffer,
    _ decays: borrowing FloatBuffer, _ rates: borrowing FloatBuffer, _ state: inout FloatBuffer,
    into out: inout FloatBuffer, _ team: ThreadTeam
) {
    func part(_ width: Int) -> Range<Int> { range.lowerBound * width..<range.upperBound * width }
    var states = state.mutableSpan(0..<state.count)
    var span = out.mutableSpan(part(shape.valueWidth))
    Kernels.deltaRule(
        shape, queries: queries.span(part(shape.keyWidth)), keys: keys.span(part(shape.keyWidth)),
        values: values.span(part(shape.valueWidth)), decays: decays.span(part(shape.valueHeads)),
        rates: rates.span(part(shape.valueHeads)), state: &states, into: &span, team: team)
}
