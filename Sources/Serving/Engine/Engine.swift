internal import Cambium
internal import Logging

/// What runs models for all interfaces.
final class Engine: Sendable {
    let store: Store
    let models: LoadedModels
    let heads: Heads
    let scheduler: Scheduler
    let metrics: Metrics
    let limits: ServingLimits
    let embeddings: Embeddings
    let bodies: Bodies
    /// Reads texts for models: tokens, templates, evidence.
    let reading: WorkPool
    /// Makes pages.
    let pages: WorkPool

    /// Pages that may wait.
    private static let mostPages = 64

    init(_ store: Store, _ options: ServingOptions, _ logger: Logger) {
        self.store = store
        limits = options.limits
        metrics = Metrics(logger)
        models = LoadedModels(store, options.model, most: options.mostModels)
        heads = Heads(store, models, pins: options.pins, logger)
        scheduler = Scheduler(limits, threads: options.threads, metrics)
        embeddings = Embeddings(limits, threads: options.threads)
        bodies = Bodies(most: limits.bodies)
        reading = WorkPool(threads: options.threads, most: limits.batch + limits.queue)
        pages = WorkPool(threads: 1, most: Self.mostPages)
    }

    /// The model that a request names, with its name: for `auto` the branch whose evidence explains the text best.
    ///
    /// - Parameter text: What the request is about; nil where it is tokens.
    func model(_ name: String, for text: String?) async throws -> (LoadedModel, name: String) {
        let store = store
        // A branch of that name is meant first.
        guard name == "auto", (try? heads.commit(of: name)) == nil else {
            return (try await heads.model(name), name)
        }
        guard let text, !text.isEmpty else {
            throw APIError(
                .badRequest, "the model auto is picked by a text, and there is none",
                field: "model", code: "invalid_value")
        }
        let bytes = Array(text.utf8.suffix(Self.mostRead))
        let chosen = try await reading.run {
            try store.branches().compactMap { branch -> (bits: Double, name: String)? in
                do {
                    let known = try store.familiarity(of: bytes, to: branch.id)
                    return (known.bitsPerByte, branch.name)
                } catch let error as CambiumError where error.code == .notFound {
                    return nil
                }
            }.min { ($0.bits, $0.name) < ($1.bits, $1.name) }
        }
        guard let chosen else {
            throw APIError(
                .notFound,
                "no branch has evidence by which auto could pick one; add it with cambium evidence add, or name a "
                    + "model", field: "model", code: "model_not_found")
        }
        return (try await heads.model(chosen.name), chosen.name)
    }

    /// Bytes of a text's end by which a model is picked.
    private static let mostRead = 65_536

    /// The tokens of a conversation.
    func prompt(of chat: Chat, on loaded: LoadedModel) async throws -> [Int] {
        let model = loaded.model
        return try await reading.run {
            guard try model.hasChatTemplate() else {
                throw APIError(
                    .badRequest,
                    "the model has no chat template, and so no conversations; use /v1/completions",
                    field: "messages", code: "unsupported")
            }
            do {
                return try model.promptTokens(of: chat)
            } catch let error as CambiumError
                where error.code == .badTokenizer && chat.hasOptions
            {
                // A template that fails with what a request told it is not to blame.
                throw APIError(
                    .badRequest, error.message, field: "chat_template_kwargs",
                    code: "template_failed")
            }
        }
    }

    /// Keeps room for the texts of a request, before anything is done for them.
    ///
    /// - Throws: ``APIError`` when they are too many, or too long.
    func reserve(_ prompts: Int, _ wishes: TextWishes) throws -> Scheduler.Place {
        if let count = wishes.count, count > limits.tokens {
            throw APIError(
                .badRequest,
                "\(wishes.countField) is \(count); this server makes at most \(limits.tokens) new tokens of a text",
                field: wishes.countField, code: "invalid_value")
        }
        return try scheduler.reserve(prompts * wishes.choices)
    }

    /// Lets a model continue prompts, each as often as there are choices.
    ///
    /// - Parameters:
    ///   - prompts: Tokens; the texts' places are prompt by prompt, then choice by choice.
    ///   - place: Room that was kept for them.
    ///   - change: Completes what is asked of each text.
    func start(
        _ prompts: [[Int]], _ wishes: TextWishes, in place: Scheduler.Place,
        on model: LoadedModel, of client: String, _ change: (inout TextRequest) -> Void = { _ in }
    ) throws -> Work {
        let seed = wishes.seed ?? .random(in: 0 ... .max)
        var requests: [TextRequest] = []
        for prompt in prompts {
            let room =
                model.model.slides
                ? limits.tokens : max(1, model.model.contextLength - prompt.count)
            for choice in 0..<wishes.choices {
                var request = TextRequest(
                    prompt: prompt, count: wishes.count ?? min(limits.tokens, room),
                    sampling: SamplingOptions(
                        temperature: wishes.temperature, topP: wishes.topP,
                        seed: seed &+ UInt64(choice)),
                    stops: wishes.stops)
                change(&request)
                requests.append(request)
            }
        }
        let work = Work(
            requests, of: client, on: model, until: .now + .seconds(limits.seconds))
        try scheduler.add(work, in: place)
        metrics.count(\.promptTokens, by: prompts.reduce(0) { $0 + $1.count })
        return work
    }
}

/// What requests may ask for, and how many at a time.
package struct ServingLimits: Sendable {
    /// Texts that run at the same time.
    package var batch = 16
    /// Texts that wait.
    package var queue = 128
    /// New tokens of a text.
    package var tokens = 4096
    /// Bytes of a body.
    package var body = 8 << 20
    /// Bytes of all bodies together that are being read or prepared.
    var bodies: Int { body.multipliedReportingOverflow(by: 8).overflow ? .max : body * 8 }
    /// Seconds from a request to the end of its answer.
    package var seconds = 600
    /// Connections at the same time.
    package var connections = 12_000

    package init() {}
}
