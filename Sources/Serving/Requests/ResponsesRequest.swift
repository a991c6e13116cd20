internal import Cambium

/// What `/v1/responses` is asked for.
struct ResponsesRequest: Sendable {
    let model: String
    let chat: Chat
    /// What was said, for models that are picked by it.
    let text: String
    let instructions: String?
    let effort: String?
    let wishes: TextWishes

    /// - Throws: ``APIError``.
    init(_ body: [UInt8]) throws {
        var fields = try RequestFields(body: body)
        model = try fields.required("model")
        var wishes = TextWishes()
        wishes.count = try fields.whole("max_output_tokens", in: 1 ... .max)
        wishes.countField = "max_output_tokens"
        wishes.temperature = try fields.number("temperature", in: 0...2) ?? 1
        wishes.topP = try fields.number("top_p", in: 0.000_001...1) ?? 1
        wishes.streams = try fields.flag("stream") ?? false
        self.wishes = wishes
        var chat = Chat()
        var text = ""
        instructions = try fields.string("instructions")
        if let instructions { chat.add("system", instructions) }
        guard let input = fields.take("input") else {
            throw APIError(
                .badRequest, "input is missing", field: "input",
                code: "missing_required_parameter")
        }
        if let words = input.string {
            chat.add("user", words)
            text = words
        } else {
            guard let items = input.array else {
                throw fields.fault("input", "is neither a text nor an array of messages")
            }
            for item in items {
                let (role, words) = try Self.message(item)
                chat.add(role, words)
                if role == "user" { text += words + "\n" }
            }
        }
        guard chat.count > 0 else {
            throw fields.fault("input", "is neither a text nor an array with a message")
        }
        var effort: String?
        if var reasoning = try fields.fields("reasoning") {
            effort = try reasoning.string("effort")
            try reasoning.refuse("summary")
            try reasoning.end()
        }
        if let effort { chat.set("reasoning_effort", text: effort) }
        self.effort = effort
        self.chat = chat
        self.text = text
        if var format = try fields.fields("text") {
            try format.refuse("format") { $0["type"]?.string == "text" }
            try format.refuse("verbosity") { $0.string == "medium" }
            try format.end()
        }
        try fields.refuse("tools") { $0.array?.isEmpty ?? false }
        try fields.refuse("tool_choice") { ["auto", "none"].contains($0.string) }
        try fields.refuse("previous_response_id")
        try fields.refuse("conversation")
        try fields.refuse("prompt")
        try fields.refuse("background") { $0.bool == false }
        try fields.refuse("store") { $0.bool == false }
        try fields.refuse("truncation") { $0.string == "disabled" }
        try fields.refuse("include") { $0.array?.isEmpty ?? false }
        try fields.refuse("top_logprobs") { $0.whole == 0 }
        try fields.refuse("presence_penalty") { $0.number == 0 }
        try fields.refuse("frequency_penalty") { $0.number == 0 }
        fields.ignore(
            "user", "metadata", "safety_identifier", "prompt_cache_key", "prompt_cache_retention",
            "service_tier", "parallel_tool_calls", "max_tool_calls", "stream_options")
        try fields.end()
    }

    /// Who says what in an item.
    private static func message(_ item: JSONValue) throws -> (role: String, text: String) {
        var members = try RequestFields(item, prefix: "input.")
        let type = try members.string("type") ?? "message"
        guard type == "message" else {
            throw members.fault("type", "is \(quoted(type)); this server reads messages")
        }
        let role = try members.required("role")
        guard ["user", "assistant", "system", "developer"].contains(role) else {
            throw members.fault("role", "is \(quoted(role))")
        }
        guard let content = members.take("content") else {
            throw members.fault("content", "is missing")
        }
        members.ignore("id", "status", "phase")
        try members.end()
        if let words = content.string { return (role == "developer" ? "system" : role, words) }
        guard let parts = content.array else {
            throw members.fault("content", "is neither a text nor an array of parts")
        }
        let words = try parts.map { part in
            let type = part["type"]?.string ?? ""
            guard ["input_text", "output_text", "text"].contains(type),
                let text = part["text"]?.string
            else {
                throw members.fault(
                    "content",
                    "has a part of the type \(quoted(type)), which models here do not read; give texts"
                )
            }
            return text
        }
        return (role == "developer" ? "system" : role, words.joined())
    }
}
