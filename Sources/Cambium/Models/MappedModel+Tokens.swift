internal import Models

/// Tokens that a model wrote.
public struct TokenGenerationResult: Sendable, Encodable {
    /// The commit's id.
    public let id: String
    /// The new tokens.
    public let tokens: [Int]
    /// Why it ended.
    public let end: GenerationEnd
    /// What prompt and new tokens picked.
    public let usage: UsageInfo
    /// What came with the model and was not used; see ``MappedModel/unused``.
    public let unused: [UnusedInfo]
}

extension MappedModel {
    /// The tokens of a text as the model reads them, without those that a tokenizer puts around a text.
    ///
    /// Where ``takesBytes`` they are the bytes; so are those of a model of 256 tokens that came without a
    /// tokenizer.
    ///
    /// - Parameter text: UTF-8 for a tokenizer; what is not becomes U+FFFD.
    /// - Throws: `unsupported` for a larger vocabulary without a tokenizer; `bad-tokenizer`, `too-hard`.
    public func tokens(of text: [UInt8]) throws -> [Int] {
        try running.vocabulary.tokens(of: text, addsSpecialTokens: false)
    }

    /// Continues a prompt token by token; prompt and result are ids of the model's vocabulary.
    ///
    /// - Parameters:
    ///   - prompt: At least one token, each below ``vocabularySize``.
    ///   - count: New tokens to make.
    ///   - sampling: How each is chosen; the likeliest by default, of equally likely ones the lowest.
    ///   - stops: Tokens that end the generation, such as ``endTokens``; the result does not hold them.
    ///   - threads: Share the work; the result does not depend on them.
    ///   - each: Called with every new token; returning false stops.
    /// - Throws: `bad-input` for an empty prompt or a token that the model does not know, `context-full`
    ///   for a prompt that does not fit a model that does not slide, `not-finite`.
    public func generate(
        tokens prompt: [Int], count: Int, sampling: SamplingOptions = SamplingOptions(),
        stops: Set<Int> = [], threads: Int = 1, each: (Int) -> Bool = { _ in true }
    ) throws -> TokenGenerationResult {
        let made = try model.generate(
            prompts: [prompt], GenerationLimits(count: count, endTokens: stops),
            sampling: sampling.sampling(), threads: threads, eachToken: { each($1) })[0]
        return TokenGenerationResult(
            id: id, tokens: made.tokens, end: GenerationEnd(made.end),
            usage: UsageInfo(made.usage), unused: unused)
    }

    /// What a text is to the model: the mean over its tokens of the states behind the last layer, normalised as the
    /// head reads them.
    ///
    /// Of a model with adapters it is the base's.
    ///
    /// - Parameters:
    ///   - tokens: At least one, at most ``contextLength``.
    ///   - threads: Share the work; the result does not depend on them.
    ///   - goesOn: Asked from time to time; returning false ends it.
    /// - Throws: `bad-input`, `context-full`, `cancelled`, `not-finite`.
    public func embedding(
        of tokens: [Int], threads: Int = 1, goesOn: () -> Bool = { true }
    ) throws -> [Float] { try model.base.meanState(tokens, threads: threads, goesOn: goesOn) }

    /// The logits before softmax of every position of a text: what the model expects after each token.
    ///
    /// - Parameters:
    ///   - tokens: At least one, at most ``contextLength``.
    ///   - threads: Share the work; the result does not depend on them.
    /// - Returns: For each token ``vocabularySize`` numbers.
    /// - Throws: `bad-input`, `context-full`.
    public func logits(_ tokens: [Int], threads: Int = 1) throws -> [[Float]] {
        let all = try model.forward(tokens, threads: threads)
        let width = vocabularySize
        return stride(from: 0, to: all.count, by: width).map { Array(all[$0..<$0 + width]) }
    }
}
