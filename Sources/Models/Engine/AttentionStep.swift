internal import Architectures
internal import Tensors

/// The attention of any layer, with its working memory.
struct AttentionStep: ~Copyable {
    /// Of the norms inside latent attention, whatever the config says of the others (transformers 5.23).
    private static let latentNormEpsilon: Float = 1e-6

    private let model: LanguageModel
    private let team: ThreadTeam
    private var tokens = 0
    private var room = 0
    /// [tokens, …] each, grown to the largest batch so far.
    private var queries = FloatBuffer(count: 0)
    private var keys = FloatBuffer(count: 0)
    private var values = FloatBuffer(count: 0)
    private var mixed = FloatBuffer(count: 0)
    private var turning = FloatBuffer(count: 0)
    /// Queries with their gates.
    private var gated = FloatBuffer(count: 0)
    private var delta: DeltaStep
    /// By kind of layer.
    private var rotations: [RotationTable]

    init(_ model: LanguageModel, _ team: ThreadTeam) {
        self.model = model
        self.team = team
        delta = DeltaStep(model, team)
        rotations = model.frequencies.map { RotationTable($0) }
    }

    /// Prepares for a batch of some tokens.
    mutating func begin(_ segments: [ForwardPass.Segment], _ tokens: Int) {
        self.tokens = tokens
        if tokens > room { reserve(tokens) }
        for segment in segments {
            for index in rotations.indices {
                rotations[index].reserve(segment.session.position + segment.tokens.count)
            }
        }
    }

    private mutating func reserve(_ tokens: Int) {
        room = tokens
        var widths = (queries: 0, keys: 0, mixed: 0, turning: 0, gated: 0)
        for layer in model.layers {
            switch layer.attention {
            case .grouped(let grouped):
                widths.queries = max(widths.queries, grouped.shape.queryWidth)
                widths.keys = max(widths.keys, grouped.shape.keyWidth)
                widths.mixed = max(widths.mixed, grouped.shape.outWidth)
                widths.turning = max(widths.turning, grouped.shape.heads * grouped.turning)
                if grouped.isGated {
                    widths.gated = max(widths.gated, 2 * grouped.shape.queryWidth)
                }
            case .latent(let latent):
                widths.queries = max(
                    widths.queries, latent.shape.queryWidth, latent.shape.outWidth,
                    latent.query.matrix.columns)
                widths.keys = max(widths.keys, latent.shape.keyWidth)
                widths.mixed = max(
                    widths.mixed, latent.shape.queryWidth, latent.query.matrix.rows,
                    latent.output.matrix.columns, latent.queryDown?.matrix.rows ?? 0)
                widths.turning = max(widths.turning, latent.sizes.heads * latent.sizes.ropeHeadDim)
            // It has memory of its own.
            case .delta: break
            }
        }
        queries = FloatBuffer(count: tokens * max(widths.queries, widths.mixed))
        keys = FloatBuffer(count: tokens * widths.keys)
        values = FloatBuffer(count: tokens * widths.keys)
        mixed = FloatBuffer(
            count: tokens * max(widths.queries, widths.mixed, widths.keys))
        turning = FloatBuffer(count: tokens * widths.turning)
        gated = FloatBuffer(count: tokens * widths.gated)
    }

    /// out = what the tokens read.
    ///
    /// - Parameters:
    ///   - layer: The attention's number, which is that of its caches.
    ///   - segments: Those that it was prepared for.
    ///   - x: [tokens, hidden], normalised.
    ///   - out: [tokens, hidden].
    mutating func run(
        _ attention: LanguageModel.Attention, _ layer: Int, _ segments: [ForwardPass.Segment],
        _ x: borrowing FloatBuffer, into out: inout FloatBuffer
    ) {
        switch attention {
        case .grouped(let grouped): run(grouped, layer, segments, x, into: &out)
        case .latent(let latent): run(latent, layer, segments, x, into: &out)
        case .delta(let rule): delta.run(rule, layer, segments, tokens, x, into: &out)
        }
    }

