internal import Models

extension MappedModel {
    /// Continues a text.
    ///
    /// Where the model ``slides``, a text that outgrows the context goes on from its last half, run again from
    /// position 0; elsewhere it ends there.
    ///
    /// - Parameters:
    ///   - prompt: At least one byte; with a tokenizer UTF-8.
    ///   - count: New tokens to make; bytes where ``takesBytes``.
    ///   - sampling: How each is chosen.
    ///   - stops: Texts that end the generation; the result does not hold them.
    ///   - pastEnd: Whether it goes on behind ``endTokens``.
    ///   - threads: Share the work; the result does not depend on them.
    ///   - each: Called with every new byte as soon as it cannot be part of a stop text; returning
    ///     false stops.
    /// - Throws: `bad-input` for an empty prompt or stop text; `context-full` for a prompt that does not fit a
    ///   model that does not slide; `unsupported` for a model that has no text.
    public func generate(
        _ prompt: [UInt8], count: Int, sampling: SamplingOptions = SamplingOptions(),
        stops: [[UInt8]] = [], pastEnd: Bool = false, threads: Int = 1,
        each: (UInt8) -> Bool = { _ in true }
    ) throws -> GenerationResult {
        try generate(
            prompts: [prompt], count: count, sampling: sampling, stops: stops, pastEnd: pastEnd,
            threads: threads, each: { _, byte in each(byte) })[0]
    }

    /// Continues several prompts together, each with the text that it would get alone.
    ///
    /// Every prompt draws from the same seed.
    ///
    /// - Parameters:
    ///   - prompts: Each of at least one byte.
    ///   - count: New tokens to make of each.
    ///   - sampling: How each token is chosen.
    ///   - stops: Texts that end a generation; the results do not hold them.
    ///   - pastEnd: Whether it goes on behind ``endTokens``.
    ///   - threads: Share the work; the results do not depend on them.
    ///   - each: Called with the prompt's index and a new byte; returning false ends that prompt.
    ///   - finished: Called with the index of a prompt that ended and its result, in no given order.
    /// - Returns: One result for each prompt, in order.
    /// - Throws: As for one prompt.
    @discardableResult
    public func generate(
        prompts: [[UInt8]], count: Int, sampling: SamplingOptions = SamplingOptions(),
        stops: [[UInt8]] = [], pastEnd: Bool = false, threads: Int = 1,
        each: (Int, UInt8) -> Bool = { _, _ in true },
        finished: (Int, GenerationResult) -> Void = { _, _ in }
    ) throws -> [GenerationResult] {
        try running.generate(
            prompts, count: count, sampling: sampling.sampling(), stops: stops, pastEnd: pastEnd,
            threads: threads, eachByte: each, finished: { finished($0, result($1)) }
        ).map(result)
    }

    func result(_ generation: Generation) -> GenerationResult {
        GenerationResult(
            id: id, tokens: generation.tokens, bytes: generation.bytes,
            text: String(decoding: generation.bytes, as: UTF8.self),
            end: GenerationEnd(generation.end), usage: UsageInfo(generation.usage),
            unused: unused)
    }
}
