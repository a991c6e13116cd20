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
        let tokens: ArraySlice<Int>
        /// Of the segment's first token among all of the batch.
        let start: Int

        var range: Range<Int> { start..<start + tokens.count }
    }

    package let model: LanguageModel
    private var activations: Activations

    package init(_ model: LanguageModel, team: ThreadTeam = .single) {
        self.model = model
        activations = Activations(model, team)
    }

    /// Runs segments through the layers; afterwards the sessions' caches hold them.
    ///
    /// The sessions' positions are not moved.
    func run(_ segments: [Segment]) throws { try activations.run(segments) }

    /// Runs segments up to the router of a layer with experts and no further.
    ///
    /// The sessions' positions are not moved; the caches of the layers above hold nothing of them.
    ///
    /// - Returns: What the router reads, [tokens, hidden].
    func routerInputs(_ segments: [Segment], layer: Int) throws -> [Float] {
        try activations.routerInputs(segments, layer)
    }

    /// The logits of some tokens of the batch that ran last, [tokens, vocabulary].
    func logits(_ tokens: Range<Int>) -> [Float] { activations.logits(tokens) }

    // MARK: Layer by layer

    /// The states in front of the first layer, [tokens, hidden].
    func embedded(_ tokens: ArraySlice<Int>) -> [Float] { activations.embedded(tokens) }

    /// Runs the attention of one layer over a segment.
    ///
    /// - Parameter states: [tokens, hidden]; changed.
    func attend(_ layer: Int, _ segment: Segment, _ states: inout [Float]) throws {
        try activations.attend(layer, segment, &states)
    }

    /// What the feed-forward of a block reads, [tokens, hidden].
    func inputs(_ block: LanguageModel.Block, _ states: [Float]) -> [Float] {
        activations.inputs(block, states)
    }

    /// Runs a block.
    ///
    /// - Parameter states: [tokens, hidden]; changed.
    /// - Returns: The experts that were picked, [tokens, heads, topK]; empty for a dense one.
    func feed(_ block: LanguageModel.Block, _ states: inout [Float]) throws -> [UInt32] {
        try activations.feed(block, &states)
    }

    /// The logits of states behind the last layer, [tokens, vocabulary].
    func logits(of states: [Float]) -> [Float] { activations.logits(of: states) }
}

/// What the layers compute for one batch after the other.
private struct Activations: ~Copyable {
    private let model: LanguageModel
    private let team: ThreadTeam
    private var attention: AttentionStep
    /// [tokens, hidden], grown to the largest batch so far.
    private var hidden = FloatBuffer(count: 0)
    private var normed = FloatBuffer(count: 0)
    private var added = FloatBuffer(count: 0)
    /// [tokens, inner].
    private var gate = FloatBuffer(count: 0)
    private var up = FloatBuffer(count: 0)
    private var room = 0
    /// By slot.
    private var selection: [Selection]

    private var width: Int { model.description.hiddenSize }
    private var epsilon: Float { model.description.normEpsilon }

    init(_ model: LanguageModel, _ team: ThreadTeam) {
        self.model = model
        self.team = team
        attention = AttentionStep(model, team)
        selection = model.slots.map { Selection(heads: $0.heads, topK: $0.topK) }
    }

    /// Runs a batch through the layers.
    mutating func run(_ segments: [ForwardPass.Segment]) throws {
        let count = begin(segments)
        for (index, layer) in model.layers.enumerated() {
            try attend(layer, index, segments, count)
            for block in layer.blocks { try feed(block, segments, count) }
        }
    }

    /// Runs a batch up to the router of a layer.
    mutating func routerInputs(
        _ segments: [ForwardPass.Segment], _ target: Int
    ) throws -> [Float] {
        let count = begin(segments)
        for (index, layer) in model.layers.enumerated() {
            try attend(layer, index, segments, count)
            for block in layer.blocks {
                if index == target, case .experts = block.feedForward {
                    enter(block.norm, count)
                    return normed.array(0..<count * width)
                }
                try feed(block, segments, count)
            }
        }
        preconditionFailure("layer \(target) has no experts")
    }