    private mutating func run(
        _ layer: LanguageModel.Grouped, _ number: Int, _ segments: [ForwardPass.Segment],
        _ x: borrowing FloatBuffer, into out: inout FloatBuffer
    ) {
        let (shape, epsilon) = (layer.shape, model.description.normEpsilon)
        if layer.isGated {
            projectTogether(
                layer, x, tokens, into: &gated, &keys, &values, team)
            prepareGated(gated, layer, epsilon, tokens, &mixed, into: &queries)
        } else {
            projectTogether(layer, x, tokens, into: &queries, &keys, &values, team)
            prepare(layer.query, layer.queryNorm, epsilon, layer.clip, tokens, &queries)
        }
        prepare(layer.key, layer.keyNorm, epsilon, layer.clip, tokens, &keys)
        prepare(layer.value, layer.valueNorm, epsilon, layer.clip, tokens, &values)
        let table = rotations[layer.rotation]
        turn(&queries, layer, shape.heads, segments, tokens, table, &turning)
        turn(&keys, layer, shape.kvHeads, segments, tokens, table, &turning)
        for segment in segments {
            store(keys, values, shape, segment, number)
            attend(shape, queries, segment, number, into: &mixed, team)
        }
        if layer.isGated { closeGates(&mixed, gated, layer, tokens, &queries) }
        apply(layer.output, mixed, tokens, into: &out, team)
    }

    private mutating func run(
        _ layer: LanguageModel.Latent, _ number: Int, _ segments: [ForwardPass.Segment],
        _ x: borrowing FloatBuffer, into out: inout FloatBuffer
    ) {
        let (shape, sizes, epsilon) = (layer.shape, layer.sizes, Self.latentNormEpsilon)
        // The cache's row: the latent vector, normalised, then the part that turns.
        apply(layer.compress, x, tokens, into: &mixed, team)
        splitLatent(mixed, layer, epsilon, tokens, &keys, &values)
        gather(
            mixed, tokens, step: shape.keySize, from: sizes.rank, sizes.ropeHeadDim,
            sizes.isInterleaved, into: &turning)
        for segment in segments { rotate(&turning, segment, 1, rotations[0]) }
        scatter(
            turning, tokens, sizes.ropeHeadDim, step: shape.keySize, to: sizes.rank,
            into: &keys)
        for segment in segments { store(keys, values, shape, segment, number) }
        // The queries, brought to the latent space.
        if let down = layer.queryDown {
            apply(down, x, tokens, into: &mixed, team)
            normalise(mixed, layer.queryNorm, epsilon, tokens, into: &queries)
            apply(layer.query, queries, tokens, into: &mixed, team)
        } else {
            apply(layer.query, x, tokens, into: &mixed, team)
        }
        let width = sizes.nopeHeadDim + sizes.ropeHeadDim
        absorb(layer, mixed, tokens, into: &queries, team)
        gather(
            mixed, tokens * sizes.heads, step: width, from: sizes.nopeHeadDim, sizes.ropeHeadDim,
            sizes.isInterleaved, into: &turning)
        for segment in segments { rotate(&turning, segment, sizes.heads, rotations[0]) }
        scatter(
            turning, tokens * sizes.heads, sizes.ropeHeadDim, step: shape.keySize,
            to: sizes.rank, into: &queries)
        if let growth = sizes.growth {
            for segment in segments { grow(&queries, segment, shape.queryWidth, by: growth) }
        }
        for segment in segments { attend(shape, queries, segment, number, into: &mixed, team) }
        expandValues(layer, mixed, tokens, into: &queries, team)
        apply(layer.output, queries, tokens, into: &out, team)
    }
}

// Functions of the buffers, since a method cannot lend one of them while it writes another.

/// out = x Wᵀ + b.
private func apply(
    _ linear: LanguageModel.Linear, _ x: borrowing FloatBuffer, _ tokens: Int,
    into out: inout FloatBuffer, _ team: ThreadTeam
) {
    project(linear.matrix, x, tokens, into: &out, team)
    addBias(linear.bias, tokens, &out)
}

private func addBias(_ bias: [Float], _ tokens: Int, _ x: inout FloatBuffer) {
    guard !bias.isEmpty else { return }
    let width = bias.count
    for token in 0..<tokens {
        var row = x.mutableSpan(token * width..<(token + 1) * width)
        Kernels.axpy(1, bias.span, into: &row)
    }
}

