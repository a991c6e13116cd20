internal import Cambium
internal import FoundationEssentials
internal import Hummingbird
internal import Synchronization

/// `/v1/embeddings`: means of the states behind the last layer.
struct EmbeddingsRoute: Sendable {
    let engine: Engine

    private static let mostTexts = 2048

    func answer(_ body: [UInt8], _ context: ServingContext) async throws -> Response {
        var fields = try RequestFields(body: body)
        let name = try fields.required("model")
        let inputs = try CompletionRequest.prompts("input", &fields)
        let form = try fields.string("encoding_format") ?? "float"
        guard ["float", "base64"].contains(form) else {
            throw fields.fault("encoding_format", "is \(quoted(form)); give float or base64")
        }
        try fields.refuse("dimensions")
        fields.ignore("user")
        try fields.end()
        guard inputs.count <= Self.mostTexts else {
            throw fields.fault("input", "has \(inputs.count) texts; give at most \(Self.mostTexts)")
        }
        let (loaded, chosen) = try await engine.model(
            name, for: inputs.compactMap { $0.text }.first)
        let model = loaded.model
        let texts = try await engine.reading.run {
            try inputs.map { input in
                switch input {
                case .text(let bytes): try model.promptTokens(of: bytes)
                case .tokens(let tokens): tokens
                }
            }
        }
        let gone = Flag()
        await context.whenGone { gone.set() }
        let deadline = ContinuousClock.now + .seconds(engine.limits.seconds)
        let made = try await engine.embeddings.compute(texts, on: loaded) {
            gone.isSet || deadline < .now
        }
        let count = texts.reduce(0) { $0 + $1.count }
        engine.metrics.count(\.promptTokens, by: count)
        return .json(
            EmbeddingsAnswer(
                data: made.enumerated().map { index, vector in
                    .init(
                        embedding: form == "float" ? .numbers(vector) : .text(Self.base64(vector)),
                        index: index)
                }, model: chosen, usage: .init(prompt_tokens: count, total_tokens: count),
                system_fingerprint: loaded.commit),
            commit: loaded.commit)
    }

    /// Floats as OpenAI's client reads them.
    private static func base64(_ vector: [Float]) -> String {
        Data(
            vector.flatMap { value in
                (0..<4).map { UInt8(truncatingIfNeeded: value.bitPattern >> (8 * $0)) }
            }
        ).base64EncodedString()
    }
}

/// What `/v1/embeddings` answers.
struct EmbeddingsAnswer: Encodable, Sendable {
    enum Vector: Encodable, Sendable {
        case numbers([Float])
        case text(String)

        func encode(to encoder: any Encoder) throws {
            var container = encoder.singleValueContainer()
            switch self {
            case .numbers(let numbers): try container.encode(numbers)
            case .text(let text): try container.encode(text)
            }
        }
    }

    struct Entry: Encodable, Sendable {
        let object = "embedding"
        let embedding: Vector
        let index: Int
    }

    struct Usage: Encodable, Sendable {
        let prompt_tokens: Int
        let total_tokens: Int
    }

    let object = "list"
    let data: [Entry]
    let model: String
    let usage: Usage
    let system_fingerprint: String
}

/// Something that happens once, seen by several threads.
private final class Flag: Sendable {
    private let state = Mutex(false)

    var isSet: Bool { state.withLock { $0 } }

    func set() { state.withLock { $0 = true } }
}
