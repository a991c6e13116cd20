internal import Architectures
internal import Models
internal import Objects

/// A model that runs on the mapped records of a store.
///
/// Experts are read when a token picks them. Every model can be asked in text and in tokens: where
/// ``takesBytes``, a byte's token is its value; elsewhere the tokenizer.json that was committed with the model
/// spells them.
public struct MappedModel: Sendable {
    /// The commit's id.
    public var id: String { running.commit.hex }
    let running: SnapshotModel
    var model: AdaptedModel { running.model }

    /// Whether the model's tokens are bytes.
    public var takesBytes: Bool { model.description.readsBytes }

    /// Tokens that the model knows, 0 ..< this.
    public var vocabularySize: Int { model.description.vocabularySize }

    /// Tokens that the model sees at once.
    public var contextLength: Int { model.description.contextLength }

    /// Whether a text that outgrows the context goes on from its last half, so that of a longer prompt the last
    /// part is read; if not, it ends there, and a longer prompt is refused.
    public var slides: Bool { model.description.slides }

    /// Tensors and experts that came with the model and that running it does not need, by name and with the
    /// reason.
    ///
    /// A model with others, whose use is not known, is refused.
    public var unused: [UnusedInfo] { model.base.unused.map { UnusedInfo($0) } }

    /// Tokens that end a text, as the model's generation_config.json says, or else its config.json.
    public var endTokens: [Int] { model.description.endTokens }

    /// The numbers of the layers that have experts, ascending.
    public var expertLayers: [Int] { model.description.expertLayers }

    /// The adapters that rounds of training added, by ascending name; the gate picks among them and the base.
    public var adapters: [String] { model.adapters.map(\.name) }

    /// What turns text into the model's tokens: the tokenizer.json that was committed with it; nil without, and
    /// where tokens are bytes.
    ///
    /// - Throws: `bad-tokenizer`, `unsupported`.
    public func tokenizer() throws -> Tokenizer? {
        try running.vocabulary.tokenizer().map { Tokenizer($0) }
    }

    /// What the runs of this model did so far.
    public var statistics: RunStatistics { RunStatistics(running.counts, since: running.start) }

    /// Bits per byte of a text: its first `limit` bytes in full windows that do not overlap; in each, every
    /// byte or token but the first is predicted.
    ///
    /// Windows are of the context length, for models that take tokens of at most 1,024. Bits per byte are then
    /// bits per token, times the tokens of the text for each of its bytes.
    ///
    /// - Parameters:
    ///   - text: Of bytes; with a tokenizer UTF-8, where what is none is read, and counted, as U+FFFD.
    ///   - limit: Bytes of its beginning that count; nil for all. With a tokenizer it cuts no character.
    ///   - sliding: Windows that overlap, over the whole text, however long; nil for those that do not.
    ///   - threads: Share the work; the result does not depend on them.
    ///   - progress: Called as windows of the text are done.
    /// - Throws: `bad-input` when the text is shorter than a window, `not-finite`; `unsupported` for a model of
    ///   tokens without a tokenizer.
    public func evaluate(
        _ text: [UInt8], limit: Int? = 20_000, sliding: SlidingWindows? = nil, threads: Int = 1,
        progress: ProgressReporter = { _ in }
    ) throws -> EvaluationResult {
        try evaluate(
            TextSource(text), limit: limit, sliding: sliding, threads: threads, progress: progress)
    }

    /// As ``evaluate(_:limit:sliding:threads:progress:)-([UInt8],_,_,_,_)``, of a text that is read some windows at a time.
    ///
    /// A model with a tokenizer needs the tokens of the whole text, and reads it at once.
    public func evaluate(
        _ text: TextSource, limit: Int? = 20_000, sliding: SlidingWindows? = nil, threads: Int = 1,
        progress: ProgressReporter = { _ in }
    ) throws -> EvaluationResult {
        let text = try running.beginning(of: text, limit: limit)
        let (result, bits) =
            if let sliding {
                try running.evaluate(
                    sliding: text, window: sliding.window, stride: sliding.stride,
                    threads: threads, progress: progress)
            } else {
                try running.evaluate(text, threads: threads, progress: progress)
            }
        return EvaluationResult(
            id: id, bitsPerByte: bits, bitsPerToken: result.bitsPerToken,
            perplexity: result.perplexity, predictions: result.predictions, windows: result.windows,
            usage: UsageInfo(result.usage), adapters: running.shares(result.choices), unused: unused
        )
    }

    /// Checks that a text can be evaluated, without running the model: in much less time than that takes.
    ///
    /// - Parameters:
    ///   - text: The text.
    ///   - limit: Bytes of its beginning that count; nil for all.
    ///   - sliding: Windows that overlap; nil for those that do not.
    /// - Throws: As ``evaluate(_:limit:sliding:threads:progress:)-([UInt8],_,_,_,_)``.
    public func checkEvaluation(
        of text: TextSource, limit: Int? = 20_000, sliding: SlidingWindows? = nil
    ) throws {
        try running.check(
            running.beginning(of: text, limit: limit), isSliding: sliding != nil)
    }

    /// Whether a text is read as it is: a tokenizer reads U+FFFD for bytes that are not UTF-8.
    ///
    /// - Parameters:
    ///   - text: The text.
    ///   - limit: Bytes of its beginning that count; nil for all.
    public func reads(_ text: TextSource, limit: Int? = nil) throws -> Bool {
        guard try !takesBytes && tokenizer() != nil else { return true }
        let part = try running.beginning(of: text, limit: limit)
        return String(validating: try part.bytes(0..<part.count), as: UTF8.self) != nil
    }
}

/// Windows over a text that overlap, as people measure perplexity: every token is predicted once, from at least
/// ``window`` − ``stride`` tokens before it where the text has as many.
///
/// The start token that the tokenizer puts in front of a text is read first, if there is one.
public struct SlidingWindows: Sendable {
    /// Tokens that the model reads at once; nil for its context.
    public var window: Int?
    /// From one window's start to the next, below the window's length; nil for half of it.
    public var stride: Int?

    /// Windows of the model's context that overlap by half.
    public init(window: Int? = nil, stride: Int? = nil) {
        self.window = window
        self.stride = stride
    }
}
