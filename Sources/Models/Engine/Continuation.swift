internal import Architectures
internal import Elements

/// One prompt on its way.
final class Continuation {
    let index: Int
    private(set) var session: AdaptedSession
    /// The prompt and the new tokens.
    private(set) var text: [Int]
    private let promptCount: Int
    private let limits: GenerationLimits
    private let sampling: Sampling
    private var generator: SplitMix64
    private var speller: (any TokenSpeller)?
    /// What the new tokens are spelled by.
    private var bytes: [UInt8] = []
    /// Of each new token the bytes up to its end.
    private var ends: [Int] = []
    /// Tokens that the session has not read.
    private var pending: [Int]
    /// Where what the session reads begins in the text.
    private var windowStart: Int
    private var slides = 0
    /// How likely each new token was, as far as that is asked for.
    private var chances: [TokenChances] = []
    /// The same of the prompt's tokens, the first left out; nil where that is not asked for.
    private(set) var promptChances: [TokenChances]?
    /// New tokens and bytes that ``takeNews()`` gave out.
    private var (takenTokens, takenBytes) = (0, 0)
    /// New tokens and bytes that were given out.
    private var (shownTokens, shownBytes) = (0, 0)
    private var end: Generation.End?
    /// The stop text that came.
    private var stop: [UInt8]?
    /// Whether the end lies in front of what was made.
    private var isCut = false

    init(
        _ index: Int, _ prompt: [Int], session: AdaptedSession, _ limits: GenerationLimits,
        _ sampling: Sampling
    ) {
        self.index = index
        self.session = session
        self.limits = limits
        text = prompt
        promptCount = prompt.count
        self.sampling = sampling
        generator = SplitMix64(seed: sampling.seed)
        promptChances = limits.promptChances ? [] : nil
        speller = limits.speller?()
        pending = prompt.dropFirst(session.position)
            .suffix(session.model.description.contextLength)
        windowStart = prompt.count - pending.count
    }

    private var made: Int { text.count - promptCount }

    /// Whether all tokens that were asked for were made.
    var isComplete: Bool { made >= limits.count }

    /// Whether something of the prompt is still to be read.
    var isReading: Bool { made == 0 && !pending.isEmpty }

    /// Whether the chances of the prompt's tokens are still to be told, so that all its logits are needed.
    var readsAll: Bool { isReading && promptChances != nil }

    /// What came out, if it ended.
    func generation(
        _ eachToken: (Int, Int) -> Bool, _ eachByte: (Int, UInt8) -> Bool
    ) -> Generation? {
        if end == nil {
            if isComplete, !readsAll {
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
            bytes: Array(bytes[..<shownBytes]), end: end, stop: stop, usage: session.usage,
            slides: slides,
            chances: Array(chances.prefix(shownTokens)), promptChances: promptChances)
    }

    /// The tokens and bytes that became certain since the last time.
    func takeNews() -> (tokens: [Int], chances: [TokenChances], bytes: [UInt8]) {
        defer { (takenTokens, takenBytes) = (shownTokens, shownBytes) }
        return (
            Array(text[promptCount + takenTokens..<promptCount + shownTokens]),
            limits.alternatives == nil ? [] : Array(chances[takenTokens..<shownTokens]),
            Array(bytes[takenBytes..<shownBytes])
        )
    }

    /// The tokens to run next, at most as many as given; moves the window on when they do not fit.
    func takePending(atMost most: Int) -> [Int] {
        if pending.count > session.room {
            session.reset()
            pending = text.suffix(max(1, session.model.description.contextLength / 2))
            windowStart = text.count - pending.count
            slides += 1
        }
        defer { pending.removeFirst(min(most, pending.count)) }
        return Array(pending.prefix(most))
    }

    /// Has all be read again, by a session that has read nothing; what was made stays.
    func startOver(_ session: AdaptedSession) {
        self.session = session
        pending = Array(text[windowStart...])
        if made == 0 { promptChances = promptChances.map { _ in [] } }
    }

    /// Notes how likely tokens of the prompt were.
    ///
    /// - Parameters:
    ///   - logits: Behind each of the tokens that were read last, [tokens, vocabulary].
    ///   - count: Of these tokens.
    func notePrompt(_ logits: [Float], _ count: Int) {
        let width = logits.count / max(count, 1)
        let first = promptCount - pending.count - count
        for row in 0..<count where first + row + 1 < promptCount {
            promptChances?.append(
                TokenChances(
                    of: text[first + row + 1], logits[row * width..<(row + 1) * width],
                    alternatives: limits.alternatives ?? 0))
        }
    }

    /// Chooses the next token and gives out what cannot become a stop text.
    func append(
        _ logits: [Float], _ eachToken: (Int, Int) -> Bool, _ eachByte: (Int, UInt8) -> Bool
    ) throws {
        let token = try sampling.choose(logits, using: &generator)
        if limits.endTokens.contains(token) {
            end = .stop
            return
        }
        let before = bytes.count
        text.append(token)
        if let alternatives = limits.alternatives {
            chances.append(TokenChances(of: token, logits[...], alternatives: alternatives))
        }
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
            if let longest = ended.max(by: { $0.count < $1.count }) {
                stop = longest
                return end - longest.count
            }
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
