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
    func conversation(_ prompt: String?) throws -> Chat {
        var chat = Chat()
        if let messages { chat = try Chat(json: Terminal.read(messages), source: messages) }
        if let system { chat.setSystem(system) }
        for option in templateOption { chat.set(option.key, option.value) }
        if let prompt {
            let bytes = prompt == "-" ? try Terminal.read("-") : Array(prompt.utf8)
            chat.add("user", String(decoding: bytes, as: UTF8.self))
        }
        return chat
    }
}
