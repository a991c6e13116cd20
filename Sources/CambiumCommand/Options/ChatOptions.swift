internal import ArgumentParser
internal import Cambium

/// What `generate` asks of a conversation.
struct ChatOptions: ParsableArguments {
    @Flag(help: "Answer a conversation, by the model's chat template.")
    var chat = false

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("With --chat: the system message.", valueName: "text"))
    var system: String?

    @Option(
        help: ArgumentHelp(
            "With --chat: a JSON file of messages, or of an object with messages and tools.",
            valueName: "file"),
        completion: .file())
    var messages: String?

    @Option(
        parsing: .unconditionalSingleValue,
        help: ArgumentHelp(
            "With --chat: what the template asks for by name, such as enable_thinking=false.",
            valueName: "name=value"))
    var templateOption: [TextPair] = []

    /// - Parameters:
    ///   - prompts: Of --prompt.
    ///   - hasOthers: Whether prompts come from elsewhere, or as tokens.
    func validate(prompts: [String], hasOthers: Bool) throws {
        guard chat else {
            let isAlone = system == nil && messages == nil && templateOption.isEmpty
            guard isAlone else {
                throw ValidationError("--system, --messages and --template-option go with --chat")
            }
            return
        }
        if hasOthers { throw ValidationError("--chat goes with none of --prompts and --tokens") }
        if prompts.count > 1 {
            throw ValidationError("--chat takes one --prompt; give --messages for more")
        }
        if prompts.first == "-", messages == "-" {
            throw ValidationError("standard input can be read once")
        }
        _ = try dictionary(templateOption.map { ($0.key, $0.value) }, "--template-option")
    }

    /// The conversation so far.
    ///
    /// - Parameter prompt: What the user says at its end; nil for nothing.
    func conversation(_ prompt: String?, _ console: Console) throws -> Chat {
        var chat = Chat()
        if let messages {
            let json = try Terminal.read(messages, folder: "name a file of messages in it")
            chat = try Chat(json: json, source: source)
        }
        if let system { chat.setSystem(system) }
        for option in templateOption { chat.set(option.key, option.value) }
        if let prompt { chat.add("user", prompt == "-" ? try text(prompt, console) : prompt) }
        return chat
    }

    /// What the messages are read from, for people.
    var source: String { messages == "-" ? "standard input" : messages ?? "the conversation" }

    /// What a person says in a file, or on standard input.
    ///
    /// - Throws: `usage` for a text without a word.
    func text(_ path: String, _ console: Console) throws -> String {
        let bytes = try Terminal.read(path)
        let name = path == "-" ? "standard input" : path
        let text = String(decoding: bytes, as: UTF8.self)
        guard !text.allSatisfy(\.isWhitespace) else {
            throw Failure(
                .usage, "\(name) has no text that the user could say",
                hint: "give it there, or with --prompt")
        }
        if !Self.isText(bytes) { console.note(Self.repaired(name)) }
        return text
    }

    /// Whether bytes are UTF-8.
    static func isText(_ bytes: [UInt8]) -> Bool { String(validating: bytes, as: UTF8.self) != nil }

    /// What is said of bytes that a tokenizer or a template cannot read.
    static func repaired(_ name: String) -> String {
        "note: \(name) is not UTF-8: what is none is read as U+FFFD"
    }
}
