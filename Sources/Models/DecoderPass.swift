internal import Architectures
internal import Elements
internal import Routing
package import Tensors

/// The layers of a decoder with their working memory: runs adjacent tokens of a text through them together.
///
/// What a token gives depends on its text alone: every kernel runs in fixed order, so neither what runs
/// beside it, nor the threads, nor the CPU changes a bit. Not to be shared between threads.
package final class DecoderPass {
    package let model: DecoderModel
    private var activations: DecoderActivations

    package init(_ model: DecoderModel, team: ThreadTeam = .single) {
        self.model = model
        activations = DecoderActivations(model, team)
    }

    /// Runs tokens through the layers; afterwards the session's caches hold them.
    ///
    /// The session's position is not moved.
    func run(_ tokens: ArraySlice<Int>, of session: DecoderSession) throws(ModelError) {
        try activations.run(tokens, session)
    }

    /// The logits of some tokens of those that ran last, [tokens, vocabulary].
    func logits(_ tokens: Range<Int>) -> [Float] { activations.logits(tokens) }

    // MARK: Layer by layer

    /// The states in front of the first layer, [tokens, hidden].
    func embedded(_ tokens: ArraySlice<Int>) -> [Float] { activations.embedded(tokens) }

    /// Runs the attention of one layer over a text from its start.
    ///
    /// - Parameter states: [tokens, hidden]; changed.
    /// - Returns: What the layer's feed-forward reads, [tokens, hidden].
    func attend(_ layer: Int, _ states: inout [Float], _ cache: KeyValueCache) -> [Float] {
        activations.attend(layer, &states, cache)
    }

    /// Runs the feed-forward of one layer, or another in its place.
    ///
    /// - Parameters:
    ///   - inputs: As ``attend(_:_:_:)`` gave them.
    ///   - states: [tokens, hidden]; changed.
    /// - Returns: The experts that were picked, [tokens, topK]; empty for a dense layer.
    func feed(
        _ feedForward: DecoderModel.FeedForward, _ inputs: [Float], _ states: inout [Float]
    ) throws(ModelError) -> [UInt32] {
        try activations.feed(feedForward, inputs, &states)
    }

    /// The logits of states behind the last layer, [tokens, vocabulary].
    func logits(of states: [Float]) -> [Float] { activations.logits(of: states) }
}

/// What the layers compute for one batch after the other.
private struct DecoderActivations: ~Copyable {
    private let model: DecoderModel
    private let team: ThreadTeam
    private var attention: AttentionStep
    /// [tokens, hidden].
    private var hidden = FloatBuffer(count: 0)
    private var normed = FloatBuffer(count: 0)
    private var added = FloatBuffer(count: 0)
    /// [tokens, inner].
    private var gate = FloatBuffer(count: 0)
    private var up = FloatBuffer(count: 0)
    private var room = 0
    private var picks: [Picks]

    init(_ model: DecoderModel, _ team: ThreadTeam) {
        self.model = model
        self.team = team
        attention = AttentionStep(model, team)
        picks = model.experts.map { $0.router.noPicks }
    }

    mutating func run(_ tokens: ArraySlice<Int>, _ session: DecoderSession) throws(ModelError) {
        let count = tokens.count
        embed(tokens)
        attention.begin(count, position: session.position)
        for (index, layer) in model.layers.enumerated() {
            attend(layer, session.caches[index], count)
            switch layer.feedForward {
            case .dense(let dense): feedForward(dense, count)
            case .experts(let experts):
                route(experts.router, normed, count, into: &picks[experts.slot], team)
                session.record(picks[experts.slot], experts.slot)
                try addExperts(experts, count)
            }
        }
    }

    mutating func embedded(_ tokens: ArraySlice<Int>) -> [Float] {
        embed(tokens)
        return hidden.array(0..<tokens.count * model.description.hiddenSize)
    }

    mutating func attend(
        _ layer: Int, _ states: inout [Float], _ cache: KeyValueCache
    ) -> [Float] {
        let count = states.count / model.description.hiddenSize
        reserve(count)
        copy(states, into: &hidden)
        attention.begin(count, position: 0)
        attend(model.layers[layer], cache, count)
        states = hidden.array(0..<states.count)
        return normed.array(0..<states.count)
    }

