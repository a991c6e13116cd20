internal import Architectures
internal import Elements
internal import Routing
internal import Tensors

/// What the layers compute for one batch after the other.
struct Activations: ~Copyable {
    private let model: LanguageModel
    private let team: ThreadTeam
    private var attention: AttentionStep
    /// [tokens, hidden], grown to the largest batch so far.
    private var hidden = FloatBuffer(count: 0)
    /// Those of the whole batch, while `hidden` has those of a part of it.
    private var states = FloatBuffer(count: 0)
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
    private(set) var counts = (run: 0, alone: 0)
    /// Of the batch.
    private var modelCount = 0

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
        _ = begin(segments)
        // Mostly all are of one model, and there is nothing to compare.
        let whole = modelCount > 1 ? nil : BatchPart.whole(segments)
        func parts(_ content: (LanguageModel) -> PartContent) -> [BatchPart] {
            whole ?? BatchPart.all(segments, content)
        }
        for (index, layer) in model.layers.enumerated() {
            if layer.rows != nil {
                try each(parts { $0.layers[index].rows?.content ?? .alone }) {
                    guard let rows = $1.model.layers[index].rows else { return }
                    try $0.addRows(rows, $1.segments, $1.count)
                }
            }
            try each(parts { $0.layers[index].content }) {
                $0.attend($1.model.layers[index], index, $1.segments, $1.count)
            }
            for place in layer.blocks.indices {
                try each(parts { $0.layers[index].blocks[place].content }) {
                    try $0.feed(
                        $1.model.layers[index].blocks[place], $1.segments, $1.count,
                        whole == nil ? $1.pools(index, place) : [])
                }
            }
        }
    }

    /// Runs what the texts of each part have in common; `hidden` has their states meanwhile.
    private mutating func each(
        _ parts: [BatchPart], _ run: (inout Activations, BatchPart) throws -> Void
    ) throws {
        counts.run += parts.count
        counts.alone += modelCount
        guard parts.count > 1 else {
            for part in parts { try run(&self, part) }
            return
        }
        if states.count < hidden.count { states = FloatBuffer(count: hidden.count) }
        swap(&hidden, &states)
        for part in parts {
            for (segment, origin) in zip(part.segments, part.origins) {
                copyRows(
                    states, origin, segment.tokens.count, width, to: segment.start, of: &hidden)
            }
            try run(&self, part)
            for (segment, origin) in zip(part.segments, part.origins) {
                copyRows(
                    hidden, segment.start, segment.tokens.count, width, to: origin, of: &states)
            }
        }
        swap(&hidden, &states)
    }

    /// Runs a batch up to the router of a layer.
    mutating func routerInputs(
        _ segments: [ForwardPass.Segment], _ target: Int
    ) throws -> [Float] {
        let count = begin(segments)
        for (index, layer) in model.layers.enumerated() {
            if let rows = layer.rows { try addRows(rows, segments, count) }
            attend(layer, index, segments, count)
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
        modelCount = Set(segments.map { ObjectIdentifier($0.session.model.identity) }).count
        for segment in segments {
            embed(segment.tokens, by: segment.session.model, from: segment.start)
        }
        return count
    }

    private mutating func embed(
        _ tokens: ArraySlice<Int>, by model: LanguageModel, from first: Int
    ) {
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

    /// hidden += what the tokens read.
    private mutating func attend(
        _ layer: LanguageModel.Layer, _ index: Int, _ segments: [ForwardPass.Segment], _ count: Int
    ) {
        attention.begin(segments, count)
        enter(layer.attentionNorm, after: layer.attentionNormAfter, count)
        attention.run(layer.attention, index, segments, normed, into: &added)
        addOutput(count)
        leave(layer.attentionNorm, after: layer.attentionNormAfter, count)
    }

    /// hidden += a block of hidden.
    ///
    /// - Parameter pools: Whose experts the tokens pick among; the block's own for none.
    private mutating func feed(
        _ block: LanguageModel.Block, _ segments: [ForwardPass.Segment], _ count: Int,
        _ pools: [ExpertRun] = []
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
            try addExperts(experts, count, pools)
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
        _ experts: LanguageModel.Experts, _ count: Int, _ pools: [ExpertRun]
    ) throws {
        try addOutputs(
            experts, pools, selection[experts.slot], normed, count * width, count, &added, team)
        addOutput(count, by: experts.normAfter)
        guard let shared = experts.shared else { return }
        if let norm = shared.norm { normalise(kept, norm, epsilon, count, into: &normed) }
        feedForward(shared.dense, count, gatedBy: shared.gate, normAfter: shared.normAfter)
    }

    /// The logits of a segment of the batch, [tokens, vocabulary].
    func logits(_ segment: ForwardPass.Segment) -> [Float] {
        Models.logits(of: segment.range, hidden, segment.session.model, team)
    }

    /// The logits behind the last token of segments of the batch, [vocabulary] each.
    func lastLogits(_ segments: [ForwardPass.Segment]) -> [[Float]] {
        var found = [[Float]](repeating: [], count: segments.count)
        for part in BatchPart.all(segments, { $0.headContent }) {
            var last = FloatBuffer(count: part.segments.count * width)
            for (row, (segment, origin)) in zip(part.segments, part.origins).enumerated() {
                copyRows(hidden, origin + segment.tokens.count - 1, 1, width, to: row, of: &last)
            }
            let all = Models.logits(of: 0..<part.segments.count, last, part.model, team)
            let size = part.model.head.rows
            for (row, origin) in part.origins.enumerated() {
                guard let place = segments.firstIndex(where: { $0.start == origin }) else {
                    continue
                }
                found[place] = Array(all[row * size..<(row + 1) * size])
            }
        }
        return found
    }

    /// The states of some tokens of the batch as the head reads them.
    func finalStates(_ tokens: Range<Int>) -> [Float] {
        let states = Models.finalStates(of: tokens, hidden, model)
        return states.array(0..<states.count)
    }

    // MARK: Layer by layer

    mutating func embedded(_ tokens: ArraySlice<Int>) -> [Float] {
        reserve(tokens.count)
        embed(tokens, by: model, from: 0)
        return hidden.array(0..<tokens.count * width)
    }

    mutating func attend(
        _ layer: Int, _ segment: ForwardPass.Segment, _ states: inout [Float]
    ) throws {
        let count = segment.tokens.count
        reserve(count)
        copy(states, into: &hidden)
        if let rows = model.layers[layer].rows { try addRows(rows, [segment], count) }
        attend(model.layers[layer], layer, [segment], count)
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
