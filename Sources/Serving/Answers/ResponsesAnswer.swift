internal import Cambium

/// What `/v1/responses` answers.
struct ResponsesAnswer: Encodable, Sendable {
    struct Text: Encodable, Sendable {
        let type = "output_text"
        let text: String
        let annotations: [String] = []
        let logprobs: [String] = []
    }

    struct Message: Encodable, Sendable {
        let id: String
        let type = "message"
        let status: String
        let role = "assistant"
        let content: [Text]
    }

    struct Usage: Encodable, Sendable {
        struct Input: Encodable, Sendable { let cached_tokens = 0 }
        struct Output: Encodable, Sendable { let reasoning_tokens = 0 }

        let input_tokens: Int
        let input_tokens_details = Input()
        let output_tokens: Int
        let output_tokens_details = Output()
        let total_tokens: Int
    }

    struct Reason: Encodable, Sendable { let reason: String }

    struct Reasoning: Encodable, Sendable {
        let effort: OrNull<String>
        let summary = OrNull<String>(nil)
    }

    struct Form: Encodable, Sendable {
        struct Format: Encodable, Sendable { let type = "text" }
        let format = Format()
    }

    let id: String
    let object = "response"
    let created_at: Int64
    let completed_at: OrNull<Int64>
    let status: String
    let background = false
    let error: OrNull<ErrorAnswer.Detail>
    let incomplete_details: OrNull<Reason>
    let instructions: OrNull<String>
    let max_output_tokens: OrNull<Int>
    let max_tool_calls = OrNull<Int>(nil)
    let model: String
    let output: [Message]
    let parallel_tool_calls = true
    let previous_response_id = OrNull<String>(nil)
    let prompt_cache_key = OrNull<String>(nil)
    let reasoning: Reasoning
    let safety_identifier = OrNull<String>(nil)
    let service_tier = "default"
    let store = false
    let temperature: Double
    let text = Form()
    let tool_choice = "auto"
    let tools: [String] = []
    let top_logprobs = 0
    let top_p: Double
    let truncation = "disabled"
    let usage: OrNull<Usage>
    let metadata: [String: String] = [:]
    let presence_penalty = 0
    let frequency_penalty = 0
    /// The commit that answers.
    let system_fingerprint: String
}

/// An event of a stream of `/v1/responses`: each has the fields of its type.
struct ResponsesEvent: Encodable, Sendable {
    let type: String
    var sequence_number = 0
    var response: ResponsesAnswer?
    var item: ResponsesAnswer.Message?
    var part: ResponsesAnswer.Text?
    var item_id: String?
    var output_index: Int?
    var content_index: Int?
    var delta: String?
    var text: String?
    var logprobs: [String]?

    init(_ type: String) { self.type = "response." + type }
}
