internal import Architectures
internal import Elements
internal import Models
internal import Objects
internal import Snapshots

/// A model that runs on the mapped records of a store.
///
/// Experts are read when a token picks them. A model takes either bytes (``takesBytes``) or the token ids of
/// a vocabulary; every model can be asked in tokens, a byte's token being its value.
public struct MappedModel: Sendable {
    /// What runs a model.
    enum Engine: Sendable {
        /// Our own byte-level architecture, peer-lm, with the cohorts that rounds of training added.
        case bytes(CohortModel)
        /// Architectures of the transformers library.
        case tokens(DecoderModel)
    }

    /// The commit's id.
    public let id: String
    let engine: Engine
    /// Keeps the lease: weights are read in place.
    private let snapshot: MappedSnapshot
    private let residency: Residency
    private let start: ProcessCounters

    /// - Parameter gate: Solves the snapshot's evidence; called when there are cohorts to pick among.
    init(
        _ snapshot: MappedSnapshot, _ options: ModelOptions,
        gate: () throws(StoreError) -> Gate?
    ) throws(StoreError) {
        guard let config = snapshot.tree.files["config.json"] else {
            throw StoreError(.unsupported, "\(snapshot.id.short) has no config.json to run it by")
        }
        let bytes = try carrying { () throws(SnapshotError) in
            try snapshot.data(of: config)
        }
        let architecture = snapshot.tree.architecture
        guard architecture == "peer-lm" || ModelDescription.architectures.contains(architecture)
        else {
            throw StoreError(
                .unsupported,
                "\(snapshot.id.short) is a '\(architecture)' model; this version runs peer-lm, "
                    + ModelDescription.architectures.joined(separator: ", "))
        }
        id = snapshot.id.hex
        self.snapshot = snapshot
        start = ProcessCounters()
        residency = Residency(limit: options.memoryLimit)
        let weights = SnapshotWeights(
            snapshot, residency: residency, checks: options.checks)
        if options.memoryLimit != nil {
            try running { () throws(ModelError) in try weights.releaseMap() }
        }
        if architecture == "peer-lm" {
            let base = try running { () throws(ModelError) in
                try PeerModel(config: PeerConfig(json: bytes), source: weights)
            }
            let cohorts = try StoredCohorts(snapshot)
            let mixture = try snapshot.mixture()
            let solved = cohorts.names.isEmpty && mixture == nil ? nil : try gate()
            engine = .bytes(
                CohortModel(
                    base, cohorts: cohorts.entries(base.config, weights),
                    gate: solved.map { ($0.solved, $0.cohorts) }, counts: mixture?.counts))
        } else {
            let generation = try Self.file("generation_config.json", snapshot)
            let description = try running { () throws(ModelError) in
                try ModelDescription(json: bytes, generation: generation)
            }
            guard description.architecture == architecture else {
                throw StoreError(
                    .unsupported,
                    "\(snapshot.id.short) is stored as a '\(architecture)' model, and its config.json says "
                        + "'\(description.architecture)'; commit it again with one of them")
            }
            engine = try running { () throws(ModelError) in
                .tokens(try DecoderModel(description, source: weights))
            }
        }
        if let limit = options.memoryLimit {
            try running { () throws(ModelError) in try weights.release(within: limit) }
        }
    }

    /// A file that was committed with the model; nil when there is none of the name.
    func file(_ name: String) throws(StoreError) -> [UInt8]? { try Self.file(name, snapshot) }

    private static func file(
        _ name: String, _ snapshot: MappedSnapshot
    ) throws(StoreError) -> [UInt8]? {
        guard let id = snapshot.tree.files[name] else { return nil }
        return try carrying { () throws(SnapshotError) in try snapshot.data(of: id) }
    }

    /// Whether the model reads and writes bytes; if not, token ids.
    public var takesBytes: Bool { if case .bytes = engine { true } else { false } }

    /// Tokens that the model knows, 0 ..< this.
    public var vocabularySize: Int {
        switch engine {
        case .bytes: PeerConfig.vocabularySize
        case .tokens(let model): model.description.vocabularySize
        }
    }

    /// Bytes or tokens that the model sees at once; of longer bytes only the last ones are read.
    public var contextLength: Int {
        switch engine {
        case .bytes(let model): model.config.contextLength
        case .tokens(let model): model.description.contextLength
        }
    }

    /// Tensors and experts that came with the model and that running it does not need, by name and with the
    /// reason.
    ///
    /// A model with others, whose use is not known, is refused.
    public var unused: [UnusedInfo] {
        switch engine {
        case .bytes: []
        case .tokens(let model): model.unused.map { UnusedInfo($0) }
        }
    }