    mutating func feed(
        _ layer: DecoderModel.FeedForward, _ inputs: [Float], _ states: inout [Float]
    ) throws(ModelError) -> [UInt32] {
        let count = states.count / model.description.hiddenSize
        reserve(count)
        copy(states, into: &hidden)
        copy(inputs, into: &normed)
        var picked: [UInt32] = []
        switch layer {
        case .dense(let dense): feedForward(dense, count)
        case .experts(let experts):
            route(experts.router, normed, count, into: &picks[experts.slot], team)
            picked = picks[experts.slot].experts
            try addExperts(experts, count)
        }
        states = hidden.array(0..<states.count)
        return picked
    }

    func logits(of states: [Float]) -> [Float] {
        var behind = FloatBuffer(count: states.count)
        copy(states, into: &behind)
        return Models.logits(
            of: 0..<states.count / model.description.hiddenSize, behind, norm: model.finalNorm,
            model.description.normEpsilon, head: model.head, team)
    }

    private mutating func embed(_ tokens: ArraySlice<Int>) {
        reserve(tokens.count)
        for (row, token) in tokens.enumerated() {
            copyRow(token, of: model.embedding, row, into: &hidden)
        }
    }

    /// hidden += what the tokens read; normed = what the feed-forward reads.
    private mutating func attend(
        _ layer: DecoderModel.Layer, _ cache: KeyValueCache, _ count: Int
    ) {
        let description = model.description
        normalise(hidden, layer.attentionNorm, description.normEpsilon, count, into: &normed)
        attention.run(layer.attention, cache, normed, into: &added)
        add(added, count * description.hiddenSize, to: &hidden)
        normalise(hidden, layer.feedForwardNorm, description.normEpsilon, count, into: &normed)
    }

    private mutating func reserve(_ tokens: Int) {
        guard tokens > room else { return }
        room = tokens
        let width = model.description.hiddenSize
        hidden = FloatBuffer(count: tokens * width)
        normed = FloatBuffer(count: tokens * width)
        added = FloatBuffer(count: tokens * width)
        let inner = model.layers.reduce(0) { most, layer in
            switch layer.feedForward {
            case .dense(let dense): max(most, dense.gate.rows)
            case .experts(let experts): max(most, experts.shared?.gate.rows ?? 0)
            }
        }
        gate = FloatBuffer(count: tokens * inner)
        up = FloatBuffer(count: tokens * inner)
    }

    /// hidden += the dense layer of normed.
    private mutating func feedForward(_ dense: DecoderModel.Dense, _ count: Int) {
        project(dense.gate, normed, count, into: &gate, team)
        project(dense.up, normed, count, into: &up, team)
        activate(&gate, up, count * dense.gate.rows)
        project(dense.down, gate, count, into: &added, team)
        add(added, count * model.description.hiddenSize, to: &hidden)
    }

    /// hidden += the picked experts and the shared ones of normed.
    private mutating func addExperts(
        _ experts: DecoderModel.Experts, _ count: Int
    ) throws(ModelError) {
        try addOutputs(experts, picks[experts.slot], normed, into: &added, team)
        add(added, count * model.description.hiddenSize, to: &hidden)
        if let shared = experts.shared { feedForward(shared, count) }
    }

    func logits(_ tokens: Range<Int>) -> [Float] {
        Models.logits(
            of: tokens, hidden, norm: model.finalNorm, model.description.normEpsilon,
            head: model.head,
            team)
    }
}

// A method that changes a value cannot lend one of its buffers while it writes another; functions of
// the buffers can.

private func copyRow(_ row: Int, of matrix: RowMatrix, _ token: Int, into out: inout FloatBuffer) {
    var span = out.mutableSpan(token * matrix.columns..<(token + 1) * matrix.columns)
    matrix.copyRow(row, into: &span)
}

private func copy(_ values: [Float], into out: inout FloatBuffer) {
    var span = out.mutableSpan(0..<values.count)
    for index in values.indices { span[index] = values[index] }
}

private func route(
    _ router: LinearRouter, _ x: borrowing FloatBuffer, _ tokens: Int, into picks: inout Picks,
    _ team: ThreadTeam
) {
    router.route(
        x.span(0..<tokens * router.width), tokens: tokens, into: &picks, team: team)
}

/// out = the sum of what a token's picks make of x.
private func addOutputs(
    _ experts: DecoderModel.Experts, _ picks: borrowing Picks, _ x: borrowing FloatBuffer,
    into out: inout FloatBuffer, _ team: ThreadTeam
) throws(ModelError) {
    let count = picks.tokens * experts.form.width
    var span = out.mutableSpan(0..<count)
    try experts.table.addGatedOutputs(
        experts.form, of: picks, x.span(0..<count), into: &span, team: team)
}
