internal import Templates

/// A conversation as a model's chat template reads it: messages with roles, and what tools there are.
///
/// ```swift
/// var chat = Chat(system: "Answer in one line.")
/// chat.add("user", "What is 3 + 4?")
/// let answer = try model.generate(chat, count: 100)
/// ```
public struct Chat: Sendable {
    var value: Templates.Chat

    /// A conversation that nobody has said anything in.
    ///
    /// - Parameter system: What a message of the role `system` says first; nil for none.
    public init(system: String? = nil) {
        value = Templates.Chat()
        if let system { value.add(role: "system", content: system) }
    }

    /// Reads messages in the form that transformers and OpenAI's interface take.
    ///
    /// - Parameters:
    ///   - json: `[{"role": "user", "content": "…"}]`, or an object with `messages` and, where there are some,
    ///     `tools`, `documents` and `chat_template_kwargs`. What a message has beside its role goes to the
    ///     template as it is.
    ///   - source: What it is read from, for messages.
    /// - Throws: `bad-input` for what is neither.
    public init(json: [UInt8], source: String = "the conversation") throws {
        value = try Templates.Chat(json: json, source: source)
    }

    /// Adds a message.
    ///
    /// - Parameters:
    ///   - role: `user`, `assistant`, `tool`, `system`, or what else the template knows.
    ///   - content: What it says.
    public mutating func add(_ role: String, _ content: String) {
        value.add(role: role, content: content)
    }

    /// Puts a system message in front, in the place of one that is there.
    ///
    /// - Parameter content: What it says.
    public mutating func setSystem(_ content: String) {
        value.begin(role: "system", content: content)
    }

    /// Makes one text of each content that is a list of texts, as OpenAI's interface allows and many templates do not.
    ///
    /// - Throws: `unsupported` for a part that is no text, such as an image.
    public mutating func joinTexts() throws { try value.joinTexts() }

    /// Sets what a template asks for by name, such as `enable_thinking` or `reasoning_effort`.
    ///
    /// - Parameters:
    ///   - name: The name.
    ///   - json: A value in JSON; what is none is taken as a text.
    public mutating func set(_ name: String, _ json: String) {
        let parsed = try? TemplateData(
            parsing: Array(json.utf8), source: name, code: .badInput)
        value.options.removeAll { $0.name == name }
        value.options.append(TemplateData.Member(name, parsed ?? .string(json)))
    }

    /// Sets what a template asks for by name to a text, whatever that looks like.
    ///
    /// - Parameters:
    ///   - name: The name.
    ///   - text: Its value.
    public mutating func set(_ name: String, text: String) {
        value.options.removeAll { $0.name == name }
        value.options.append(TemplateData.Member(name, .string(text)))
    }

    /// Whether it has more than messages for the template: tools, documents, or what is asked for by name.
    public var hasOptions: Bool {
        value.tools != nil || value.documents != nil || !value.options.isEmpty
    }

    /// Messages so far.
    public var count: Int { value.messages.count }

    /// The role of the last message; nil where there is none.
    public var lastRole: String? { value.messages.last?["role"]?.string }
}
