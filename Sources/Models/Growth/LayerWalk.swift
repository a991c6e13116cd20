internal import Architectures
internal import Elements
internal import Tensors

/// Runs several texts through a model, all of them through one layer before the next: so a layer may be
/// changed when it is known what it reads.
///
/// The bits are those of a session for each text. Not to be shared between threads.
final class LayerWalk {
    private let model: LanguageModel
    private let pass: ForwardPass
    private let texts: [[Int]]
    /// Of each text [tokens, hidden].
    private(set) var states: [[Float]]
    /// What the feed-forward reads that runs next, of each text [tokens, hidden].
    private(set) var inputs: [[Float]] = []

    /// - Parameter texts: Of one token to a block of a session, each in the vocabulary.
    init(_ model: LanguageModel, _ texts: [[Int]], team: ThreadTeam) {
        self.model = model
        self.texts = texts
        pass = ForwardPass(model, team: team)
        let pass = pass
        states = texts.map { pass.embedded($0[...]) }
    }

    /// Runs the attention of a layer.
    func attend(_ layer: Int) throws {
        // Of the layer's cache alone room is made; every text starts at position 0.
        let session = Session(model, pass: pass)
        for (index, text) in texts.enumerated() {
            let segment = ForwardPass.Segment(session: session, tokens: text[...], start: 0)
            try pass.attend(layer, segment, &states[index])
        }
    }

    /// Finds what a block of the layer reads.
    func read(_ block: LanguageModel.Block) {
        let (pass, states) = (pass, states)
        inputs = states.map { pass.inputs(block, $0) }
    }

    /// Runs a block.
    ///
    /// - Returns: Of each text the picks, [tokens, topK]; empty for a dense one.
    func feed(_ block: LanguageModel.Block) throws -> [[UInt32]] {
        var selection: [[UInt32]] = []
        for text in states.indices { selection.append(try pass.feed(block, &states[text])) }
        return selection
    }

    /// What the states would be behind a block, of each text [tokens, hidden]; they stay what they are.
    func states(behind block: LanguageModel.Block) throws -> [[Float]] {
        var all = states
        for text in all.indices { _ = try pass.feed(block, &all[text]) }
        return all
    }

    /// Behind the last layer: of each token of a text but the first minus the natural logarithm of its probability.
    func nats(_ text: Int, _ tokens: [Int]) -> [Double] {
        let logits = pass.logits(of: states[text])
        let vocabulary = model.description.vocabularySize
        return tokens.indices.dropFirst().map { position in
            let row = logits.span.extracting(
                (position - 1) * vocabulary..<position * vocabulary)
            return Kernels.crossEntropy(row, target: tokens[position])
        }
    }
}
