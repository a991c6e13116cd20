internal import Elements
internal import Models
internal import Objects
internal import Snapshots

/// Experts that a run touched.
public struct UsageInfo: Sendable, Encodable {
    /// Distinct experts that were picked.
    public let expertsTouched: Int
    /// Experts of the model.
    public let experts: Int
    /// Picks in all: tokens × layers × heads × experts per head.
    public let picks: Int
    /// Bytes of the experts that were picked.
    public let bytesTouched: Int
    /// Bytes of all experts.
    public let bytesStored: Int
    /// Distinct experts picked, by layer number.
    public let touchedByLayer: [String: Int]
}

/// How well a model predicts a text.
public struct EvaluationResult: Sendable, Encodable {
    /// The commit's id.
    public let id: String
    /// Mean of −log2 p over the predicted bytes.
    public let bitsPerByte: Double
    /// Bytes that were predicted.
    public let predictions: Int
    /// Windows of the model's context length.
    public let windows: Int
    /// The experts that were picked.
    public let usage: UsageInfo
    /// For what share of the bytes the gate held each cohort likeliest, "base" among them; empty for a
    /// model without cohorts of its own weights.
    public let cohorts: [String: Double]
}

/// Why a generated text ended.
public enum GenerationEnd: String, Sendable, Encodable {
    /// All bytes that were asked for were made.
    case count
    /// A stop text came; it is not part of the result.
    case stop
    /// The receiver wanted no more.
    case receiver
}

/// Text that a model wrote.
public struct GenerationResult: Sendable, Encodable {
    /// The commit's id.
    public let id: String
    /// The new bytes.
    ///
    /// Not encoded; `text` is.
    public let bytes: [UInt8]
    /// The new bytes as text; invalid UTF-8 is replaced.
    public let text: String
    /// Why it ended.
    public let end: GenerationEnd
    /// What prompt and new bytes picked.
    public let usage: UsageInfo

    enum CodingKeys: String, CodingKey { case id, text, end, usage }
}

/// How the next byte is chosen.
public struct SamplingOptions: Sendable {
    /// 0 takes the most likely byte; 1 samples from the model's distribution.
    public var temperature: Double
    /// Only the most likely bytes whose probabilities add up to this are drawn from.
    public var topP: Double
    /// The same seed, model and prompt give the same text.
    public var seed: UInt64

    /// Greedy unless told otherwise.
    public init(temperature: Double = 0, topP: Double = 1, seed: UInt64 = 0) {
        self.temperature = temperature
        self.topP = topP
        self.seed = seed
    }
}

/// A model that runs on the mapped records of a store.
///
/// Experts are read when a token picks them.
public struct MappedModel: Sendable {
    /// The commit's id.
    public let id: String
    private let model: CohortModel
    /// Bytes that the model sees at once; of a longer prompt only the last ones are read.
    public var contextLength: Int { model.config.contextLength }
    /// The numbers of the layers that have experts, ascending.
    public var expertLayers: [Int] { model.config.peerLayers }
    /// The cohorts that rounds of training added, by ascending name; the gate picks among them and the base.
    public var cohorts: [String] { model.cohorts.map(\.name) }
    /// Keeps the lease: the trunk is read in place.
    private let snapshot: MappedSnapshot

    private let residency: Residency
    private let start: ProcessCounters

    /// - Parameter gate: Solves the snapshot's evidence; called when there are cohorts to pick among.
    fileprivate init(
        _ snapshot: MappedSnapshot, _ options: ModelOptions,
        gate: () throws(StoreError) -> Gate?
    ) throws(StoreError) {
        guard snapshot.tree.architecture == "peer-lm" else {
            throw StoreError(
                .unsupported,
                "\(snapshot.id.short) is a '\(snapshot.tree.architecture)' model; this version runs "
                    + "peer-lm models only")
        }
        guard let config = snapshot.tree.files["config.json"] else {
            throw StoreError(.unsupported, "\(snapshot.id.short) has no config.json to run it by")
        }
        let bytes = try carrying { () throws(SnapshotError) in
            try snapshot.object(config).payload.copy()
        }
        id = snapshot.id.hex
        self.snapshot = snapshot
        start = ProcessCounters()
        residency = Residency(limit: options.memoryLimit)
        let weights = SnapshotWeights(snapshot, residency: residency)
        let base = try running { () throws(ModelError) in
            if options.memoryLimit != nil { try weights.releaseMap() }
            let model = try PeerModel(config: PeerConfig(json: bytes), source: weights)
            if let limit = options.memoryLimit { try weights.release(within: limit) }
            return model
        }
        let cohorts = try StoredCohorts(snapshot)
        let solved = cohorts.names.isEmpty ? nil : try gate()
        model = CohortModel(
            base, cohorts: cohorts.entries(base.config, weights),
            gate: solved.map { ($0.solved, $0.cohorts) })
    }

