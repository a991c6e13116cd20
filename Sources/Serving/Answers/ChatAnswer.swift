internal import Cambium

/// What `/v1/chat/completions` answers.
struct ChatAnswer: Encodable, Sendable {
    struct Message: Encodable, Sendable {
        let role = "assistant"
        let content: String
        let refusal = OrNull<String>(nil)
    }

    struct Choice: Encodable, Sendable {
        let index: Int
        let message: Message
        let logprobs: OrNull<ChatChances>
        let finish_reason: String
    }

    let id: String
    let object = "chat.completion"
    let created: Int64
    let model: String
    let system_fingerprint: String
    let choices: [Choice]
    let usage: UsageAnswer
}

/// A part of an answer of `/v1/chat/completions`.
struct ChatPart: Encodable, Sendable {
    struct Delta: Encodable, Sendable {
        var role: String?
        var content: String?
    }

    struct Choice: Encodable, Sendable {
        let index: Int
        let delta: Delta
        let logprobs: OrNull<ChatChances>
        let finish_reason: OrNull<String>
    }

    let id: String
    let object = "chat.completion.chunk"
    let created: Int64
    let model: String
    let system_fingerprint: String
    let choices: [Choice]
    let usage: UsageAnswer?
}

/// How likely tokens of an answer were.
struct ChatChances: Encodable, Sendable {
    struct Chance: Encodable, Sendable {
        let token: String
        let logprob: Double
        let bytes: [UInt8]
        let top_logprobs: [Alternative]
    }

    struct Alternative: Encodable, Sendable {
        let token: String
        let logprob: Double
        let bytes: [UInt8]
    }

    let content: [Chance]
    let refusal = OrNull<[Chance]>(nil)

    init(_ chances: [TokenChance], _ model: MappedModel) throws {
        content = try chances.map { chance in
            let text = try TokenText(chance.token, model)
            return Chance(
                token: text.text, logprob: chance.logProbability, bytes: text.bytes,
                top_logprobs: try chance.alternatives.map { other in
                    let text = try TokenText(other.token, model)
                    return Alternative(
                        token: text.text, logprob: other.logProbability, bytes: text.bytes)
                })
        }
    }
}

extension GenerationEnd {
    /// As OpenAI's interface has it.
    var finishReason: String { self == .stop ? "stop" : "length" }
}
