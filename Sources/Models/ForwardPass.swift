internal import Architectures
internal import Elements
internal import Routing
package import Tensors

/// The layers of a model with their working memory: runs tokens of one or several texts through them
/// together.
///
/// What a token gives depends on its text alone: every kernel runs in fixed order, so neither what
/// runs beside it, nor the threads, nor the CPU changes a bit. Not to be shared between threads.
package final class ForwardPass {
    /// Some tokens of one text.
    struct Segment {
        let session: Session
        let tokens: ArraySlice<UInt8>
        /// Of the segment's first token among all of the batch.
        let start: Int

        var range: Range<Int> { start..<start + tokens.count }
    }

    package let model: PeerModel
    private var activations: Activations

    package init(_ model: PeerModel, team: ThreadTeam = .single) {
        self.model = model
        activations = Activations(model, team)
    }

    /// Runs segments through the layers; afterwards the sessions' caches hold them.
    ///
    /// The sessions' positions are not moved.
    func run(_ segments: [Segment]) throws(ModelError) { try activations.run(segments) }

    /// Runs segments up to the router of a layer with experts and no further.
    ///
    /// The sessions' positions are not moved; the caches of the layers above hold nothing of them.
    ///
    /// - Returns: What the router reads, [tokens, hidden].
    func routerInputs(_ segments: [Segment], layer: Int) throws(ModelError) -> [Float] {
        try activations.routerInputs(segments, layer)
    }

    /// The logits of some tokens of the batch that ran last, [tokens, 256].
    func logits(_ tokens: Range<Int>) -> [Float] { activations.logits(tokens) }
}

/// What the layers compute for one batch after the other.
private struct Activations: ~Copyable {
    private let model: PeerModel
    private let team: ThreadTeam
    /// [tokens, hidden], and so on; grown to the largest batch so far.
    private var hidden = FloatBuffer(count: 0)
    private var normed = FloatBuffer(count: 0)
    private var queries = FloatBuffer(count: 0)
    private var keys = FloatBuffer(count: 0)
    private var mixed = FloatBuffer(count: 0)
    private var gate = FloatBuffer(count: 0)
    private var up = FloatBuffer(count: 0)
    private var room = 0
    private var picks: [Int: Picks] = [:]

    init(_ model: PeerModel, _ team: ThreadTeam) {
        self.model = model
        self.team = team
    }

    /// Runs a batch through the layers.
    mutating func run(_ segments: [ForwardPass.Segment]) throws(ModelError) {
        let tokens = segments.last?.range.upperBound ?? 0
        reserve(tokens)
        embed(segments)
        for (index, layer) in model.layers.enumerated() {
            attend(layer, index, segments, tokens)
            feedForward(layer, tokens)
            if let experts = layer.experts { try addExperts(experts, segments, tokens) }
        }
    }

    /// Runs a batch up to the router of a layer.
    mutating func routerInputs(
        _ segments: [ForwardPass.Segment], _ target: Int
    ) throws(ModelError) -> [Float] {
        let tokens = segments.last?.range.upperBound ?? 0
        reserve(tokens)
        embed(segments)
        for (index, layer) in model.layers.enumerated() {
            attend(layer, index, segments, tokens)
            feedForward(layer, tokens)
            guard let experts = layer.experts else { continue }
            if index == target {
                normalise(hidden, experts.norm, model.config.normEpsilon, tokens, into: &normed)
                return normed.array(0..<tokens * model.config.hiddenSize)
            }
            try addExperts(experts, segments, tokens)
        }
        preconditionFailure("layer \(target) has no experts")
    }

    private mutating func reserve(_ tokens: Int) {
        guard tokens > room else { return }
        room = tokens
        let (width, inner) = (model.config.hiddenSize, model.config.feedForwardSize)
        hidden = FloatBuffer(count: tokens * width)
        normed = FloatBuffer(count: tokens * width)
        queries = FloatBuffer(count: tokens * width)
        keys = FloatBuffer(count: tokens * width)
        mixed = FloatBuffer(count: tokens * width)
        gate = FloatBuffer(count: tokens * inner)
        up = FloatBuffer(count: tokens * inner)
    }

    private mutating func embed(_ segments: [ForwardPass.Segment]) {
        for segment in segments {
            for (token, byte) in zip(segment.range, segment.tokens) {
                copyRow(Int(byte), of: model.embedding, token, into: &hidden)
            }
        }
    }

    private mutating func attend(
        _ layer: PeerModel.Layer, _ index: Int, _ segments: [ForwardPass.Segment], _ tokens: Int
    ) {
        let config = model.config
        normalise(hidden, layer.attentionNorm, config.normEpsilon, tokens, into: &normed)
        project(layer.query, normed, tokens, into: &queries, team)
        project(layer.key, normed, tokens, into: &keys, team)
        project(layer.value, normed, tokens, into: &mixed, team)
        for segment in segments {
            rotate(&queries, segment, model)
            rotate(&keys, segment, model)
            let cache = segment.session.caches[index]
            store(keys: keys, values: mixed, in: cache, segment, config.hiddenSize)
        }
        // Only now, since what is read takes the place of the values.
        for segment in segments {
            read(
                segment.session.caches[index], queries, segment, config, into: &mixed, team)
        }
        project(layer.output, mixed, tokens, into: &normed, team)
        add(normed, tokens * config.hiddenSize, to: &hidden)
    }

