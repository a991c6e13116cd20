internal import Models

/// What a model is to write in a ``GenerationBatch``.
public struct TextRequest: Sendable {
    /// Tokens to continue, at least one; see `promptTokens(of:)` of ``MappedModel``.
    public var prompt: [Int]
    /// New tokens to make.
    public var count: Int
    /// How each is chosen.
    public var sampling: SamplingOptions
    /// Texts that end it; the result does not hold them.
    public var stops: [[UInt8]]
    /// Whether it goes on behind the model's end tokens.
    public var pastEnd: Bool
    /// Whether special tokens are spelled, as in answers of conversations.
    public var spellsSpecialTokens: Bool
    /// Of how many likeliest tokens the chances are told beside each new token's; nil for no chances.
    public var alternatives: Int?
    /// Whether the chances of the prompt's tokens are told at the end.
    public var promptChances: Bool

    /// A text that ends at the model's end tokens.
    public init(
        prompt: [Int], count: Int, sampling: SamplingOptions = SamplingOptions(),
        stops: [[UInt8]] = [], pastEnd: Bool = false, spellsSpecialTokens: Bool = false,
        alternatives: Int? = nil, promptChances: Bool = false
    ) {
        self.prompt = prompt
        self.count = count
        self.sampling = sampling
        self.stops = stops
        self.pastEnd = pastEnd
        self.spellsSpecialTokens = spellsSpecialTokens
        self.alternatives = alternatives
        self.promptChances = promptChances
    }
}

/// How likely a model held a token.
public struct TokenChance: Sendable, Hashable {
    /// Its id.
    public let token: Int
    /// The natural logarithm of the probability, at temperature 1.
    public let logProbability: Double
    /// The likeliest tokens in its place, in order, as many as were asked for; of those none has alternatives.
    public let alternatives: [TokenChance]
}

/// What one step of a ``GenerationBatch`` gave of one text.
public struct GenerationStep: Sendable {
    /// Which text.
    public let key: Int
    /// New tokens that cannot be part of a stop text.
    public let tokens: [Int]
    /// How likely each of them was; empty where that was not asked for.
    public let chances: [TokenChance]
    /// What became certain of the new text's bytes.
    public let bytes: [UInt8]
    /// Why the text ended; nil while it goes on.
    public let end: GenerationEnd?
    /// Of a text that a stop text ended, which.
    public let stop: [UInt8]?
    /// Why the text cannot go on; nil when it can.
    public let error: CambiumError?
    /// Of a text that ended, how likely the tokens of its prompt were but for the first; nil where that was not
    /// asked for.
    public let promptChances: [TokenChance]?
    /// Of a text that ended, what prompt and new tokens picked.
    public let usage: UsageInfo?
}

/// Texts that models continue at the same time; they come and go, and each gets the text that it would get alone.
///
/// Texts may be of several models of one structure, such as fine-tunes of one model: models whose configs differ in numbers
/// of experts alone and that have no adapters to pick among. What these have in common, attention, routers, and experts
/// alike, is found by its content, is read once for all texts, and runs once.
///
/// ```swift
/// let batch = try GenerationBatch(model, threads: 2)
/// let key = try batch.add(
///     TextRequest(prompt: model.promptTokens(of: Array("Once".utf8)), count: 20))
/// while batch.count > 0 {
///     for step in try batch.step() where step.key == key { print(String(decoding: step.bytes, as: UTF8.self)) }
/// }
/// ```
///
/// Not to be shared between threads.
public final class GenerationBatch {
    private let batch: SnapshotBatch
    /// By whose description they run.
    private var model: MappedModel
    /// Of each text, so that it is kept.
    private var models: [Int: MappedModel] = [:]

    /// A batch without texts.
    ///
    /// - Parameters:
    ///   - model: What continues them, where none is named.
    ///   - threads: Share the work; no text depends on them.
    /// - Throws: `bad-input` for no threads.
    public init(_ model: MappedModel, threads: Int = 1) throws {
        self.model = model
        batch = try SnapshotBatch(model.running, threads: threads)
    }

    /// Texts that are under way.
    public var count: Int { batch.count }

    /// Whether texts of a model can be added: it is this batch's, or of one structure with it.
    ///
    /// - Parameter model: Of any store. One whose experts could not be read is not taken any more.
    public func takes(_ model: MappedModel) -> Bool { batch.takes(model.running) }

    /// Parts of models, such as the attention of a layer, that ran since the batch was made.
    public var partsRun: Int { batch.parts.run }

    /// Parts that would have run if the texts of each model had run alone; the more above ``partsRun``, the more models
    /// had in common.
    public var partsAlone: Int { batch.parts.alone }

