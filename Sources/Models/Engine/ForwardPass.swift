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

    /// The states of some tokens of the batch that ran last, as the head reads them, [tokens, hidden].
    func finalStates(_ tokens: Range<Int>) -> [Float] { activations.finalStates(tokens) }

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
    /// Of a part with norms in front and behind: the states, while `hidden` gathers what it gives.
    private var kept = FloatBuffer(count: 0)
    private var scratch = FloatBuffer(count: 0)
    /// [tokens, inner].
    private var gate = FloatBuffer(count: 0)
    private var up = FloatBuffer(count: 0)
    private var room = 0
    /// By slot.
    private var selection: [Selection]

    private var width: Int { model.description.hiddenSize }
    private var epsilon: Float { model.description.normEpsilon }
    private var multipliers: ModelDescription.Multipliers { model.description.multipliers }

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
                    read(block, count)
                    return normed.array(0..<count * width)
                }
                try feed(block, segments, count)
            }
        }
        preconditionFailure("layer \(target) has no experts")
    }

    /// Makes `normed` what a router reads, or else the feed-forward; the states are not kept.
    private mutating func read(_ block: LanguageModel.Block, _ count: Int) {
        guard case .experts(let experts) = block.feedForward, let norm = experts.routerNorm else {
            return enter(block.norm, after: nil, count)
        }
        normalise(hidden, norm, epsilon, count, into: &normed)
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
            copyRow(
                token, of: model.embedding, first + row, times: multipliers.embedding,
                into: &hidden)
        }
    }

    /// hidden += what attention or a feed-forward gave, normalised where it has a norm of its own.
    private mutating func addOutput(_ count: Int, by norm: LanguageModel.Norm? = nil) {
        if let norm {
            normalise(added, norm, epsilon, count, into: &scratch)
            swap(&added, &scratch)
        }
        scale(&added, count * width, by: multipliers.residual)
        add(added, count * width, to: &hidden)
    }

    /// Makes `normed` what attention or a feed-forward reads, and `hidden` what its output is added to: where a
    /// norm is of that output, zeros.
    private mutating func enter(
        _ norm: LanguageModel.Norm, after: LanguageModel.Norm?, _ count: Int
    ) {
        guard model.description.normsFollow else {
            normalise(hidden, norm, epsilon, count, into: &normed)
            guard after != nil else { return }
            swap(&hidden, &kept)
            return clear(&hidden, count * width)
        }
        swap(&hidden, &normed)
        clear(&hidden, count * width)
    }

    /// Makes `hidden` the states again.
    private mutating func leave(
        _ norm: LanguageModel.Norm, after: LanguageModel.Norm?, _ count: Int
    ) {
        if let after {
            normalise(hidden, after, epsilon, count, into: &added)
            swap(&hidden, &kept)
            return add(added, count * width, to: &hidden)
        }
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
        enter(layer.attentionNorm, after: layer.attentionNormAfter, count)
        attention.run(layer.attention, index, segments, normed, into: &added)
        addOutput(count)
        leave(layer.attentionNorm, after: layer.attentionNormAfter, count)
    }

    /// hidden += a block of hidden.
    private mutating func feed(
        _ block: LanguageModel.Block, _ segments: [ForwardPass.Segment], _ count: Int
    ) throws {
        enter(block.norm, after: block.normAfter, count)
        switch block.feedForward {
        case .dense(let dense): feedForward(dense, count)
        case .experts(let experts):
            if let norm = experts.routerNorm {
                normalise(kept, norm, epsilon, count, into: &scratch)
                route(
                    experts.router, scratch, count * width, count,
                    into: &selection[experts.slot], team)
            } else {
                route(
                    experts.router, normed, count * width, count,
                    into: &selection[experts.slot], team)
            }
            for segment in segments {
                segment.session.record(selection[experts.slot], experts.slot, segment.range)
            }
            try addExperts(experts, count)
        }
        leave(block.norm, after: block.normAfter, count)
        scale(&hidden, count * width, by: block.scale)
    }

    private mutating func reserve(_ tokens: Int) {
        guard tokens > room else { return }
        room = tokens
        hidden = FloatBuffer(count: tokens * width)
        normed = FloatBuffer(count: tokens * width)
        added = FloatBuffer(count: tokens * width)
        if model.layers.contains(where: { $0.attentionNormAfter != nil }) {
            kept = FloatBuffer(count: tokens * width)
            scratch = FloatBuffer(count: tokens * width)
        }
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
        _ dense: LanguageModel.Dense, _ count: Int, gatedBy share: (any Projection)? = nil,
        normAfter: LanguageModel.Norm? = nil
    ) {
        project(dense.gate, normed, count, into: &gate, team)
        project(dense.up, normed, count, into: &up, team)
        activate(&gate, up, count * dense.gate.rows, by: model.description.activation)
        project(dense.down, gate, count, into: &added, team)
        if let share {
            // The room for the inner elements is free again.
            project(share, normed, count, into: &gate, team)
            weigh(&added, by: &gate, count, width)
        }
        addOutput(count, by: normAfter)
    }

    /// hidden += the picked experts and the shared ones of normed.
    private mutating func addExperts(
        _ experts: LanguageModel.Experts, _ count: Int
    ) throws {
        try addOutputs(experts, selection[experts.slot], normed, count * width, count, &added, team)
        addOutput(count, by: experts.normAfter)
        guard let shared = experts.shared else { return }
        if let norm = shared.norm { normalise(kept, norm, epsilon, count, into: &normed) }
        feedForward(shared.dense, count, gatedBy: shared.gate, normAfter: shared.normAfter)
    }

    /// The logits of some tokens of the batch, [tokens, vocabulary].
    func logits(_ tokens: Range<Int>) -> [Float] {
        Models.logits(of: tokens, hidden, model, team)
    }

    /// The states of some tokens of the batch as the head reads them.
    func finalStates(_ tokens: Range<Int>) -> [Float] {
        let states = Models.finalStates(of: tokens, hidden, model)
        return states.array(0..<states.count)
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
        read(block, count)
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
        return Models.logits(of: 0..<states.count / width, behind, model, team)
    }
}
