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
    /// What the prompt and the new tokens picked.
    package let usage: ExpertUsage
    /// How often the context was full and the window moved on.
    package let slides: Int
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

    package init(
        count: Int, stops: [[UInt8]] = [], endTokens: Set<Int> = [],
        speller: (@Sendable () -> any TokenSpeller)? = nil
    ) {
        self.count = count
        self.stops = stops
        self.endTokens = endTokens
        self.speller = speller
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
        var results = [Generation?](repeating: nil, count: prompts.count)
        var running: [Continuation] = []
        var next = 0
        while true {
            while running.count < Self.largestBatch, next < prompts.count {
                running.append(
                    Continuation(
                        next, prompts[next],
                        session: growing?.session ?? AdaptedSession(self, pass: pass),
                        limits, seed: sampling.seed))
                next += 1
            }
            running.removeAll { text in
                guard let generation = text.generation(eachToken, eachByte) else { return false }
                results[text.index] = generation
                finished(text.index, generation)
                return true
            }
            guard !running.isEmpty || next < prompts.count else { break }
            guard !running.isEmpty else { continue }
            let logits = try pass.append(running.map { ($0.session, $0.takePending()) })
            for (text, row) in zip(running, logits) {
                do {
                    try text.append(row, sampling, eachToken, eachByte)
                } catch let error as CambiumError {
                    throw error.adding(
                        (prompts.count == 1 ? "" : "prompt \(text.index + 1): ")
                            + "after \(description.unit) \(text.text.count - 1) of the text")
                }
            }
        }
        isWhole = true
        return results.compactMap { $0 }
    }

    /// Checks all that can be known before anything runs.
    private func check(_ prompts: [[Int]], _ limits: GenerationLimits) throws {
        for (index, prompt) in prompts.enumerated() {
            let name = prompts.count == 1 ? "the prompt" : "prompt \(index + 1)"
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
        guard limits.count >= 0 else {
            throw CambiumError(.badInput, "\(limits.count) \(description.unit)s to generate")
        }
        guard !limits.stops.contains([]) else {
            throw CambiumError(.badInput, "a stop text is empty; give at least one byte")
        }
        guard limits.stops.isEmpty || limits.speller != nil else {
            throw CambiumError(
                .badInput,
                "the new tokens are not spelled, so that they could not end in a stop text")
        }
    }
}

/// One prompt on its way.
private final class Continuation {
    let index: Int
    let session: AdaptedSession
    /// The prompt and the new tokens.
    private(set) var text: [Int]
    private let promptCount: Int
    private let limits: GenerationLimits
    private var generator: SplitMix64
    private var speller: (any TokenSpeller)?
    /// What the new tokens are spelled by.
    private var bytes: [UInt8] = []
    /// Of each new token the bytes up to its end.
    private var ends: [Int] = []
    /// Tokens that the session has not read.
    private var pending: [Int]
    private var slides = 0
    /// New tokens and bytes that were given out.
    private var (shownTokens, shownBytes) = (0, 0)
    private var end: Generation.End?
    /// Whether the end lies in front of what was made.
    private var isCut = false

    init(
        _ index: Int, _ prompt: [Int], session: AdaptedSession, _ limits: GenerationLimits,
        seed: UInt64
    ) {
        self.index = index
        self.session = session
        self.limits = limits
        text = prompt
        promptCount = prompt.count
        generator = SplitMix64(seed: seed)
        speller = limits.speller?()
        pending = prompt.dropFirst(session.position)
            .suffix(session.model.description.contextLength)
    }

    private var made: Int { text.count - promptCount }

    /// What came out, if it ended.
    func generation(
        _ eachToken: (Int, Int) -> Bool, _ eachByte: (Int, UInt8) -> Bool
    ) -> Generation? {
        if end == nil {
            if made >= limits.count {
                end = .count
            } else if pending.count > session.room, !session.model.description.slides {
                end = .context
            }
        }
        guard end != nil else { return nil }
        if !isCut {
            speller?.finish(&bytes)
            show(bytes.count, eachToken, eachByte)
        }
        // What is shown last may be refused.
        guard let end else { return nil }
        return Generation(
            tokens: Array(text[promptCount..<promptCount + shownTokens]),
            bytes: Array(bytes[..<shownBytes]), end: end, usage: session.usage, slides: slides)
    }

    /// The tokens to run next; moves the window on when they do not fit.
    func takePending() -> [Int] {
        if pending.count > session.room {
            session.reset()
            pending = text.suffix(max(1, session.model.description.contextLength / 2))
            slides += 1
        }
        return pending
    }

    /// Chooses the next token and gives out what cannot become a stop text.
    func append(
        _ logits: [Float], _ sampling: Sampling, _ eachToken: (Int, Int) -> Bool,
        _ eachByte: (Int, UInt8) -> Bool
    ) throws {
        let token = try sampling.choose(logits, using: &generator)
        if limits.endTokens.contains(token) {
            end = .stop
            return
        }
        let before = bytes.count
        text.append(token)
        pending = [token]
        speller?.append(token, to: &bytes)
        ends.append(bytes.count)
        if let start = stopStart(after: before) {
            end = .stop
            isCut = true
            show(start, eachToken, eachByte)
        } else {
            show(bytes.count - (made == limits.count ? 0 : held), eachToken, eachByte)
        }
    }

    /// Gives out what is known to stay.
    private func show(
        _ count: Int, _ eachToken: (Int, Int) -> Bool, _ eachByte: (Int, UInt8) -> Bool
    ) {
        while shownBytes < count {
            shownBytes += 1
            guard eachByte(index, bytes[shownBytes - 1]) else { return stopShowing() }
        }
        while shownTokens < made, ends[shownTokens] <= shownBytes {
            shownTokens += 1
            guard eachToken(index, text[promptCount + shownTokens - 1]) else {
                return stopShowing()
            }
        }
    }

    private func stopShowing() {
        end = .receiver
        isCut = true
        while shownTokens < made, ends[shownTokens] <= shownBytes { shownTokens += 1 }
    }

    /// Where the first stop text begins that ends behind some bytes; of several that end there, the longest.
    private func stopStart(after count: Int) -> Int? {
        guard !limits.stops.isEmpty else { return nil }
        for end in stride(from: count + 1, through: bytes.count, by: 1) {
            let ended = limits.stops.filter { bytes[..<end].suffix($0.count).elementsEqual($0) }
            if let longest = ended.map(\.count).max() { return end - longest }
        }
        return nil
    }

    /// The greatest length of a beginning of a stop text that the new bytes end in.
    private var held: Int {
        var most = 0
        for stop in limits.stops {
            for length in stride(from: min(stop.count, bytes.count), to: most, by: -1)
            where bytes.suffix(length).elementsEqual(stop.prefix(length)) {
                most = length
                break
            }
        }
        return most
    }
}
