internal import Elements

/// What makes one text of a conversation: the template that came with a model.
package struct ChatTemplate: Sendable {
    private let standard: Template?
    /// The one for conversations with tools, if it is another.
    private let withTools: Template?
    /// `bos_token` and the like.
    private let tokens: [TemplateData.Member]

    /// The files that it is read from.
    private static let settings = "tokenizer_config.json"
    package static let fileName = "chat_template.jinja"

    /// Finds the template among a model's files; nil where there is none.
    ///
    /// - Parameter file: A file's bytes by its name, nil where there is none.
    /// - Throws: `.badTokenizer` for files that are not what they should be; what ``Template/init(_:)`` throws; what
    ///   reading throws.
    package init?(_ file: (String) throws -> [UInt8]?) throws {
        func read(_ name: String) throws -> TemplateData? {
            try file(name).map {
                try TemplateData(parsing: $0, source: name, code: .badTokenizer)
            }
        }
        let settings = try read(Self.settings)
        var sources: [String: String] = [:]
        if let bytes = try file(Self.fileName) {
            guard let text = String(validating: bytes, as: UTF8.self) else {
                throw CambiumError(.badTokenizer, "\(Self.fileName) is not UTF-8")
            }
            sources["default"] = text
        } else if let found = settings?["chat_template"], found != .null {
            sources = try Self.named(found, Self.settings)
        } else if let found = try read("chat_template.json")?["chat_template"], found != .null {
            sources = try Self.named(found, "chat_template.json")
        }
        guard !sources.isEmpty else { return nil }
        func template(_ name: String) throws -> Template? {
            try sources[name].map { source in
                try Self.explained { try Template(source) }
            }
        }
        standard = try template("default")
        withTools = try template("tool_use")
        guard standard != nil || withTools != nil else {
            throw CambiumError(
                .unsupported,
                "the chat templates of this model are named \(sources.keys.sorted().joined(separator: ", ").shortened); "
                    + "one named 'default' or 'tool_use' is needed")
        }
        var tokens: [TemplateData.Member] = []
        for source in [try read("special_tokens_map.json"), settings] {
            for member in source?.object ?? [] where member.name.hasSuffix("_token") {
                guard let text = member.value.string ?? member.value["content"]?.string else {
                    continue
                }
                tokens.removeAll { $0.name == member.name }
                tokens.append(TemplateData.Member(member.name, .string(text)))
            }
        }
        self.tokens = tokens
    }

    private static func named(_ found: TemplateData, _ file: String) throws -> [String: String] {
        if let text = found.string { return ["default": text] }
        var sources: [String: String] = [:]
        // transformers writes a list of names and templates, and reads an object of them, too.
        let entries =
            found.object?.map { (name: $0.name, template: Optional($0.value)) }
            ?? (found.array ?? []).compactMap { entry in
                entry["name"]?.string.map { (name: $0, template: entry["template"]) }
            }
        for (name, template) in entries {
            if let text = template?.string {
                sources[name] = text
            } else if name == "default" || name == "tool_use" {
                throw CambiumError(
                    .badTokenizer, "chat_template of \(file): the one named '\(name)' is no text")
            }
        }
        guard !sources.isEmpty else {
            throw CambiumError(
                .badTokenizer,
                "chat_template of \(file) is neither a text nor a list or object of named ones"
            )
        }
        return sources
    }

    /// What the model reads for a conversation.
    ///
    /// - Parameter addsPrompt: Whether it ends in what begins an answer.
    /// - Throws: `.badInput` for a conversation without messages, for one that the template refuses, and for one that it
    ///   makes nothing of; as ``Template/render(_:clock:work:)``.
    package func text(
        of chat: Chat, addsPrompt: Bool = true, clock: TemplateClock
    ) throws -> String {
        guard !chat.messages.isEmpty else {
            throw CambiumError(.badInput, "the conversation has no message; give at least one")
        }
        let hasTools = chat.tools != nil
        guard let template = hasTools ? withTools ?? standard : standard else {
            throw CambiumError(
                .unsupported,
                "the model's chat template is for conversations with tools alone, and this one has none"
            )
        }
        var variables = tokens
        func set(_ name: String, _ value: TemplateData) {
            variables.removeAll { $0.name == name }
            variables.append(TemplateData.Member(name, value))
        }
        set("messages", .array(chat.messages.map(Self.reasoned)))
        set("tools", chat.tools.map { .array($0) } ?? .null)
        set("documents", chat.documents.map { .array($0) } ?? .null)
        set("add_generation_prompt", .bool(addsPrompt))
        for option in chat.options { set(option.name, option.value) }
        let text = try Self.explained {
            try template.render(variables.map { ($0.name, $0.value) }, clock: clock)
        }
        guard !text.isEmpty else {
            throw CambiumError(
                .badInput, "the model's chat template makes no text of this conversation")
        }
        return text
    }

    private static func explained<Result>(_ body: () throws -> Result) throws -> Result {
        do { return try body() } catch let error as CambiumError {
            // A template may put a text of any length into its words.
            throw CambiumError(
                error.code, "the model's chat template: \(error.message.shortened)", cause: error)
        }
    }

    /// A message with its reasoning under all names that templates know, as transformers gives it.
    private static func reasoned(_ message: TemplateData) -> TemplateData {
        guard case .object(var members) = message,
            let reasoning = ["reasoning_content", "thinking", "reasoning"].lazy
                .compactMap({ message[$0] }).first
        else { return message }
        if message["thinking"] == nil {
            members.insert(TemplateData.Member("thinking", reasoning), at: 0)
        }
        if let place = members.firstIndex(where: { $0.name == "reasoning_content" }) {
            members[place] = TemplateData.Member("reasoning_content", reasoning)
        } else {
            members.append(TemplateData.Member("reasoning_content", reasoning))
        }
        return .object(members)
    }
}

extension String {
    /// What a message may show of a text that a model came with.
    fileprivate var shortened: String {
        let most = 1000
        guard unicodeScalars.count > most else { return self }
        return String(String.UnicodeScalarView(unicodeScalars.prefix(most))) + "…"
    }
}
