internal import Cambium

/// What `/v1/messages` answers.
struct MessageAnswer: Encodable, Sendable {
    struct Content: Encodable, Sendable {
        let type = "text"
        let text: String
        let citations = OrNull<[String]>(nil)
    }

    /// What was used, and, as the interface wants to see, nothing of what is not done here.
    struct Usage: Encodable, Sendable {
        let input_tokens: Int
        let output_tokens: Int
        let cache_creation = OrNull<Int>(nil)
        let cache_creation_input_tokens = 0
        let cache_read_input_tokens = 0
        let inference_geo = OrNull<String>(nil)
        let output_tokens_details = OrNull<Int>(nil)
        let server_tool_use = OrNull<Int>(nil)
        let service_tier = "standard"
    }

    let id: String
    let type = "message"
    let role = "assistant"
    let model: String
    let content: [Content]
    let stop_reason: OrNull<String>
    let stop_sequence: OrNull<String>
    let stop_details = OrNull<String>(nil)
    let container = OrNull<String>(nil)
    let usage: Usage
}

/// Events of a stream of `/v1/messages`.
enum MessageEvent {
    struct Start: Encodable, Sendable {
        let type = "message_start"
        let message: MessageAnswer
    }

    struct BlockStart: Encodable, Sendable {
        let type = "content_block_start"
        let index = 0
        let content_block = MessageAnswer.Content(text: "")
    }

    struct BlockDelta: Encodable, Sendable {
        struct Delta: Encodable, Sendable {
            let type = "text_delta"
            let text: String
        }

        let type = "content_block_delta"
        let index = 0
        let delta: Delta
    }

    struct BlockStop: Encodable, Sendable {
        let type = "content_block_stop"
        let index = 0
    }

    struct Delta: Encodable, Sendable {
        struct End: Encodable, Sendable {
            let stop_reason: String
            let stop_sequence: OrNull<String>
        }

        let type = "message_delta"
        let delta: End
        let usage: MessageAnswer.Usage
    }

    struct Stop: Encodable, Sendable {
        let type = "message_stop"
    }
}

/// An error as Anthropic's interface tells it.
struct MessageErrorAnswer: Encodable, Sendable {
    struct Detail: Encodable, Sendable {
        let type: String
        let message: String
    }

    let type = "error"
    let error: Detail

    init(_ error: APIError) {
        let type =
            switch error.kind {
            case .unauthorized: "authentication_error"
            case .forbidden, .misdirected: "permission_error"
            case .notFound, .methodNotAllowed: "not_found_error"
            case .tooLarge: "request_too_large"
            case .tooManyRequests: "rate_limit_error"
            case .unavailable: "overloaded_error"
            case .failed: "api_error"
            case .badRequest: "invalid_request_error"
            }
        self.error = Detail(type: type, message: error.message)
    }
}

/// How many tokens a prompt has.
struct TokenCountAnswer: Encodable, Sendable {
    let input_tokens: Int
}

extension Choices.Choice {
    /// Why the text ended, as Anthropic's interface has it, and the stop text that came.
    var stopReason: (reason: String, stop: String?) {
        guard end == .stop else { return ("max_tokens", nil) }
        guard let stop else { return ("end_turn", nil) }
        return ("stop_sequence", String(decoding: stop, as: UTF8.self))
    }
}