/// The queries, keys and values of x, W xᵀ + b each.
private func projectTogether(
    _ layer: LanguageModel.Grouped, _ x: borrowing FloatBuffer, _ tokens: Int,
    into queries: inout FloatBuffer, _ keys: inout FloatBuffer, _ values: inout FloatBuffer,
    _ team: ThreadTeam
) {
    // One loop of the threads, and not three, where the matrices are read as they are stored.
    guard let query = layer.query.matrix as? RowMatrix, let key = layer.key.matrix as? RowMatrix,
        let value = layer.value.matrix as? RowMatrix
    else {
        apply(layer.query, x, tokens, into: &queries, team)
        apply(layer.key, x, tokens, into: &keys, team)
        apply(layer.value, x, tokens, into: &values, team)
        return
    }
    do {
        var one = queries.mutableSpan(0..<tokens * query.rows)
        var two = keys.mutableSpan(0..<tokens * key.rows)
        var three = values.mutableSpan(0..<tokens * value.rows)
        RowMatrix.multiply(
            query, key, value, x.span(0..<tokens * query.columns), tokens: tokens, into: &one,
            &two, &three, team: team)
    }
    addBias(layer.query.bias, tokens, &queries)
    addBias(layer.key.bias, tokens, &keys)
    addBias(layer.value.bias, tokens, &values)
}

/// x = its norm, cut at plus and minus `clip`.
private func prepare(
    _ linear: LanguageModel.Linear, _ norm: [Float], _ epsilon: Float, _ clip: Float?,
    _ tokens: Int, _ x: inout FloatBuffer
) {
    guard !norm.isEmpty || clip != nil else { return }
    var span = x.mutableSpan(0..<tokens * linear.matrix.rows)
    if !norm.isEmpty { Kernels.rmsNorm(&span, weight: norm.span, epsilon: epsilon) }
    guard let clip else { return }
    // A NaN passes both comparisons by.
    for index in span.indices {
        if span[index] > clip { span[index] = clip }
        if span[index] < -clip { span[index] = -clip }
    }
}

/// out = the queries, normalised, that each head of x begins with.
private func prepareGated(
    _ x: borrowing FloatBuffer, _ layer: LanguageModel.Grouped, _ epsilon: Float, _ tokens: Int,
    _ scratch: inout FloatBuffer, into out: inout FloatBuffer
) {
    let (heads, size) = (tokens * layer.shape.heads, layer.shape.keySize)
    gather(x, heads, step: 2 * size, from: 0, size, false, into: &scratch)
    normalise(scratch, layer.queryNorm, epsilon, heads, into: &out)
}

/// out ⊙= the sigmoid of what each head of x ends with.
private func closeGates(
    _ out: inout FloatBuffer, _ x: borrowing FloatBuffer, _ layer: LanguageModel.Grouped,
    _ tokens: Int, _ scratch: inout FloatBuffer
) {
    let (heads, size) = (tokens * layer.shape.heads, layer.shape.keySize)
    gather(x, heads, step: 2 * size, from: size, size, false, into: &scratch)
    var gates = scratch.mutableSpan(0..<heads * size)
    Kernels.sigmoid(&gates)
    var span = out.mutableSpan(0..<heads * size)
    for index in span.indices { span[index] *= gates[index] }
}

/// Turns the heads of all tokens by their positions.
private func turn(
    _ x: inout FloatBuffer, _ layer: LanguageModel.Grouped, _ heads: Int,
    _ segments: [ForwardPass.Segment], _ tokens: Int, _ table: borrowing RotationTable,
    _ scratch: inout FloatBuffer
) {
    let (size, part) = (layer.shape.keySize, layer.turning)
    guard part < size || layer.isInterleaved else {
        for segment in segments { rotate(&x, segment, heads, table) }
        return
    }
    gather(x, tokens * heads, step: size, from: 0, part, layer.isInterleaved, into: &scratch)
    for segment in segments { rotate(&scratch, segment, heads, table) }
    scatter(scratch, tokens * heads, part, step: size, to: 0, into: &x)
}

/// Turns the heads of a segment's tokens by their positions.
private func rotate(
    _ x: inout FloatBuffer, _ segment: ForwardPass.Segment, _ heads: Int,
    _ table: borrowing RotationTable
) {
    let width = heads * 2 * table.half
    var span = x.mutableSpan(
        segment.range.lowerBound * width..<segment.range.upperBound * width)
    table.rotate(&span, from: segment.session.position, heads: heads)
}

/// Makes the queries of a segment's tokens larger by their positions.
private func grow(
    _ x: inout FloatBuffer, _ segment: ForwardPass.Segment, _ width: Int,
    by growth: ModelDescription.QueryGrowth
) {
    for (index, token) in segment.range.enumerated() {
        let steps = (Double(segment.session.position + index) / growth.step).rounded(.down)
        let factor = Float(1 + growth.rate * Kernels.log(1 + steps))
        guard factor != 1 else { continue }
        var span = x.mutableSpan(token * width..<(token + 1) * width)
        for index in span.indices { span[index] *= factor }
    }
}

