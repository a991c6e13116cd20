internal import Cambium

/// What `/v1/chat/completions` is asked for.
struct ChatRequest: Sendable {
    let model: String
    /// The conversation, as a model's template reads it.
    let chat: Chat
    /// What was said, for models that are picked by it.
    let text: String
    let wishes: TextWishes
    /// Of how many likeliest tokens the chances are told; nil for no chances.
    let alternatives: Int?

    /// - Throws: ``APIError``.
    init(_ body: [UInt8]) throws {
        var fields = try RequestFields(body: body)
        model = try fields.required("model")
        guard let messages = fields.take("messages")?.array, !messages.isEmpty else {
            throw APIError(
                .badRequest, "messages is missing, or no array with a message", field: "messages",
                code: "missing_required_parameter")
        }
        let texts = try messages.map { ($0["role"]?.string, try Self.text($0)) }
        text = texts.filter { $0.0 == "user" }.map(\.1).joined(separator: "\n")
        var wishes = try fields.wishes()
        let count = try fields.whole("max_completion_tokens", in: 1 ... .max)
        let older = try fields.whole("max_tokens", in: 1 ... .max)
        wishes.count = count ?? older
        if count != nil { wishes.countField = "max_completion_tokens" }
        self.wishes = wishes
        let tells = try fields.flag("logprobs") ?? false
        let most = try fields.whole("top_logprobs", in: 0...CompletionRequest.mostAlternatives)
        guard tells || most == nil else {
            throw fields.fault("top_logprobs", "needs \"logprobs\": true")
        }
        alternatives = tells ? most ?? 0 : nil
        // The chat template reads these.
        for (name, isRight) in [
            ("tools", { $0.array?.allSatisfy { $0.object != nil } ?? false }),
            ("documents", { $0.array?.allSatisfy { $0.object != nil } ?? false }),
            ("chat_template_kwargs", { $0.object != nil }),
        ] as [(String, (JSONValue) -> Bool)] {
            guard let value = fields.take(name), !isRight(value) else { continue }
            throw fields.fault(
                name,
                name == "chat_template_kwargs" ? "is no object" : "is no array of objects")
        }
        try fields.refuse("tool_choice") { ["auto", "none"].contains($0.string) }
        fields.ignore("parallel_tool_calls", "service_tier")
        try fields.refuse("functions")
        try fields.refuse("function_call")
        try fields.refuse("response_format") { $0["type"]?.string == "text" }
        try fields.refuse("modalities") { $0 == .array([.string("text")]) }
        try fields.refuse("audio")
        try fields.refuse("prediction")
        try fields.refuse("web_search_options")
        try fields.refuse("store") { $0.bool == false }
        let effort = try fields.string("reasoning_effort")
        try fields.refuse("verbosity") { $0.string == "medium" }
        try fields.end()
        do {
            var chat = try Chat(json: body, source: "the body")
            try chat.joinTexts()
            if let effort { chat.set("reasoning_effort", text: effort) }
            self.chat = chat
        } catch let error as CambiumError {
            let isOfOptions = error.message.hasPrefix("chat_template_kwargs")
            throw APIError(
                .badRequest, error.message,
                field: isOfOptions ? "chat_template_kwargs" : "messages",
                code: error.code.rawValue)
        }
    }

    /// What a message says, of its texts alone.
    private static func text(_ message: JSONValue) throws -> String {
        guard let content = message["content"], content != .null else { return "" }
        if let text = content.string { return text }
        guard let parts = content.array else {
            throw APIError(
                .badRequest, "the content of a message is neither a text nor an array of parts",
                field: "messages", code: "invalid_value")
        }
        return parts.compactMap { $0["text"]?.string }.joined()
    }
}
