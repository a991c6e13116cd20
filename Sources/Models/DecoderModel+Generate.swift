package import Elements
internal import Tensors

/// Tokens that a model wrote.
package struct TokenGeneration: Sendable {
    /// The new tokens, without the prompt.
    package let tokens: [Int]
    package let end: Generation.End
    /// What the prompt and the new tokens picked.
    package let usage: ExpertUsage
}

extension DecoderModel {
    /// Continues a prompt token by token, until `count` are made or the context is full.
    ///
    /// - Parameters:
    ///   - prompt: At least one token.
    ///   - count: New tokens to make.
    ///   - stops: Tokens that end the generation; the result does not hold them.
    ///   - threads: Share the work; the result does not depend on them.
    ///   - each: Called with every new token; returning false stops.
    /// - Throws: `.badInput` for an empty prompt, a token that the vocabulary lacks or a negative count;
    ///   `.contextFull` for a prompt that does not fit; `.notFinite` if the model computes NaN or
    ///   infinity; what reading an expert throws.
    package func generate(
        _ prompt: [Int], count: Int, sampling: Sampling = .greedy, stops: Set<Int> = [],
        threads: Int = 1, each: (Int) -> Bool = { _ in true }
    ) throws(ModelError) -> TokenGeneration {
        guard count >= 0 else { throw ModelError(.badInput, "\(count) tokens to generate") }
        let session = DecoderSession(self, pass: DecoderPass(self, team: try team(threads)))
        var generator = SplitMix64(seed: sampling.seed)
        var tokens: [Int] = []
        var end = Generation.End.count
        var pending = prompt
        // Also without new tokens the prompt is read, and checked.
        var logits = try session.append(pending)
        while tokens.count < count {
            let token = try sampling.choose(logits, using: &generator)
            if stops.contains(token) {
                end = .stop
                break
            }
            tokens.append(token)
            guard each(token) else {
                end = .receiver
                break
            }
            guard tokens.count < count else { break }
            guard session.room > 0 else {
                end = .context
                break
            }
            pending = [token]
            logits = try session.append(pending)
        }
        return TokenGeneration(tokens: tokens, end: end, usage: session.usage)
    }

    /// The logits of every position of a text, [tokens, vocabulary].
    ///
    /// - Throws: As `DecoderSession.append`.
    package func forward(_ tokens: [Int], threads: Int = 1) throws(ModelError) -> [Float] {
        try DecoderSession(self, pass: DecoderPass(self, team: try team(threads)))
            .append(tokens, logits: .all)
    }

    func team(_ threads: Int) throws(ModelError) -> ThreadTeam {
        guard (1...1_024).contains(threads) else {
            throw ModelError(.badInput, "\(threads) threads; give 1 to 1024")
        }
        return threads == 1 ? .single : ThreadTeam(count: threads)
    }
}
