internal import Architectures
package import Elements
internal import Tensors

/// How well a model predicts tokens.
package struct TokenEvaluation: Sendable {
    /// Minus the sum of the natural logarithms of the predicted tokens' probabilities.
    package let nats: Double
    /// Tokens that were predicted.
    package let predictions: Int
    package let windows: Int
    /// Picks of all windows.
    package let usage: ExpertUsage
}

extension DecoderModel {
    /// The longest window that a text is cut into; shorter contexts are read whole.
    package static let longestWindow = 1024

    /// How well tokens are predicted in full windows of the context length, at most ``longestWindow``, that do
    /// not overlap: in each, every token but the first from those before it.
    ///
    /// The result does not depend on `threads`.
    ///
    /// - Parameter progress: Called with the windows done and all windows, at least once.
    /// - Throws: `.badInput` for fewer tokens than a window or one that the vocabulary lacks; `.notFinite`;
    ///   what reading an expert throws.
    package func evaluate(
        _ tokens: [Int], threads: Int = 1, progress: (_ done: Int, _ all: Int) -> Void = { _, _ in }
    ) throws(ModelError) -> TokenEvaluation {
        let size = min(description.contextLength, Self.longestWindow)
        let windows = tokens.count / size
        guard windows > 0, size > 1 else {
            throw ModelError(
                .badInput,
                "the text has \(tokens.count) tokens to evaluate; one window needs \(max(size, 2))")
        }
        let vocabulary = description.vocabularySize
        if let token = tokens.first(where: { $0 < 0 || $0 >= vocabulary }) {
            throw ModelError(
                .badInput, "there is no token \(token); the vocabulary has 0 to \(vocabulary - 1)")
        }
        let session = DecoderSession(self, pass: DecoderPass(self, team: try team(threads)))
        var nats = 0.0
        progress(0, windows)
        for window in 0..<windows {
            session.reset()
            let start = window * size
            let logits = try session.append(
                Array(tokens[start..<start + size - 1]), logits: .all)
            for position in 0..<size - 1 {
                let row = logits.span.extracting(
                    position * vocabulary..<(position + 1) * vocabulary)
                let loss = Kernels.crossEntropy(row, target: tokens[start + position + 1])
                guard loss.isFinite else {
                    throw ModelError(
                        .notFinite,
                        "the logits for token \(start + position + 1) of the text are not finite")
                }
                nats += loss
            }
            progress(window + 1, windows)
        }
        return TokenEvaluation(
            nats: nats, predictions: windows * (size - 1), windows: windows, usage: session.usage)
    }
}
