internal import Architectures
internal import Tensors

/// The attention of any layer, with its working memory.
struct AttentionStep: ~Copyable {
    /// Of the norms inside latent attention, whatever the config says of the others (transformers 5.23).
    private static let latentNormEpsilon: Float = 1e-6

    private let model: DecoderModel
    private let team: ThreadTeam
    private var tokens = 0
    private var position = 0
    private var room = 0
    /// [tokens, …] each, grown to the largest batch so far.
    private var queries = FloatBuffer(count: 0)
    private var keys = FloatBuffer(count: 0)
    private var values = FloatBuffer(count: 0)
    private var mixed = FloatBuffer(count: 0)
    private var turning = FloatBuffer(count: 0)
    /// [tokens, half]: of the tokens' positions.
    private var cosines = FloatBuffer(count: 0)
    private var sines = FloatBuffer(count: 0)

    init(_ model: DecoderModel, _ team: ThreadTeam) {
        self.model = model
        self.team = team
    }

    /// Prepares for some tokens, the first at a position.
    mutating func begin(_ tokens: Int, position: Int) {
        self.tokens = tokens
        self.position = position
        if tokens > room { reserve(tokens) }
        let rotation = model.frequencies
        fill(rotation, tokens, position, &cosines, &sines)
    }

    private mutating func reserve(_ tokens: Int) {
        room = tokens
        var widths = (queries: 0, keys: 0, mixed: 0, turning: 0)
        for layer in model.layers {
            switch layer.attention {
            case .grouped(let grouped):
                widths.queries = max(widths.queries, grouped.shape.queryWidth)
                widths.keys = max(widths.keys, grouped.shape.keyWidth)
                widths.mixed = max(widths.mixed, grouped.shape.outWidth)
            case .latent(let latent):
                widths.queries = max(
                    widths.queries, latent.shape.queryWidth, latent.shape.outWidth,
                    latent.query.matrix.columns)
                widths.keys = max(widths.keys, latent.shape.keyWidth)
                widths.mixed = max(
                    widths.mixed, latent.shape.queryWidth, latent.query.matrix.rows,
                    latent.output.matrix.columns, latent.queryDown?.matrix.rows ?? 0)
                widths.turning = max(widths.turning, latent.sizes.heads * latent.sizes.turningSize)
            }
        }
        let half = model.frequencies.size / 2
        queries = FloatBuffer(count: tokens * max(widths.queries, widths.mixed))
        keys = FloatBuffer(count: tokens * widths.keys)
        values = FloatBuffer(count: tokens * widths.keys)
        mixed = FloatBuffer(
            count: tokens * max(widths.queries, widths.mixed, widths.keys))
        turning = FloatBuffer(count: tokens * widths.turning)
        cosines = FloatBuffer(count: tokens * half)
        sines = FloatBuffer(count: tokens * half)
    }

    /// out = what the tokens read.
    ///
    /// - Parameters:
    ///   - x: [tokens, hidden], normalised.
    ///   - out: [tokens, hidden].
    mutating func run(
        _ attention: DecoderModel.Attention, _ cache: KeyValueCache, _ x: borrowing FloatBuffer,
        into out: inout FloatBuffer
    ) {
        switch attention {
        case .grouped(let grouped): run(grouped, cache, x, into: &out)
        case .latent(let latent): run(latent, cache, x, into: &out)
        }
    }

    private mutating func run(
        _ layer: DecoderModel.Grouped, _ cache: KeyValueCache, _ x: borrowing FloatBuffer,
        into out: inout FloatBuffer
    ) {
        let (shape, epsilon) = (layer.shape, model.description.normEpsilon)
        prepare(
            layer.query, layer.queryNorm, epsilon, layer.clip, x, tokens, &mixed,
            into: &queries, team)
        prepare(
            layer.key, layer.keyNorm, epsilon, layer.clip, x, tokens, &mixed,
            into: &keys, team)
        prepare(
            layer.value, [], epsilon, layer.clip, x, tokens, &mixed, into: &values,
            team)
        rotate(&queries, tokens, shape.heads, shape.keySize, cosines, sines)
        rotate(&keys, tokens, shape.keyHeads, shape.keySize, cosines, sines)
        store(keys, values, shape, tokens, position, cache)
        attend(shape, queries, cache, tokens, position, into: &mixed, team)
        apply(layer.output, mixed, tokens, into: &out, team)
    }

    private mutating func run(
        _ layer: DecoderModel.Latent, _ cache: KeyValueCache, _ x: borrowing FloatBuffer,
        into out: inout FloatBuffer
    ) {
        let (shape, sizes, epsilon) = (layer.shape, layer.sizes, Self.latentNormEpsilon)
        // The cache's row: the latent vector, normalised, then the part that turns.
        apply(layer.compress, x, tokens, into: &mixed, team)
        splitLatent(mixed, layer, epsilon, tokens, &keys, &values)
        gather(
            mixed, tokens, step: shape.keySize, from: sizes.rank, sizes, 1,
            into: &turning)
        rotate(&turning, tokens, 1, sizes.turningSize, cosines, sines)
        scatter(
            turning, tokens, sizes.turningSize, step: shape.keySize, to: sizes.rank,
            into: &keys)
        store(keys, values, shape, tokens, position, cache)
        // The queries, brought to the latent space.
        if let down = layer.queryDown {
            apply(down, x, tokens, into: &mixed, team)
            normalise(mixed, layer.queryNorm, epsilon, tokens, into: &queries)
            apply(layer.query, queries, tokens, into: &mixed, team)
        } else {
            apply(layer.query, x, tokens, into: &mixed, team)
        }
        let width = sizes.plainSize + sizes.turningSize
        absorb(layer, mixed, tokens, into: &queries, team)
        gather(
            mixed, tokens * sizes.heads, step: width, from: sizes.plainSize, sizes,
            sizes.heads, into: &turning)
        rotate(
            &turning, tokens, sizes.heads, sizes.turningSize, cosines, sines)
        scatter(
            turning, tokens * sizes.heads, sizes.turningSize, step: shape.keySize,
            to: sizes.rank, into: &queries)
        attend(shape, queries, cache, tokens, position, into: &mixed, team)
        expandValues(layer, mixed, tokens, into: &queries, team)
        apply(layer.output, queries, tokens, into: &out, team)
    }
}