    private mutating func feedForward(_ layer: PeerModel.Layer, _ tokens: Int) {
        let config = model.config
        normalise(hidden, layer.feedForwardNorm, config.normEpsilon, tokens, into: &normed)
        project(layer.gate, normed, tokens, into: &gate, team)
        project(layer.up, normed, tokens, into: &up, team)
        activate(&gate, up, tokens * config.feedForwardSize)
        project(layer.down, gate, tokens, into: &mixed, team)
        add(mixed, tokens * config.hiddenSize, to: &hidden)
    }

    private mutating func addExperts(
        _ experts: PeerModel.Experts, _ segments: [ForwardPass.Segment], _ tokens: Int
    ) throws(ModelError) {
        let config = model.config
        normalise(hidden, experts.norm, config.normEpsilon, tokens, into: &normed)
        var picked = picks.removeValue(forKey: experts.slot) ?? experts.router.noPicks
        route(experts.router, normed, tokens * config.hiddenSize, tokens, into: &picked, team)
        for segment in segments { segment.session.record(picked, experts, segment.range) }
        try addOutputs(
            experts, picked, normed, tokens * config.hiddenSize, tokens, into: &mixed, team)
        picks[experts.slot] = picked
        add(mixed, tokens * config.hiddenSize, to: &hidden)
    }

    /// The logits of some tokens of the batch, [tokens, 256].
    func logits(_ tokens: Range<Int>) -> [Float] {
        Models.logits(
            of: tokens, hidden, norm: model.finalNorm, model.config.normEpsilon, head: model.head,
            team)
    }
}

// A method that changes a value cannot lend one of its buffers while it writes another; functions of
// the buffers can.

/// Row `token` of out = a row of a matrix.
private func copyRow(
    _ row: Int, of matrix: Matrix, _ token: Int, into out: inout FloatBuffer
) {
    var span = out.mutableSpan(token * matrix.columns..<(token + 1) * matrix.columns)
    matrix.copyRow(row, into: &span)
}

/// Rotates a segment's queries or keys by its positions.
private func rotate(
    _ x: inout FloatBuffer, _ segment: ForwardPass.Segment, _ model: PeerModel
) {
    let width = model.config.hiddenSize
    var span = x.mutableSpan(
        segment.range.lowerBound * width..<segment.range.upperBound * width)
    model.rotation.rotate(
        &span, first: segment.session.position, heads: model.config.headCount)
}

/// Writes a segment's keys and values to a cache.
private func store(
    keys: borrowing FloatBuffer, values: borrowing FloatBuffer, in cache: Session.Cache,
    _ segment: ForwardPass.Segment, _ width: Int
) {
    let (first, capacity) = (segment.session.position, segment.session.capacity)
    let rows = segment.range.lowerBound * width..<segment.range.upperBound * width
    let (newKeys, newValues) = (keys.span(rows), values.span(rows))
    cache.change { keys, values in
        var columns = keys.mutableSpan(0..<keys.count)
        Kernels.storeKeys(
            newKeys, width: width, first: first, capacity: capacity, into: &columns)
        var kept = values.mutableSpan(first * width..<first * width + newValues.count)
        for index in newValues.indices { kept[index] = newValues[index] }
    }
}

/// What a segment's queries read from a cache.
private func read(
    _ cache: Session.Cache, _ queries: borrowing FloatBuffer, _ segment: ForwardPass.Segment,
    _ config: PeerConfig, into out: inout FloatBuffer, _ team: ThreadTeam
) {
    let width = config.hiddenSize
    let range = segment.range.lowerBound * width..<segment.range.upperBound * width
    var span = out.mutableSpan(range)
    let queries = queries.span(range)
    cache.read { keys, values in
        Kernels.attend(
            AttentionShape(heads: config.headCount, headSize: config.headSize), queries,
            keys: keys.span, values: values.span, first: segment.session.position,
            capacity: segment.session.capacity, into: &span, team: team)
    }
}

private func route(
    _ router: any Router, _ x: borrowing FloatBuffer, _ count: Int, _ tokens: Int,
    into picks: inout Picks, _ team: ThreadTeam
) {
    router.route(x.span(0..<count), tokens: tokens, into: &picks, team: team)
}

private func addOutputs(
    _ experts: PeerModel.Experts, _ picks: borrowing Picks, _ x: borrowing FloatBuffer,
    _ count: Int, _ tokens: Int, into out: inout FloatBuffer, _ team: ThreadTeam
) throws(ModelError) {
    var span = out.mutableSpan(0..<count)
    if let form = experts.form {
        return try experts.table.addGatedOutputs(
            form, of: picks, x.span(0..<count), into: &span, team: team)
    }
    try experts.table.addOutputs(
        of: picks, x.span(0..<count), tokens: tokens, into: &span, team: team)
}