    /// Makes room for a batch, and its first states.
    ///
    /// - Returns: Its tokens.
    private mutating func begin(_ segments: [ForwardPass.Segment]) -> Int {
        let count = segments.last?.range.upperBound ?? 0
        reserve(count)
        attention.begin(segments, count)
        for segment in segments { embed(segment.tokens, from: segment.start) }
        return count
    }

    private mutating func embed(_ tokens: ArraySlice<Int>, from first: Int) {
        for (row, token) in tokens.enumerated() {
            copyRow(token, of: model.embedding, first + row, into: &hidden)
        }
    }

    /// Makes `normed` what attention or a feed-forward reads, and `hidden` what its output is added to: where the
    /// norm is of that output, zeros.
    private mutating func enter(_ norm: [Float], _ count: Int) {
        guard model.description.normsFollow else {
            return normalise(hidden, norm, epsilon, count, into: &normed)
        }
        swap(&hidden, &normed)
        clear(&hidden, count * width)
    }

    /// Makes `hidden` the states again.
    private mutating func leave(_ norm: [Float], _ count: Int) {
        guard model.description.normsFollow else { return }
        normalise(hidden, norm, epsilon, count, into: &added)
        swap(&hidden, &normed)
        add(added, count * width, to: &hidden)
    }

    /// hidden += the rows of the last tokens.
    private mutating func addRows(
        _ rows: LanguageModel.Rows, _ segments: [ForwardPass.Segment], _ count: Int
    ) throws {
        selection[rows.slot].replace(
            rows.router,
            texts: segments.map { ($0.tokens.map { UInt8($0) }, $0.session.history) })
        for segment in segments {
            segment.session.record(selection[rows.slot], rows.slot, segment.range)
        }
        for (table, form) in rows.tables {
            try addPicked(table, form, selection[rows.slot], count, &hidden)
        }
    }

    /// hidden += what is in front of the layer, and then what the tokens read.
    private mutating func attend(
        _ layer: LanguageModel.Layer, _ index: Int, _ segments: [ForwardPass.Segment], _ count: Int
    ) throws {
        if let rows = layer.rows { try addRows(rows, segments, count) }
        enter(layer.attentionNorm, count)
        attention.run(layer.attention, index, segments, normed, into: &added)
        add(added, count * width, to: &hidden)
        leave(layer.attentionNorm, count)
    }

    /// hidden += a block of hidden.
    private mutating func feed(
        _ block: LanguageModel.Block, _ segments: [ForwardPass.Segment], _ count: Int
    ) throws {
        enter(block.norm, count)
        switch block.feedForward {
        case .dense(let dense): feedForward(dense, count)
        case .experts(let experts):
            route(
                experts.router, normed, count * width, count, into: &selection[experts.slot], team)
            for segment in segments {
                segment.session.record(selection[experts.slot], experts.slot, segment.range)
            }
            try addExperts(experts, count)
        }
        leave(block.norm, count)
    }

    private mutating func reserve(_ tokens: Int) {
        guard tokens > room else { return }
        room = tokens
        hidden = FloatBuffer(count: tokens * width)
        normed = FloatBuffer(count: tokens * width)
        added = FloatBuffer(count: tokens * width)
        let intermediateSize = model.layers.lazy.flatMap(\.blocks).reduce(0) { most, block in
            switch block.feedForward {
            case .dense(let dense): max(most, dense.gate.rows)
            case .experts(let experts): max(most, experts.shared?.dense.gate.rows ?? 0)
            }
        }
        gate = FloatBuffer(count: tokens * intermediateSize)
        up = FloatBuffer(count: tokens * intermediateSize)
    }

    /// hidden += the dense layer of normed.
    ///
    /// - Parameter share: Of one row; the sigmoid of its product says how much of the output counts. Nil for all.
    private mutating func feedForward(
        _ dense: LanguageModel.Dense, _ count: Int, gatedBy share: (any Projection)? = nil
    ) {
        project(dense.gate, normed, count, into: &gate, team)
        project(dense.up, normed, count, into: &up, team)
        activate(&gate, up, count * dense.gate.rows)
        project(dense.down, gate, count, into: &added, team)
        if let share {
            // The room for the inner elements is free again.
            project(share, normed, count, into: &gate, team)
            weigh(&added, by: &gate, count, width)
        }
        add(added, count * width, to: &hidden)
    }