// Functions of the buffers, since a method cannot lend one of them while it writes another.

private func fill(
    _ rotation: RotationFrequencies, _ tokens: Int, _ position: Int,
    _ cosines: inout FloatBuffer, _ sines: inout FloatBuffer
) {
    let count = tokens * rotation.size / 2
    var cosineSpan = cosines.mutableSpan(0..<count)
    var sineSpan = sines.mutableSpan(0..<count)
    rotation.fill(from: position, cosines: &cosineSpan, sines: &sineSpan)
}

/// out = x Wᵀ + b.
private func apply(
    _ linear: DecoderModel.Linear, _ x: borrowing FloatBuffer, _ tokens: Int,
    into out: inout FloatBuffer, _ team: ThreadTeam
) {
    project(linear.matrix, x, tokens, into: &out, team)
    guard !linear.bias.isEmpty else { return }
    let width = linear.bias.count
    for token in 0..<tokens {
        var row = out.mutableSpan(token * width..<(token + 1) * width)
        Kernels.axpy(1, linear.bias.span, into: &row)
    }
}

/// out = the norm of x Wᵀ + b, cut at plus and minus `clip`.
private func prepare(
    _ linear: DecoderModel.Linear, _ norm: [Float], _ epsilon: Float, _ clip: Float?,
    _ x: borrowing FloatBuffer, _ tokens: Int, _ scratch: inout FloatBuffer,
    into out: inout FloatBuffer, _ team: ThreadTeam
) {
    let count = tokens * linear.matrix.rows
    if norm.isEmpty {
        apply(linear, x, tokens, into: &out, team)
    } else {
        apply(linear, x, tokens, into: &scratch, team)
        normalise(scratch, norm, epsilon, count / norm.count, into: &out)
    }
    guard let clip else { return }
    var span = out.mutableSpan(0..<count)
    // A NaN passes both comparisons by.
    for index in span.indices {
        if span[index] > clip { span[index] = clip }
        if span[index] < -clip { span[index] = -clip }
    }
}

private func rotate(
    _ x: inout FloatBuffer, _ tokens: Int, _ heads: Int, _ size: Int,
    _ cosines: borrowing FloatBuffer, _ sines: borrowing FloatBuffer
) {
    let angles = 0..<tokens * size / 2
    var span = x.mutableSpan(0..<tokens * heads * size)
    Kernels.rotate(
        &span, cosines: cosines.span(angles), sines: sines.span(angles), heads: heads,
        headSize: size)
}

private func store(
    _ keys: borrowing FloatBuffer, _ values: borrowing FloatBuffer, _ shape: AttentionShape,
    _ tokens: Int, _ position: Int, _ cache: KeyValueCache
) {
    cache.store(
        keys.span(0..<tokens * shape.keyWidth), values.span(0..<tokens * shape.valueWidth),
        at: position)
}

private func attend(
    _ shape: AttentionShape, _ queries: borrowing FloatBuffer, _ cache: KeyValueCache,
    _ tokens: Int, _ position: Int, into out: inout FloatBuffer, _ team: ThreadTeam
) {
    var span = out.mutableSpan(0..<tokens * shape.outWidth)
    let queries = queries.span(0..<tokens * shape.queryWidth)
    cache.read { keys, values in
        Kernels.attend(
            shape, queries, keys: keys.span, values: values.span, first: position,
            capacity: cache.capacity, into: &span, team: team)
    }
}

/// keys[t] begins with, and values[t] is, the norm of the latent vector that x[t] begins with.
private func splitLatent(
    _ x: borrowing FloatBuffer, _ layer: DecoderModel.Latent, _ epsilon: Float, _ tokens: Int,
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
    _ x: borrowing FloatBuffer, _ vectors: Int, step: Int, from first: Int,
    _ sizes: ModelDescription.LatentAttention, _ heads: Int, into out: inout FloatBuffer
) {
    let size = sizes.turningSize
    for vector in 0..<vectors {
        let source = x.span(vector * step + first..<vector * step + first + size)
        var target = out.mutableSpan(vector * size..<(vector + 1) * size)
        for index in source.indices {
            let place = sizes.isInterleaved ? index / 2 + (index % 2) * (size / 2) : index
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
    _ layer: DecoderModel.Latent, _ queries: borrowing FloatBuffer, _ tokens: Int,
    into out: inout FloatBuffer, _ team: ThreadTeam
) {
    var span = out.mutableSpan(0..<tokens * layer.shape.queryWidth)
    layer.expand.multiplyTransposed(
        layer.keyRows, queries.span(0..<tokens * layer.query.matrix.rows), tokens: tokens,
        into: &span, team: team)
}

private func expandValues(
    _ layer: DecoderModel.Latent, _ x: borrowing FloatBuffer, _ tokens: Int,
    into out: inout FloatBuffer, _ team: ThreadTeam
) {
    var span = out.mutableSpan(0..<tokens * layer.output.matrix.columns)
    layer.expand.multiply(
        layer.valueRows, x.span(0..<tokens * layer.shape.outWidth), tokens: tokens, into: &span,
        team: team)
}