    /// Lets go of a model that is to be closed while texts of others go on.
    ///
    /// - Parameters:
    ///   - model: Of which no text is under way.
    ///   - other: What takes its place, where the batch was made with `model`: one that the batch ``takes(_:)``.
    /// - Throws: `bad-input` for one that it does not take.
    public func release(_ model: MappedModel, for other: MappedModel) throws {
        try check(other)
        if try batch.release(model.running, for: other.running) { self.model = other }
    }

    private func check(_ model: MappedModel) throws {
        guard takes(model) else {
            throw CambiumError(
                .badInput,
                "snapshot \(model.id.prefix(12)) cannot run beside the batch's: it is not of one structure with them, or an "
                    + "expert of it could not be read; make a batch of its own"
            )
        }
    }

    /// Takes a text in; it takes part from the next step on.
    ///
    /// - Parameters:
    ///   - request: What is to be written.
    ///   - other: What continues it, one that the batch ``takes(_:)``; nil for the batch's model. It is kept until the
    ///     text ends.
    /// - Returns: What its steps are told by.
    /// - Throws: `bad-input`, `context-full`, `unsupported`, as ``MappedModel/generate(tokens:count:sampling:stops:threads:each:)``.
    public func add(_ request: TextRequest, to other: MappedModel? = nil) throws -> Int {
        let model = other ?? self.model
        try check(model)
        let limits = try model.running.limits(
            count: request.count, stops: request.stops, pastEnd: request.pastEnd,
            isAnswer: request.spellsSpecialTokens, alternatives: request.alternatives,
            promptChances: request.promptChances)
        let key = try batch.add(
            request.prompt, to: model.running, limits, request.sampling.sampling())
        models[key] = model
        return key
    }

    /// Gives a text up.
    ///
    /// - Parameter key: Which; one that has ended is no mistake.
    public func remove(_ key: Int) {
        batch.remove(key)
        models[key] = nil
    }

    /// Brings every text on: by a token, or by a part of its prompt.
    ///
    /// - Returns: What is new, of the texts that have something.
    /// - Throws: What reading an expert throws, where all texts are of one model; then they are given up. Where others are
    ///   beside them, texts of the model that cannot be read have the error in their step, and the others go on.
    public func step() throws -> [GenerationStep] {
        let steps: [SnapshotBatch.Step]
        do {
            steps = try batch.step()
        } catch {
            models = [:]
            throw error
        }
        return steps.map { step in
            if step.generation != nil || step.error != nil { models[step.key] = nil }
            return GenerationStep(
                key: step.key, tokens: step.tokens, chances: step.chances.map(TokenChance.init),
                bytes: step.bytes, end: step.generation.map { GenerationEnd($0.end) },
                stop: step.generation?.stop, error: step.error,
                promptChances: step.generation?.promptChances?.map(TokenChance.init),
                usage: step.generation.map { UsageInfo($0.usage) })
        }
    }
}

extension MappedModel {
    /// The tokens that the model reads for a text that it is to continue, with those that a tokenizer puts around it.
    ///
    /// - Parameter text: UTF-8 for a tokenizer.
    /// - Throws: As ``tokens(of:)``.
    public func promptTokens(of text: [UInt8]) throws -> [Int] {
        try running.vocabulary.tokens(of: text, addsSpecialTokens: true)
    }

    /// The tokens that the model reads for a conversation, up to where its answer begins.
    ///
    /// - Parameter chat: At least one message.
    /// - Throws: As ``prompt(of:)`` and ``tokens(of:)``.
    public func promptTokens(of chat: Chat) throws -> [Int] {
        try tokens(of: Array(prompt(of: chat).utf8))
    }

    /// What a token is spelled by; parts of a character are U+FFFD where a tokenizer spells.
    ///
    /// - Parameter token: Below ``vocabularySize``.
    /// - Throws: `unsupported` for a model that has no text.
    public func spelling(of token: Int) throws -> [UInt8] {
        if let tokenizer = try tokenizer() {
            return Array(tokenizer.decode([token], skipsSpecialTokens: false).utf8)
        }
        return [UInt8(truncatingIfNeeded: token)]
    }
}

extension TokenChance {
    fileprivate init(_ chances: TokenChances) {
        self.init(
            chances.chosen, alternatives: chances.alternatives.map { TokenChance($0) })
    }

    private init(_ chance: TokenChances.Chance, alternatives: [TokenChance] = []) {
        self.init(
            token: chance.token, logProbability: chance.logProbability, alternatives: alternatives)
    }
}
