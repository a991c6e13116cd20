internal import Evidence
internal import Models

/// Experts that a run touched.
public struct UsageInfo: Sendable, Encodable {
    /// Distinct experts that were picked.
    public let expertsTouched: Int
    /// Experts of the model.
    public let experts: Int
    /// Picks in all: tokens × layers × heads × experts per head.
    public let selections: Int
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
    /// Mean of −log2 p over the predicted bytes, or, of tokens, for each of their bytes.
    public let bitsPerByte: Double
    /// Mean of −log2 p over the predicted tokens; where tokens are bytes, the same.
    public let bitsPerToken: Double
    /// 2 to the power of ``bitsPerToken``: of how many equally likely tokens the model would be as unsure.
    public let perplexity: Double
    /// Bytes or tokens that were predicted.
    public let predictions: Int
    /// Windows that were read, each anew.
    public let windows: Int
    /// The experts that were picked.
    public let usage: UsageInfo
    /// For what share of the bytes the gate held each adapter likeliest, "base" among them; empty for a
    /// model without adapters of its own weights.
    public let adapters: [String: Double]
    /// What came with the model and was not used; see ``MappedModel/unused``.
    public let unused: [UnusedInfo]
}

/// Why a generated text ended.
public enum GenerationEnd: String, Sendable, Encodable {
    /// All bytes or tokens that were asked for were made.
    case count
    /// A stop text or an end token came; it is not part of the result.
    case stop
    /// The receiver wanted no more.
    case receiver
    /// The model's context had no room for more tokens.
    case context

    init(_ end: Generation.End) { self = GenerationEnd(rawValue: end.rawValue) ?? .count }
}

/// Text that a model wrote.
public struct GenerationResult: Sendable, Encodable {
    /// The commit's id.
    public let id: String
    /// The new tokens; of a text that ended in a stop text those in front of it.
    public let tokens: [Int]
    /// What the new tokens are spelled by.
    ///
    /// Not encoded; `text` is.
    public let bytes: [UInt8]
    /// The new bytes as text; invalid UTF-8 is replaced.
    public let text: String
    /// Why it ended.
    public let end: GenerationEnd
    /// What prompt and new tokens picked.
    public let usage: UsageInfo
    /// What came with the model and was not used; see ``MappedModel/unused``.
    public let unused: [UnusedInfo]

    enum CodingKeys: String, CodingKey { case id, tokens, text, end, usage, unused }
}

/// How the next byte or token is chosen.
public struct SamplingOptions: Sendable {
    /// 0 takes the most likely one; 1 samples from the model's distribution.
    public var temperature: Double
    /// Only the most likely ones whose probabilities add up to this are drawn from.
    public var topP: Double
    /// The same seed, model and prompt give the same text.
    public var seed: UInt64

    /// Greedy unless told otherwise.
    public init(temperature: Double = 0, topP: Double = 1, seed: UInt64 = 0) {
        self.temperature = temperature
        self.topP = topP
        self.seed = seed
    }

    /// What the engine takes.
    func sampling() throws -> Sampling {
        temperature == 0
            ? .greedy : try Sampling(temperature: temperature, topP: topP, seed: seed)
    }
}

extension Store {
    /// Maps a revision's model for running; what it needs is kept while the result lives.
    ///
    /// - Parameters:
    ///   - revision: A branch, a tag or a commit.
    ///   - options: Memory, and how it starts.
    /// - Throws: `unsupported` for an architecture that this version does not run; `limit` when the
    ///   model does not fit the memory limit without any expert.
    public func model(
        _ revision: String, _ options: ModelOptions = ModelOptions()
    ) throws -> MappedModel {
        MappedModel(
            running: try snapshots.model(
                at: revision, memoryLimit: options.memoryLimit, warms: options.warms))
    }
}

extension UsageInfo {
    init(_ usage: ExpertUsage) {
        self.init(
            expertsTouched: usage.touched, experts: usage.expertCount, selections: usage.selections,
            bytesTouched: usage.bytesTouched, bytesStored: usage.bytesStored,
            touchedByLayer: Dictionary(
                uniqueKeysWithValues: usage.layers.map { ("\($0.layer)", $0.touched) }))
    }
}