    /// hidden += the picked experts and the shared ones of normed.
    private mutating func addExperts(
        _ experts: LanguageModel.Experts, _ count: Int
    ) throws {
        try addOutputs(experts, selection[experts.slot], normed, count * width, count, &added, team)
        add(added, count * width, to: &hidden)
        if let shared = experts.shared { feedForward(shared.dense, count, gatedBy: shared.gate) }
    }

    /// The logits of some tokens of the batch, [tokens, vocabulary].
    func logits(_ tokens: Range<Int>) -> [Float] {
        Models.logits(
            of: tokens, hidden, norm: model.finalNorm, epsilon, head: model.head, team)
    }

    // MARK: Layer by layer

    mutating func embedded(_ tokens: ArraySlice<Int>) -> [Float] {
        reserve(tokens.count)
        embed(tokens, from: 0)
        return hidden.array(0..<tokens.count * width)
    }

    mutating func attend(
        _ layer: Int, _ segment: ForwardPass.Segment, _ states: inout [Float]
    ) throws {
        let count = segment.tokens.count
        reserve(count)
        copy(states, into: &hidden)
        attention.begin([segment], count)
        try attend(model.layers[layer], layer, [segment], count)
        states = hidden.array(0..<states.count)
    }

    mutating func inputs(_ block: LanguageModel.Block, _ states: [Float]) -> [Float] {
        let count = states.count / width
        reserve(count)
        copy(states, into: &hidden)
        enter(block.norm, count)
        return normed.array(0..<states.count)
    }

    mutating func feed(
        _ block: LanguageModel.Block, _ states: inout [Float]
    ) throws -> [UInt32] {
        let count = states.count / width
        reserve(count)
        copy(states, into: &hidden)
        try feed(block, [], count)
        states = hidden.array(0..<states.count)
        guard case .experts(let experts) = block.feedForward else { return [] }
        return selection[experts.slot].experts
    }

    func logits(of states: [Float]) -> [Float] {
        var behind = FloatBuffer(count: states.count)
        copy(states, into: &behind)
        return Models.logits(
            of: 0..<states.count / width, behind, norm: model.finalNorm, epsilon,
            head: model.head, team)
    }
}

// A method that changes a value cannot lend one of its buffers while it writes another; functions of
// the buffers can.

/// Row `token` of out = a row of a matrix.
private func copyRow(
    _ row: Int, of matrix: RowMatrix, _ token: Int, into out: inout FloatBuffer
) {
    var span = out.mutableSpan(token * matrix.columns..<(token + 1) * matrix.columns)
    matrix.copyRow(row, into: &span)
}

private func copy(_ values: [Float], into out: inout FloatBuffer) {
    var span = out.mutableSpan(0..<values.count)
    for index in values.indices { span[index] = values[index] }
}

private func route(
    _ router: any Router, _ x: borrowing FloatBuffer, _ count: Int, _ tokens: Int,
    into selection: inout Selection, _ team: ThreadTeam
) {
    router.route(x.span(0..<count), tokens: tokens, into: &selection, team: team)
}

/// out += the rows that tokens picked.
private func addPicked(
    _ table: any ExpertTable, _ form: RowForm, _ selection: borrowing Selection, _ tokens: Int,
    _ out: inout FloatBuffer
) throws {
    var span = out.mutableSpan(0..<tokens * form.width)
    try table.addRows(form, of: selection, into: &span)
}

/// out = the sum of what a token's picks make of x.
private func addOutputs(
    _ experts: LanguageModel.Experts, _ selection: borrowing Selection, _ x: borrowing FloatBuffer,
    _ count: Int, _ tokens: Int, _ out: inout FloatBuffer, _ team: ThreadTeam
) throws {
    var span = out.mutableSpan(0..<count)
    if let form = experts.form {
        return try experts.table.addGatedOutputs(
            form, of: selection, x.span(0..<count), into: &span, team: team)
    }
    try experts.table.addOutputs(
        of: selection, x.span(0..<count), tokens: tokens, into: &span, team: team)
}
