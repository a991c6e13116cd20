internal import Cambium

/// What `/v1/messages` is asked for, in Anthropic's interface.
struct MessagesRequest: Sendable {
    let model: String
    let chat: Chat
    /// What was said, for models that are picked by it.
    let text: String
    let wishes: TextWishes

    /// - Parameter counts: Whether only the prompt's tokens are asked for, so that nothing is written.
    /// - Throws: ``APIError``.
    init(_ body: [UInt8], counts: Bool = false) throws {
        var fields = try RequestFields(body: body)
        model = try fields.required("model")
        var wishes = TextWishes()
        wishes.count = try fields.whole("max_tokens", in: 1 ... .max)
        guard counts || wishes.count != nil else {
            throw APIError(
                .badRequest, "max_tokens is missing", field: "max_tokens",
                code: "missing_required_parameter")
        }
        wishes.temperature = try fields.number("temperature", in: 0...1) ?? 1
        wishes.topP = try fields.number("top_p", in: 0.000_001...1) ?? 1
        wishes.stops = try fields.stops("stop_sequences")
        wishes.streams = try fields.flag("stream") ?? false
        self.wishes = wishes
        var chat = Chat()
        var text = ""
        if let system = fields.take("system") {
            chat.setSystem(try Self.text(system, "system"))
        }
        guard let messages = fields.take("messages")?.array, !messages.isEmpty else {
            throw fields.fault("messages", "is missing, or no array with a message")
        }
        for message in messages {
            var members = try RequestFields(message, prefix: "messages.")
            let role = try members.required("role")
            guard ["user", "assistant"].contains(role) else {
                throw members.fault("role", "is \(quoted(role)); give user or assistant")
            }
            guard let content = members.take("content") else {
                throw members.fault("content", "is missing")
            }
            try members.end()
            let words = try Self.text(content, "messages.content")
            chat.add(role, words)
            if role == "user" { text += words + "\n" }
        }
        self.chat = chat
        self.text = text
        try fields.refuse("tools") { $0.array?.isEmpty ?? false }
        try fields.refuse("tool_choice") { ["auto", "none"].contains($0["type"]?.string) }
        try fields.refuse("thinking") { $0["type"]?.string == "disabled" }
        try fields.refuse("top_k") { $0.whole.map { $0 <= 0 } ?? false }
        try fields.refuse("mcp_servers") { $0.array?.isEmpty ?? false }
        try fields.refuse("container")
        fields.ignore("metadata", "service_tier")
        try fields.end()
    }

    /// A text, or several in parts.
    private static func text(_ value: JSONValue, _ name: String) throws -> String {
        if let text = value.string { return text }
        guard let parts = value.array else {
            throw APIError(
                .badRequest, "\(name) is neither a text nor an array of parts", field: name,
                code: "invalid_value")
        }
        return try parts.map { part in
            guard part["type"]?.string == "text", let text = part["text"]?.string else {
                throw APIError(
                    .badRequest,
                    "\(name) has a part of the type \(quoted(part["type"]?.string ?? "")), which models here do "
                        + "not read; give texts", field: name, code: "unsupported_parameter")
            }
            return text
        }.joined()
    }
}
