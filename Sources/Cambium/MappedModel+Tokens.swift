internal import Elements
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
    /// What turns text into the model's tokens: the tokenizer.json that was committed with it; nil without.
    ///
    /// - Throws: `bad-tokenizer`, `unsupported`.
    public func tokenizer() throws(StoreError) -> Tokenizer? {
        guard let bytes = try file("tokenizer.json") else { return nil }
        return try Tokenizer(json: bytes)
    }

    /// The tokens of a text as the model reads them, without those that a tokenizer puts around a text.
    ///
    /// A byte-level model's are the bytes; so are those of a model of 256 tokens that came without a tokenizer.
    ///
    /// - Parameter text: UTF-8 for a tokenizer; what is not becomes U+FFFD.
    /// - Throws: `unsupported` for a larger vocabulary without a tokenizer; `bad-tokenizer`, `too-hard`.
    public func tokens(of text: [UInt8]) throws(StoreError) -> [Int] {
        if !takesBytes, let tokenizer = try tokenizer() {
            return try tokenizer.encode(
                String(decoding: text, as: UTF8.self), addsSpecialTokens: false)
        }
        guard takesBytes || vocabularySize == 256 else {
            throw StoreError(
                .unsupported,
                "\(id.prefix(12)) has no tokenizer.json to make tokens of text; put it beside the "
                    + "checkpoint and commit it with the model")
        }
        return text.map { Int($0) }
    }

    /// As ``evaluate(_:limit:threads:progress:)``, of a model of tokens.
    func evaluateTokens(
        _ text: [UInt8], _ threads: Int, _ progress: ProgressReporter
    ) throws(StoreError) -> EvaluationResult {
        guard case .tokens(let model) = engine else {
            throw StoreError(.unsupported, "a model of bytes is evaluated by bytes")
        }
        let tokens = try tokens(of: text)
        let result = try running { () throws(ModelError) in
            try model.evaluate(tokens, threads: threads) { progress(Progress("windows", $0, $1)) }
        }
        let perToken = result.nats / (Double(result.predictions) * 0.693147180559945309417)
        return EvaluationResult(
            id: id, bitsPerByte: perToken * Double(tokens.count) / Double(text.count),
            predictions: result.predictions, windows: result.windows,
            usage: UsageInfo(result.usage), cohorts: [:], unused: unused)
    }

    /// Continues a prompt token by token, until `count` are made or the context is full.
    ///
    /// The model neither encodes nor decodes text: prompt and result are ids of its vocabulary.
    ///
    /// - Parameters:
    ///   - prompt: At least one token, each below ``vocabularySize``.
    ///   - count: New tokens to make.
    ///   - sampling: How each is chosen; the likeliest by default, of equally likely ones the lowest.
    ///   - stops: Tokens that end the generation, such as ``endTokens``; the result does not hold them.
    ///   - threads: Share the work; the result does not depend on them.
    ///   - each: Called with every new token; returning false stops.
    /// - Throws: `bad-input` for an empty prompt or a token that the model does not know, `context-full`
    ///   for a prompt that does not fit, `not-finite`.
    public func generate(
        tokens prompt: [Int], count: Int, sampling: SamplingOptions = SamplingOptions(),
        stops: Set<Int> = [], threads: Int = 1, each: (Int) -> Bool = { _ in true }
    ) throws(StoreError) -> TokenGenerationResult {
        switch engine {
        case .tokens(let model):
            let made = try running { () throws(ModelError) in
                try model.generate(
                    prompt, count: count, sampling: sampling.sampling(), stops: stops,
                    threads: threads, each: each)
            }
            return TokenGenerationResult(
                id: id, tokens: made.tokens, end: GenerationEnd(made.end),
                usage: UsageInfo(made.usage), unused: unused)
        case .bytes:
            let stops = try bytes(stops.sorted()).map { [$0] }
            let made = try generate(
                bytes(prompt), count: count, sampling: sampling, stops: stops, threads: threads
            ) { each(Int($0)) }
            return TokenGenerationResult(
                id: id, tokens: made.bytes.map(Int.init), end: made.end, usage: made.usage,
                unused: unused)
        }
    }

    /// The logits before softmax of every position of a text: what the model expects after each token.
    ///
    /// - Parameters:
    ///   - tokens: At least one, at most ``contextLength``.
    ///   - threads: Share the work; the result does not depend on them.
    /// - Returns: For each token ``vocabularySize`` numbers.
    /// - Throws: `bad-input`, `context-full`.
    public func logits(_ tokens: [Int], threads: Int = 1) throws(StoreError) -> [[Float]] {
        let ids: [UInt8]? = if takesBytes { try bytes(tokens) } else { nil }
        let all = try running { () throws(ModelError) in
            switch engine {
            case .tokens(let model): try model.forward(tokens, threads: threads)
            case .bytes(let model): try CohortSession(model).append(ids ?? [], logits: .all)
            }
        }
        let width = vocabularySize
        return stride(from: 0, to: all.count, by: width).map { Array(all[$0..<$0 + width]) }
    }

    /// The bytes that tokens of a byte-level model are.
    func bytes(_ tokens: [Int]) throws(StoreError) -> [UInt8] {
        var bytes: [UInt8] = []
        for token in tokens {
            guard let byte = UInt8(exactly: token) else {
                throw StoreError(
                    ModelError(
                        .badInput, "there is no token \(token); the vocabulary has 0 to 255"))
            }
            bytes.append(byte)
        }
        return bytes
    }
}