private func store(
    _ keys: borrowing FloatBuffer, _ values: borrowing FloatBuffer, _ shape: AttentionShape,
    _ segment: ForwardPass.Segment, _ layer: Int
) {
    let (first, end) = (segment.range.lowerBound, segment.range.upperBound)
    guard case .keysAndValues(let cache) = segment.session.memories[layer] else { return }
    cache.store(
        keys.span(first * shape.keyWidth..<end * shape.keyWidth),
        values.span(first * shape.valueWidth..<end * shape.valueWidth),
        at: segment.session.position)
}

private func attend(
    _ shape: AttentionShape, _ queries: borrowing FloatBuffer, _ segment: ForwardPass.Segment,
    _ layer: Int, into out: inout FloatBuffer, _ team: ThreadTeam
) {
    let (first, end) = (segment.range.lowerBound, segment.range.upperBound)
    var span = out.mutableSpan(first * shape.outWidth..<end * shape.outWidth)
    let queries = queries.span(first * shape.queryWidth..<end * shape.queryWidth)
    guard case .keysAndValues(let cache) = segment.session.memories[layer] else { return }
    cache.read { keys, values in
        Kernels.attend(
            shape, queries, keys: keys.span, values: values.span,
            first: segment.session.position, capacity: cache.capacity, into: &span, team: team)
    }
}

/// keys[t] begins with, and values[t] is, the norm of the latent vector that x[t] begins with.
private func splitLatent(
    _ x: borrowing FloatBuffer, _ layer: LanguageModel.Latent, _ epsilon: Float, _ tokens: Int,
    _ keys: inout FloatBuffer, _ values: inout FloatBuffer
) {
    let (rank, step) = (layer.sizes.rank, layer.shape.keySize)
    for token in 0..<tokens {
        var value = values.mutableSpan(token * rank..<(token + 1) * rank)
        Kernels.rmsNorm(
            x.span(token * step..<token * step + rank), weight: layer.latentNorm.span,
            epsilon: epsilon, into: &value)
        var key = keys.mutableSpan(token * step..<token * step + rank)
        for index in value.indices { key[index] = value[index] }
    }
}

/// out = the parts that turn of adjacent vectors, their pairs half a part apart.
private func gather(
    _ x: borrowing FloatBuffer, _ vectors: Int, step: Int, from first: Int, _ size: Int,
    _ isInterleaved: Bool, into out: inout FloatBuffer
) {
    for vector in 0..<vectors {
        let source = x.span(vector * step + first..<vector * step + first + size)
        var target = out.mutableSpan(vector * size..<(vector + 1) * size)
        for index in source.indices {
            let place = isInterleaved ? index / 2 + (index % 2) * (size / 2) : index
            target[place] = source[index]
        }
    }
}

/// Puts parts of adjacent vectors in their places.
private func scatter(
    _ x: borrowing FloatBuffer, _ vectors: Int, _ size: Int, step: Int, to first: Int,
    into out: inout FloatBuffer
) {
    for vector in 0..<vectors {
        let source = x.span(vector * size..<(vector + 1) * size)
        var target = out.mutableSpan(vector * step + first..<vector * step + first + size)
        for index in source.indices { target[index] = source[index] }
    }
}

private func absorb(
    _ layer: LanguageModel.Latent, _ queries: borrowing FloatBuffer, _ tokens: Int,
    into out: inout FloatBuffer, _ team: ThreadTeam
) {
    var span = out.mutableSpan(0..<tokens * layer.shape.queryWidth)
    layer.expand.multiplyTransposed(
        layer.keyRows, queries.span(0..<tokens * layer.query.matrix.rows), tokens: tokens,
        into: &span, team: team)
}

private func expandValues(
    _ layer: LanguageModel.Latent, _ x: borrowing FloatBuffer, _ tokens: Int,
    into out: inout FloatBuffer, _ team: ThreadTeam
) {
    var span = out.mutableSpan(0..<tokens * layer.output.matrix.columns)
    layer.expand.multiply(
        layer.valueRows, x.span(0..<tokens * layer.shape.outWidth), tokens: tokens, into: &span,
        team: team)
}
