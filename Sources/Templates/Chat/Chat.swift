internal import Elements

/// A conversation as a chat template reads it: messages, what tools there are, and the template's own options.
package struct Chat: Sendable {
    /// Each an object with a `role`.
    package private(set) var messages: [TemplateData]
    /// What may be called, as JSON schemas; nil for none.
    package var tools: [TemplateData]?
    /// Texts to answer from; nil for none.
    package var documents: [TemplateData]?
    /// What else a template asks for by name, such as `enable_thinking`.
    package var options: [TemplateData.Member] = []

    /// What every template is told.
    private static let own = ["messages", "tools", "documents", "add_generation_prompt"]

    package init() { messages = [] }

    /// Reads `[{"role": …, "content": …}, …]`, or an object with `messages` and, where there are some, `tools`,
    /// `documents` and `chat_template_kwargs`.
    ///
    /// - Throws: `.badInput` for what is neither.
    package init(json: [UInt8], source: String) throws {
        let data = try TemplateData(parsing: json, source: source, code: .badInput)
        guard let found = data.array ?? data["messages"]?.array else {
            throw CambiumError(
                .badInput,
                "\(source) has no messages; give [{\"role\": \"user\", \"content\": \"…\"}], or an object with "
                    + "\"messages\" and \"tools\"")
        }
        func list(_ name: String) throws -> [TemplateData]? {
            guard let value = data[name], value != .null else { return nil }
            guard let list = value.array, list.allSatisfy({ $0.object != nil }) else {
                throw CambiumError(.badInput, "\(name) of \(source) is no array of objects")
            }
            return list
        }
        self.init()
        for message in found { try add(message, source) }
        tools = try list("tools")
        documents = try list("documents")
        if let more = data["chat_template_kwargs"], more != .null {
            guard let members = more.object else {
                throw CambiumError(.badInput, "chat_template_kwargs of \(source) is no object")
            }
            if let taken = members.first(where: { Self.own.contains($0.name) }) {
                throw CambiumError(
                    .badInput,
                    "chat_template_kwargs of \(source) has \(taken.name), which a template is told by itself; "
                        + "leave it out")
            }
            options = members
        }
    }

    package mutating func add(role: String, content: String) {
        messages.append(
            .object([
                TemplateData.Member("role", .string(role)),
                TemplateData.Member("content", .string(content)),
            ]))
    }

    /// Puts a message in front of the others, in the place of one of the same role.
    package mutating func begin(role: String, content: String) {
        if messages.first?["role"]?.string == role { messages.removeFirst() }
        let others = messages
        messages = []
        add(role: role, content: content)
        messages += others
    }

    /// Adds what a model wrote.
    ///
    /// - Parameter inChannels: Whether the model writes in channels (GPT-OSS): then the final one's text is the content,
    ///   and the others are reasoning. An answer that broke off before it has no content, or what was said before a call.
    package mutating func add(answer text: String, inChannels: Bool) {
        guard inChannels else { return add(role: "assistant", content: text) }
        let answer = ChannelledAnswer(text)
        var members = [TemplateData.Member("role", .string("assistant"))]
        if !answer.reasoning.isEmpty {
            members.append(TemplateData.Member("reasoning_content", .string(answer.reasoning)))
        }
        messages.append(
            .object(members + [TemplateData.Member("content", .string(answer.content))]))
    }

    /// Makes one text of each content that is a list of texts: many templates know no lists.
    ///
    /// - Throws: `.unsupported` for a part that is no text, such as an image.
    package mutating func joinTexts() throws {
        messages = try messages.map { message in
            guard let parts = message["content"]?.array else { return message }
            let texts = try parts.map { part in
                if let text = part.string { return text }
                let type = part["type"]?.string ?? "text"
                guard type.hasSuffix("text"), let text = part["text"]?.string else {
                    throw CambiumError(
                        .unsupported,
                        "a message has content of the type \(quoted(type)), which the model does not read; give texts"
                    )
                }
                return text
            }
            return .object(
                (message.object ?? []).map { member in
                    member.name == "content"
                        ? TemplateData.Member("content", .string(texts.joined())) : member
                })
        }
    }

    private mutating func add(_ message: TemplateData, _ source: String) throws {
        guard let members = message.object, message["role"]?.string != nil else {
            throw CambiumError(
                .badInput,
                "message \(messages.count + 1) of \(source) has no role; a message is {\"role\": \"user\", "
                    + "\"content\": \"…\"}")
        }
        // As transformers does: templates test whether a member is there.
        messages.append(.object(members.filter { $0.value != .null }))
    }
}
