internal import Architectures
internal import Elements
internal import Routing
package import Tensors

/// The layers of a model with their working memory: runs tokens of one or several texts through them
/// together.
///
/// Texts may be of several models of one structure (see `ModelDescription.structure`): what these have in common runs once
/// for all of them.
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

    /// One of the models whose texts it runs.
    package let model: LanguageModel
    private var activations: Activations
    /// Parts of models that ran, and how many would have if each model had run alone.
    package var counts: (run: Int, alone: Int) { activations.counts }

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

    /// The logits of a segment of the batch that ran last, [tokens, vocabulary].
    func logits(_ segment: Segment) -> [Float] { activations.logits(segment) }

    /// The logits behind the last token of segments of the batch that ran last, [vocabulary] each.
    func lastLogits(_ segments: [Segment]) -> [[Float]] { activations.lastLogits(segments) }

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