    /// Tokens that end a text, as the model's generation_config.json says, or else its config.json.
    public var endTokens: [Int] {
        switch engine {
        case .bytes: []
        case .tokens(let model): model.description.endTokens
        }
    }

    /// The numbers of the layers that have experts, ascending.
    public var expertLayers: [Int] {
        switch engine {
        case .bytes(let model): model.config.expertLayers
        case .tokens(let model): model.description.expertLayers
        }
    }

    /// The cohorts that rounds of training added, by ascending name; the gate picks among them and the base.
    public var cohorts: [String] {
        switch engine {
        case .bytes(let model): model.cohorts.map(\.name)
        case .tokens: []
        }
    }

    /// The model, when it reads bytes.
    ///
    /// - Parameter task: What only such a model can do, for the message.
    /// - Throws: `unsupported`.
    func byteModel(_ task: String) throws(StoreError) -> CohortModel {
        switch engine {
        case .bytes(let model): return model
        case .tokens(let model):
            throw StoreError(
                .unsupported,
                "\(model.description.architecture) takes token ids of a vocabulary of "
                    + "\(vocabularySize); this version cannot \(task) with it, but continue tokens")
        }
    }

    /// What the runs of this model did so far.
    public var statistics: RunStatistics { RunStatistics(residency.counts, since: start) }

    /// Bytes of one expert.
    var expertBytes: Int {
        switch engine {
        case .bytes(let model): model.base.expertBytes
        case .tokens(let model): model.expertBytes
        }
    }

    func makeProfile(
        _ text: TextSource, _ progress: ProgressReporter
    ) throws(StoreError) -> ExpertProfile {
        let model = try byteModel("note the experts of a text of bytes")
        return try text.reading { (read) throws(ModelError) in
            try model.base.profile(
                count: text.count, progress: { progress(Progress("windows", $0, $1)) }, read: read)
        }
    }

    func makeProfile(
        tokens: [Int], _ progress: ProgressReporter
    ) throws(StoreError) -> ExpertProfile {
        guard case .tokens(let model) = engine else {
            return try makeProfile(TextSource(bytes(tokens)), progress)
        }
        return try running { () throws(ModelError) in
            try model.profile(tokens) { progress(Progress("windows", $0, $1)) }
        }
    }

    /// Asks for the experts of a profile, up to half of a limit.
    func warm(_ profile: ExpertProfile, limit: Int?) throws(StoreError) {
        try running { () throws(ModelError) in
            let half = limit.map { $0 / 2 }
            switch engine {
            case .bytes(let model): try model.base.warm(profile, byteLimit: half)
            case .tokens(let model): try model.warm(profile, byteLimit: half)
            }
        }
    }

    /// A text that has not begun.
    func newSession() throws(StoreError) -> Session {
        Session(try byteModel("tell the routes of a text").base)
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
    ) throws(StoreError) -> EvaluationResult {
        try evaluate(TextSource(text), limit: limit, threads: threads, progress: progress)
    }

    /// As ``evaluate(_:limit:threads:progress:)-([UInt8],_,_,_)``, of a text that is read some windows at a time.
    ///
    /// A model with a tokenizer needs the tokens of the whole text, and reads it at once.
    public func evaluate(
        _ text: TextSource, limit: Int? = 20_000, threads: Int = 1,
        progress: ProgressReporter = { _ in }
    ) throws(StoreError) -> EvaluationResult {
        let text = text.prefix(limit)
        guard case .bytes(let model) = engine else {
            return try evaluateTokens(text.bytes(0..<text.count), threads, progress)
        }
        let result = try text.reading { (read) throws(ModelError) in
            try model.evaluate(
                count: text.count, threads: threads,
                progress: { progress(Progress("windows", $0, $1)) }, read: read)
        }
        return EvaluationResult(
            id: id, bitsPerByte: result.bitsPerByte, predictions: result.predictions,
            windows: result.windows, usage: UsageInfo(result.usage),
            cohorts: shares(result.picks, model), unused: unused)
    }

    /// Picks by name, as shares; empty without cohorts.
    private func shares(_ picks: [Int], _ model: CohortModel) -> [String: Double] {
        guard picks.count > 1 else { return [:] }
        let sum = Double(max(1, picks.reduce(0, +)))
        return Dictionary(
            uniqueKeysWithValues: picks.enumerated().map {
                (model.name(of: $0), Double($1) / sum)
            })
    }
}
