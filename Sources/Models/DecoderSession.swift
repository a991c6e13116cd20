internal import Architectures
package import Elements
internal import Routing

/// One text on its way through a decoder: the key-value cache and what the tokens picked.
///
/// Not to be shared between threads.
package final class DecoderSession {
    /// Tokens that run through the layers together; longer input is cut into blocks of this size.
    static let blockSize = 256

    package let model: DecoderModel
    /// Tokens in the cache: the position of the next one.
    package private(set) var position = 0
    /// What was picked since the session was made; `reset` keeps it.
    package private(set) var usage: ExpertUsage
    /// Whether `picks` is kept; off at first, since it takes time.
    package var countsPicks = false
    /// How often each expert was picked, by layer number, as far as it was counted.
    package private(set) var picks: [Int: [UInt32: Int]] = [:]
    let caches: [KeyValueCache]
    private let pass: DecoderPass

    /// - Parameter pass: What runs the text; by default one of its own, on the caller's thread.
    ///   Sessions of one thread may share one.
    package init(_ model: DecoderModel, pass: DecoderPass? = nil) {
        self.model = model
        self.pass = pass ?? DecoderPass(model)
        usage = ExpertUsage(model)
        caches = model.layers.map { layer in
            switch layer.attention {
            case .grouped(let grouped): KeyValueCache(grouped.shape)
            case .latent(let latent): KeyValueCache(latent.shape)
            }
        }
    }

    /// Tokens that still fit.
    package var room: Int { model.description.contextLength - position }

    /// Forgets the text, not the usage counts.
    package func reset() { position = 0 }

    /// Runs tokens through the model, after those that are already in the cache.
    ///
    /// - Returns: Logits before softmax, [tokens, vocabulary] or [vocabulary].
    /// - Throws: `.badInput` without tokens or for one that the vocabulary lacks; `.contextFull` if they do
    ///   not fit; then nothing is appended. What reading an expert throws, and then the session is to be
    ///   reset.
    package func append(
        _ tokens: [Int], logits selection: Session.LogitSelection = .last
    ) throws(ModelError) -> [Float] {
        guard !tokens.isEmpty else { throw ModelError(.badInput, "no tokens to run") }
        let vocabulary = model.description.vocabularySize
        for token in tokens where token < 0 || token >= vocabulary {
            throw ModelError(
                .badInput, "there is no token \(token); the vocabulary has 0 to \(vocabulary - 1)")
        }
        guard tokens.count <= room else {
            throw ModelError(
                .contextFull,
                "\(tokens.count) tokens after \(position) do not fit the context of "
                    + "\(model.description.contextLength)")
        }
        var logits: [Float] = []
        for first in stride(from: 0, to: tokens.count, by: Self.blockSize) {
            let some = tokens[first..<min(first + Self.blockSize, tokens.count)]
            try pass.run(some, of: self)
            position += some.count
            switch selection {
            case .all: logits += pass.logits(0..<some.count)
            case .last where some.endIndex == tokens.count:
                logits = pass.logits(some.count - 1..<some.count)
            case .last: break
            }
        }
        return logits
    }

    /// Notes what tokens picked in a layer.
    func record(_ picks: borrowing Picks, _ slot: Int) {
        usage.layers[slot].record(picks.experts[...])
        guard countsPicks else { return }
        let layer = usage.layers[slot].layer
        for expert in picks.experts { self.picks[layer, default: [:]][expert, default: 0] += 1 }
    }
}