    /// What the runs of this model did so far.
    public var statistics: RunStatistics { RunStatistics(residency.counts, since: start) }

    /// Bytes of one expert.
    var expertBytes: Int { model.base.expertBytes }

    func makeProfile(
        _ text: [UInt8], _ progress: ProgressReporter
    ) throws(StoreError) -> ExpertProfile {
        try running { () throws(ModelError) in
            try model.base.profile(text) { progress(Progress("windows", $0, $1)) }
        }
    }

    /// Asks for the experts of a profile, up to half of a limit.
    func warm(_ profile: ExpertProfile, limit: Int?) throws(StoreError) {
        try running { () throws(ModelError) in
            try model.base.warm(profile, byteLimit: limit.map { $0 / 2 })
        }
    }

    /// A text that has not begun.
    func newSession() -> Session { Session(model.base) }

    /// Bits per byte of a text: its first `limit` bytes in full windows of the context length that
    /// do not overlap; in each, every byte but the first is predicted from those before it.
    ///
    /// - Throws: `bad-input` when the text is shorter than a window, `not-finite`.
    public func evaluate(
        _ text: [UInt8], limit: Int? = 20_000, threads: Int = 1,
        progress: ProgressReporter = { _ in }
    ) throws(StoreError) -> EvaluationResult {
        let result = try running { () throws(ModelError) in
            try model.evaluate(text, byteLimit: limit, threads: threads) {
                progress(Progress("windows", $0, $1))
            }
        }
        return EvaluationResult(
            id: id, bitsPerByte: result.bitsPerByte, predictions: result.predictions,
            windows: result.windows, usage: UsageInfo(result.usage),
            cohorts: shares(result.picks))
    }
}

extension MappedModel {
    /// Picks by name, as shares; empty without cohorts.
    private func shares(_ picks: [Int]) -> [String: Double] {
        guard picks.count > 1 else { return [:] }
        let sum = Double(max(1, picks.reduce(0, +)))
        return Dictionary(
            uniqueKeysWithValues: picks.enumerated().map {
                (model.name(of: $0), Double($1) / sum)
            })
    }

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
        let made = try running { () throws(ModelError) in
            let chosen =
                sampling.temperature == 0
                ? Sampling.greedy
                : try Sampling(
                    temperature: sampling.temperature, topP: sampling.topP, seed: sampling.seed)
            return try model.generate(
                prompts: prompts, count: count, sampling: chosen, stops: stops, threads: threads,
                each: each
            ) { index, generation in finished(index, result(generation)) }
        }
        return made.map { result($0) }
    }

    private func result(_ generation: Generation) -> GenerationResult {
        let end: GenerationEnd =
            switch generation.end {
            case .count: .count
            case .stop: .stop
            case .receiver: .receiver
            }
        return GenerationResult(
            id: id, bytes: generation.bytes,
            text: String(decoding: generation.bytes, as: UTF8.self), end: end,
            usage: UsageInfo(generation.usage))
    }
}

extension Store {
    /// Maps a revision's model for running; what it needs is kept while the result lives.
    ///
    /// - Parameters:
    ///   - revision: A branch, a tag or a commit.
    ///   - options: Memory, and how it starts.
    /// - Throws: `unsupported` for an architecture that this version does not run; `bad-input` when the
    ///   model does not fit the memory limit without any expert.
    public func model(
        _ revision: String, _ options: ModelOptions = ModelOptions()
    ) throws(StoreError) -> MappedModel {
        let snapshot = try map(revision, keepsDecompressed: options.memoryLimit == nil)
        let model = try MappedModel(snapshot, options) { () throws(StoreError) in
            try gate(of: snapshot)
        }
        if options.warms, let profile = storedProfile(model.id) {
            try model.warm(profile, limit: options.memoryLimit)
        }
        return model
    }
}

extension UsageInfo {
    fileprivate init(_ usage: ExpertUsage) {
        self.init(
            expertsTouched: usage.touched, experts: usage.expertCount, picks: usage.picks,
            bytesTouched: usage.bytesTouched, bytesStored: usage.bytesStored,
            touchedByLayer: Dictionary(
                uniqueKeysWithValues: usage.layers.map { ("\($0.layer)", $0.touched) }))
    }
}
