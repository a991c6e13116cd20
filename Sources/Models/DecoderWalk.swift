internal import Architectures
internal import Elements
internal import Tensors

/// Runs several texts through a decoder, all of them through one layer before the next: so a layer may be
/// changed when it is known what it reads.
///
/// The bits are those of a session for each text. Not to be shared between threads.
final class DecoderWalk {
    private let model: DecoderModel
    private let pass: DecoderPass
    /// Of each text [tokens, hidden].
    private var states: [[Float]]
    /// What the present layer's feed-forward reads, of each text [tokens, hidden].
    private(set) var inputs: [[Float]] = []

    /// - Parameter texts: Of one token to a block of a session, each in the vocabulary.
    init(_ model: DecoderModel, _ texts: [[Int]], team: ThreadTeam) {
        self.model = model
        pass = DecoderPass(model, team: team)
        let pass = pass
        states = texts.map { pass.embedded($0[...]) }
    }

    /// Runs the attention of a layer.
    func attend(_ layer: Int) {
        let cache =
            switch model.layers[layer].attention {
            case .grouped(let grouped): KeyValueCache(grouped.shape)
            case .latent(let latent): KeyValueCache(latent.shape)
            }
        inputs = []
        for text in states.indices { inputs.append(pass.attend(layer, &states[text], cache)) }
    }

    /// Runs the feed-forward behind ``attend(_:)``: the layer's own, or another in its place.
    ///
    /// - Returns: Of each text the picks, [tokens, topK]; empty for a dense layer.
    func feed(_ feedForward: DecoderModel.FeedForward) throws(ModelError) -> [[UInt32]] {
        var picks: [[UInt32]] = []
        for text in states.indices {
            picks.append(try pass.feed(feedForward, inputs[text], &states[text]))
        }
        return picks
    }

    /// Behind the last layer: minus the sum over the tokens of a text but its first of the natural logarithm
    /// of their probability.
    func nats(_ text: Int, _ tokens: [Int]) -> Double {
        let logits = pass.logits(of: states[text])
        let vocabulary = model.description.vocabularySize
        return tokens.indices.dropFirst().reduce(0) { sum, position in
            let row = logits.span.extracting(
                (position - 1) * vocabulary..<position * vocabulary)
            return sum + Kernels.crossEntropy(row, target: tokens[position])
        }
    }
}
