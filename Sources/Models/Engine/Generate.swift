internal import Architectures
internal import Elements
internal import Tensors

/// A text that a model wrote.
package struct Generation: Sendable {
    /// Why a text ended.
    package enum End: String, Sendable {
        /// All tokens that were asked for were made.
        case count
        /// A stop text or an end token came, which the result does not hold.
        case stop
        /// The receiver wanted no more.
        case receiver
        /// The context had no room for more.
        case context
    }

    /// The new tokens, without the prompt; of a text that ended in a stop text those in front of it.
    package let tokens: [Int]
    /// The new bytes; none where tokens are not spelled.
    package let bytes: [UInt8]
    package let end: End
    /// The stop text that came, if one did.
    package let stop: [UInt8]?
    /// What the prompt and the new tokens picked.
    package let usage: ExpertUsage
    /// How often the context was full and the window moved on.
    package let slides: Int
    /// How likely each new token was; empty where that was not asked for.
    package let chances: [TokenChances]
    /// The same of the prompt's tokens, the first left out; nil where that was not asked for.
    package let promptChances: [TokenChances]?
}

/// Where a text ends.
package struct GenerationLimits: Sendable {
    /// New tokens to make.
    package var count: Int
    /// Texts that end the generation when the new bytes end in one; none is empty.
    package var stops: [[UInt8]]
    /// Tokens that end it.
    package var endTokens: Set<Int>
    /// Spells the new tokens; nil when their bytes are not asked for.
    package var speller: (@Sendable () -> any TokenSpeller)?
    /// Of how many likeliest tokens the chances are told beside each new token's; nil for no chances.
    package var alternatives: Int?
    /// Whether the chances of the prompt's tokens are told as well.
    package var promptChances: Bool

    package init(
        count: Int, stops: [[UInt8]] = [], endTokens: Set<Int> = [],
        speller: (@Sendable () -> any TokenSpeller)? = nil, alternatives: Int? = nil,
        promptChances: Bool = false
    ) {
        self.count = count
        self.stops = stops
        self.endTokens = endTokens
        self.speller = speller
        self.alternatives = alternatives
        self.promptChances = promptChances
    }
}

extension AdaptedModel {
    /// Prompts that run at the same time; each holds a key-value cache of its own.
    static let largestBatch = 64

    /// Continues several prompts at the same time, each with the tokens that it would get alone.
    ///
    /// Every prompt draws from the same seed. At most 64 run together; the next one starts when one ends.
    ///
    /// **When the context is full**, the text ends; or, where the description says that it slides, the last half
    /// of it (prompt and new tokens alike) is run again at positions from 0, and generation goes on from there:
    /// what lies further back is forgotten, and of a prompt longer than the context only the last contextLength
    /// tokens are read. So text beyond the first window differs from what a longer context would give.
    ///
    /// - Parameters:
    ///   - prompts: Each of at least one token: no start token is added.
    ///   - threads: Share the work; the result does not depend on them.
    ///   - growing: What has read the beginning of the only prompt, and keeps what it reads now; brings threads of
    ///     its own.
    ///   - eachToken: Called with the prompt's index and every new token in order, as soon as none of its bytes
    ///     can be part of a stop text; returning false ends that prompt.
    ///   - eachByte: The same for the bytes that tokens are spelled by.
    ///   - finished: Called with the index of a prompt that ended and what it gave, in no given order.
    /// - Returns: One generation for each prompt, in order.
    /// - Throws: `.badInput` for an empty prompt, a token that the vocabulary lacks, an empty stop text, one where
    ///   tokens are not spelled, or a negative count; `.contextFull` for a prompt that does not fit a context
    ///   that does not slide; `.notFinite` if the model computes NaN or infinity; what reading an expert throws.
    package func generate(
        prompts: [[Int]], _ limits: GenerationLimits, sampling: Sampling = .greedy,
        threads: Int = 1, keeping growing: GrowingText? = nil,
        eachToken: (Int, Int) -> Bool = { _, _ in true },
        eachByte: (Int, UInt8) -> Bool = { _, _ in true },
        finished: (Int, Generation) -> Void = { _, _ in }
    ) throws -> [Generation] {
        try check(prompts, limits)
        precondition(growing == nil || prompts.count == 1, "one text grows at a time")
        growing?.begin(prompts[0])
        let pass = try growing?.pass ?? AdaptedPass(self, team: try base.team(threads))
        var isWhole = false
        // What broke off has read no one knows what.
        defer { if !isWhole { growing?.session.reset() } }
        let batch = TextBatch(pass)
        var results = [Generation?](repeating: nil, count: prompts.count)
        var next = 0
        repeat {
            while batch.texts.count < Self.largestBatch, next < prompts.count {
                batch.add(
                    Continuation(
                        next, prompts[next],
                        session: growing?.session ?? AdaptedSession(self, pass: pass),
                        limits, sampling))
                next += 1
            }
            for (text, generation) in batch.takeEnded(eachToken, eachByte) {
                results[text.index] = generation
                finished(text.index, generation)
            }
            if let failed = try batch.step(eachToken, eachByte).first {
                throw failed.error.adding(
                    (prompts.count == 1 ? "" : "prompt \(failed.text.index + 1): ")
                        + "after \(description.unit) \(failed.text.text.count - 1) of the text")
            }
        } while !batch.texts.isEmpty || next < prompts.count
        isWhole = true
        return results.compactMap { $0 }
    }

    /// Checks all that can be known before anything runs.
    private func check(_ prompts: [[Int]], _ limits: GenerationLimits) throws {
        for (index, prompt) in prompts.enumerated() {
            try check(
                prompt, name: prompts.count == 1 ? "the prompt" : "prompt \(index + 1)")
        }
        try limits.check(description)
    }

    /// Checks that a prompt can be read.
    func check(_ prompt: [Int], name: String) throws {
        guard !prompt.isEmpty else {
            throw CambiumError(
                .badInput,
                "\(name) is empty; no start token is added, so give at least one "
                    + description.unit)
        }
        try description.check(prompt)
        guard description.slides || prompt.count <= description.contextLength else {
            throw CambiumError(
                .contextFull,
                "\(name) has \(prompt.count) \(description.unit)s, which do not fit the context "
                    + "of \(description.contextLength)")
        }
    }
}

extension GenerationLimits {
    /// Checks that they make sense.
    func check(_ description: ModelDescription) throws {
        guard count >= 0 else {
            throw CambiumError(.badInput, "\(count) \(description.unit)s to generate")
        }
        guard !stops.contains([]) else {
            throw CambiumError(.badInput, "a stop text is empty; give at least one byte")
        }
        guard stops.isEmpty || speller != nil else {
            throw CambiumError(
                .badInput,
                "the new tokens are not spelled, so that they could not end in a stop text")
        }
    }
}
