internal import Architectures
internal import Elements
internal import Evidence
internal import Models
internal import Objects
internal import Snapshots

/// A model that runs on the mapped records of a store.
///
/// Experts are read when a token picks them. Every model can be asked in text and in tokens: where
/// ``takesBytes``, a byte's token is its value; elsewhere the tokenizer.json that was committed with the model
/// spells them.
public struct MappedModel: Sendable {
    /// The commit's id.
    public let id: String
    /// The base, with what rounds of training added to it.
    let model: CohortModel
    /// Keeps the lease: weights are read in place.
    private let snapshot: MappedSnapshot
    private let vocabulary: Vocabulary
    private let residency: Residency
    private let start: ProcessCounters

    init(_ snapshot: MappedSnapshot, _ options: ModelOptions) throws {
        let description = try snapshot.modelDescription()
        id = snapshot.id.hex
        self.snapshot = snapshot
        start = ProcessCounters()
        residency = Residency(limit: options.memoryLimit)
        let weights = SnapshotWeights(
            snapshot, residency: residency, checks: options.checks)
        if options.memoryLimit != nil {
            try weights.releaseMap()
        }
        let base = try LanguageModel(description, source: weights)
        let vocabulary = Vocabulary(snapshot, description)
        self.vocabulary = vocabulary
        let cohorts = try StoredCohorts(snapshot)
        let mixture = try snapshot.mixture()
        let solved = cohorts.names.isEmpty && mixture == nil ? nil : try snapshot.gate()
        let tokenizer = mixture == nil ? nil : try vocabulary.tokenizer()
        guard mixture == nil || description.vocabularySize == 256 && tokenizer == nil else {
            throw CambiumError(
                .unsupported,
                "the \(MixtureDescription.fileName) of \(snapshot.id.short) has counts predict bytes, and the "
                    + "model's tokens are none; commit the model without the file")
        }
        model = CohortModel(
            base, cohorts: cohorts.entries(description, weights),
            gate: solved.map { ($0.solved, $0.cohorts) },
            counts: solved == nil ? nil : mixture?.counts,
            speller: solved == nil ? nil : try vocabulary.speller())
        if let limit = options.memoryLimit {
            try weights.release(within: limit)
        }
    }

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

    /// The cohorts that rounds of training added, by ascending name; the gate picks among them and the base.
    public var cohorts: [String] { model.cohorts.map(\.name) }

    /// What turns text into the model's tokens: the tokenizer.json that was committed with it; nil without, and
    /// where tokens are bytes.
    ///
    /// - Throws: `bad-tokenizer`, `unsupported`.
    public func tokenizer() throws -> Tokenizer? { try vocabulary.tokenizer() }

    func tokens(of text: [UInt8], addsSpecialTokens: Bool) throws -> [Int] {
        try vocabulary.tokens(of: text, addsSpecialTokens: addsSpecialTokens)
    }

    /// The tokens of a text that is read part by part.
    func tokens(of text: TextSource) throws -> TokenSource {
        try vocabulary.tokens(of: text)
    }

    /// What spells tokens.
    ///
    /// - Throws: `unsupported` for a vocabulary of other than 256 tokens without a tokenizer; `bad-tokenizer`.
    func speller() throws -> @Sendable () -> any TokenSpeller {
        try vocabulary.speller()
    }

    /// What the runs of this model did so far.
    public var statistics: RunStatistics { RunStatistics(residency.counts, since: start) }

    /// Bytes of one expert.
    var expertBytes: Int { model.base.expertBytes }

    func makeProfile(
        _ tokens: TokenSource, _ progress: ProgressReporter
    ) throws -> ExpertProfile {
        try model.base.profile(
            count: tokens.count, progress: { try progress(Progress("windows", $0, $1)) },
            read: tokens.part)
    }

    /// Asks for the experts of a profile, up to half of a limit.
    func warm(_ profile: ExpertProfile, limit: Int?) throws {
        try model.base.warm(profile, byteLimit: limit.map { $0 / 2 })
    }

    /// Bits per byte of a text: its first `limit` bytes in full windows that do not overlap; in each, every
    /// byte or token but the first is predicted.
    ///
    /// Windows are of the context length, for models that take tokens of at most 1,024. Bits per byte are then
    /// bits per token, times the tokens of the text for each of its bytes.
    ///
    /// - Throws: `bad-input` when the text is shorter than a window, `not-finite`; `unsupported` for a model of
    ///   tokens without a tokenizer.
    public func evaluate(
        _ text: [UInt8], limit: Int? = 20_000, threads: Int = 1,
        progress: ProgressReporter = { _ in }
    ) throws -> EvaluationResult {
        try evaluate(TextSource(text), limit: limit, threads: threads, progress: progress)
    }

    /// As ``evaluate(_:limit:threads:progress:)-([UInt8],_,_,_)``, of a text that is read some windows at a time.
    ///
    /// A model with a tokenizer needs the tokens of the whole text, and reads it at once.
    public func evaluate(
        _ text: TextSource, limit: Int? = 20_000, threads: Int = 1,
        progress: ProgressReporter = { _ in }
    ) throws -> EvaluationResult {
        let text = text.prefix(limit)
        let tokens = try tokens(of: text)
        let result = try model.evaluate(
            count: tokens.count, threads: threads,
            progress: { try progress(Progress("windows", $0, $1)) }, read: tokens.part)
        let bits = result.bitsPerToken
        return EvaluationResult(
            id: id,
            bitsPerByte: tokens.count == text.count
                ? bits : bits * Double(tokens.count) / Double(text.count),
            predictions: result.predictions, windows: result.windows,
            usage: UsageInfo(result.usage), cohorts: shares(result.picks), unused: unused)
    }

    /// Picks by name, as shares; empty without cohorts.
    private func shares(_ picks: [Int]) -> [String: Double] {
        guard picks.count > 1 else { return [:] }
        let sum = Double(max(1, picks.reduce(0, +)))
        return Dictionary(
            uniqueKeysWithValues: picks.enumerated().map {
                (model.name(of: $0), Double($1) / sum)
            })
    }
}
