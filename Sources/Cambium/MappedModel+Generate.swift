internal import Elements
internal import Models

extension MappedModel {
    /// Continues a prompt byte by byte.
    ///
    /// When the context is full, its last half is run again from position 0 and generation goes on.
    ///
    /// - Parameters:
    ///   - prompt: At least one byte.
    ///   - count: New bytes to make.
    ///   - sampling: How each is chosen.
    ///   - stops: Texts that end the generation; the result does not hold them.
    ///   - threads: Share the work; the result does not depend on them.
    ///   - each: Called with every new byte as soon as it cannot be part of a stop text; returning
    ///     false stops.
    /// - Throws: `bad-input` for an empty prompt or stop text.
    public func generate(
        _ prompt: [UInt8], count: Int, sampling: SamplingOptions = SamplingOptions(),
        stops: [[UInt8]] = [], threads: Int = 1, each: (UInt8) -> Bool = { _ in true }
    ) throws(StoreError) -> GenerationResult {
        try generate(
            prompts: [prompt], count: count, sampling: sampling, stops: stops, threads: threads,
            each: { _, byte in each(byte) })[0]
    }

    /// Continues several prompts together, each with the bytes that it would get alone.
    ///
    /// Every prompt draws from the same seed.
    ///
    /// - Parameters:
    ///   - prompts: Each of at least one byte.
    ///   - count: New bytes to make of each.
    ///   - sampling: How each byte is chosen.
    ///   - stops: Texts that end a generation; the results do not hold them.
    ///   - threads: Share the work; the results do not depend on them.
    ///   - each: Called with the prompt's index and a new byte; returning false ends that prompt.
    ///   - finished: Called with the index of a prompt that ended and its result, in no given order.
    /// - Returns: One result for each prompt, in order.
    @discardableResult
    public func generate(
        prompts: [[UInt8]], count: Int, sampling: SamplingOptions = SamplingOptions(),
        stops: [[UInt8]] = [], threads: Int = 1, each: (Int, UInt8) -> Bool = { _, _ in true },
        finished: (Int, GenerationResult) -> Void = { _, _ in }
    ) throws(StoreError) -> [GenerationResult] {
        let model = try byteModel("continue a text of bytes")
        let made = try running { () throws(ModelError) in
            return try model.generate(
                prompts: prompts, count: count, sampling: sampling.sampling(), stops: stops,
                threads: threads, each: each
            ) { index, generation in finished(index, result(generation)) }
        }
        return made.map { result($0) }
    }

    private func result(_ generation: Generation) -> GenerationResult {
        return GenerationResult(
            id: id, bytes: generation.bytes,
            text: String(decoding: generation.bytes, as: UTF8.self),
            end: GenerationEnd(generation.end),
            usage: UsageInfo(generation.usage))
    }
}
