internal import Architectures
package import Elements
internal import Tensors

/// Text that a model wrote.
package struct Generation: Sendable {
    /// Why a text ended.
    package enum End: Sendable, Hashable {
        /// All bytes that were asked for were made.
        case count
        /// A stop text came, which `bytes` does not hold.
        case stop
        /// The receiver wanted no more.
        case receiver
        /// The context had no room for more.
        case context
    }

    /// The new bytes, without the prompt.
    package let bytes: [UInt8]
    package let end: End
    /// What the prompt and the new bytes picked.
    package let usage: ExpertUsage
    /// How often the context was full and the window moved on.
    package let slides: Int
}

extension CohortModel {
    /// Prompts that run at the same time; each holds a key-value cache of the whole context.
    static let largestBatch = 64

    /// Continues a prompt byte by byte.
    ///
    /// **When the context is full**, the last half of it (prompt and new bytes alike) is run again
    /// at positions from 0, and generation goes on from there: what lies further back is forgotten.
    /// Of a prompt longer than the context only the last contextLength bytes are read. So text
    /// beyond the first window differs from what a longer context would give.
    ///
    /// - Parameters:
    ///   - prompt: At least one byte: the architecture has no start token.
    ///   - count: New bytes to make.
    ///   - stops: Texts that end the generation when the new bytes end in one; none is empty.
    ///   - threads: Share the work; the result does not depend on them.
    ///   - each: Called with every new byte in order, as soon as it cannot be part of a stop text;
    ///     returning false stops.
    /// - Throws: `.badInput` for an empty prompt, an empty stop text or a negative count; `.notFinite`
    ///   if the model computes NaN or infinity; what reading an expert throws.
    package func generate(
        _ prompt: [UInt8], count: Int, sampling: Sampling = .greedy, stops: [[UInt8]] = [],
        threads: Int = 1, each: (UInt8) -> Bool = { _ in true }
    ) throws(ModelError) -> Generation {
        try generate(
            prompts: [prompt], count: count, sampling: sampling, stops: stops, threads: threads,
            each: { _, byte in each(byte) })[0]
    }

    /// Continues several prompts at the same time, each with the bytes that it would get alone.
    ///
    /// Every prompt draws from the same seed. At most 64 run together; the next one starts when one
    /// ends. Parameters and errors as for one prompt.
    ///
    /// - Parameters:
    ///   - each: Called with the prompt's index and a new byte; returning false ends that prompt.
    ///   - finished: Called with the index of a prompt that ended and what it gave, in no given order.
    /// - Returns: One generation for each prompt, in order.
    package func generate(
        prompts: [[UInt8]], count: Int, sampling: Sampling = .greedy, stops: [[UInt8]] = [],
        threads: Int = 1, each: (Int, UInt8) -> Bool = { _, _ in true },
        finished: (Int, Generation) -> Void = { _, _ in }
    ) throws(ModelError) -> [Generation] {
        for (index, prompt) in prompts.enumerated() where prompt.isEmpty {
            throw ModelError(
                .badInput,
                (prompts.count == 1 ? "the prompt" : "prompt \(index + 1)")
                    + " is empty; the model has no start token, so give at least one byte")
        }
        guard count >= 0 else { throw ModelError(.badInput, "\(count) bytes to generate") }
        guard !stops.contains([]) else {
            throw ModelError(.badInput, "a stop text is empty; give at least one byte")
        }
        guard (1...1_024).contains(threads) else {
            throw ModelError(.badInput, "\(threads) threads; give 1 to 1024")
        }
        let pass = CohortPass(self, team: threads == 1 ? .single : ThreadTeam(count: threads))
        var results = [Generation?](repeating: nil, count: prompts.count)
        var running: [Continuation] = []
        var next = 0
        while true {
            while running.count < Self.largestBatch, next < prompts.count {
                running.append(
                    Continuation(
                        next, prompts[next], session: CohortSession(self, pass: pass),
                        seed: sampling.seed))
                next += 1
            }
            running.removeAll { text in
                guard let generation = text.generation(count) else { return false }
                results[text.index] = generation
                finished(text.index, generation)
                return true
            }
            guard !running.isEmpty || next < prompts.count else { break }
            guard !running.isEmpty else { continue }
            let logits = try pass.append(running.map { ($0.session, $0.takePending()) })
            for (text, row) in zip(running, logits) {
                do throws(ModelError) {
                    try text.append(row, sampling, stops, isLast: text.made + 1 == count, each)
                } catch {
                    throw ModelError(
                        error.code,
                        (prompts.count == 1 ? "" : "prompt \(text.index + 1): ")
                            + "after byte \(text.text.count - 1) of the text: \(error.message)")
                }
            }
        }
        return results.compactMap { $0 }
    }
}

/// One prompt on its way.
private final class Continuation {
    let index: Int
    let session: CohortSession
    /// The prompt and the new bytes.
    private(set) var text: [UInt8]
    private let promptCount: Int
    private var generator: SplitMix64
    /// Bytes that the session has not read.
    private var pending: [UInt8]
    private var slides = 0
    /// New bytes that were given out.
    private var shown = 0
    private var end: Generation.End?

    init(_ index: Int, _ prompt: [UInt8], session: CohortSession, seed: UInt64) {
        self.index = index
        self.session = session
        text = prompt
        promptCount = prompt.count
        generator = SplitMix64(seed: seed)
        pending = prompt.suffix(session.model.config.contextLength)
    }

    /// New bytes so far.
    var made: Int { text.count - promptCount }

    /// What came out, if it ended; `count` bytes are wanted.
    func generation(_ count: Int) -> Generation? {
        guard let end = end ?? (made >= count ? .count : nil) else { return nil }
        return Generation(
            bytes: Array(text[promptCount..<promptCount + shown]), end: end, usage: session.usage,
            slides: slides)
    }

    /// The bytes to run next; moves the window on when they do not fit.
    func takePending() -> [UInt8] {
        if pending.count > session.room {
            session.reset()
            pending = text.suffix(max(1, session.model.config.contextLength / 2))
            slides += 1
        }
        return pending
    }

    /// Chooses the next byte and gives out what cannot become a stop text.
    func append(
        _ logits: [Float], _ sampling: Sampling, _ stops: [[UInt8]], isLast: Bool,
        _ each: (Int, UInt8) -> Bool
    ) throws(ModelError) {
        let byte = UInt8(try sampling.choose(logits, using: &generator))
        text.append(byte)
        pending = [byte]
        let overlaps = stops.map { longestOverlap($0) }
        var held = isLast ? 0 : overlaps.max() ?? 0
        // Of several that end here, the longest is left out.
        if let whole = zip(stops, overlaps).filter({ $0.count == $1 }).map(\.1).max() {
            end = .stop
            held = whole
        }
        while shown < made - held {
            shown += 1
            guard each(index, text[promptCount + shown - 1]) else {
                end = .receiver
                return
            }
        }
    }

    /// The greatest length of a beginning of `stop` that the new bytes end in.
    private func longestOverlap(_ stop: [UInt8]) -> Int {
        for length in stride(from: min(stop.count, made), to: 0, by: -1)
        where text.suffix(length).elementsEqual(stop.prefix(length)) { return length }
        return 0
    }
}
