internal import FoundationEssentials
internal import Models
internal import Templates

extension MappedModel {
    /// Whether a chat template was committed with the model: chat_template.jinja, or one in tokenizer_config.json.
    ///
    /// - Throws: `bad-tokenizer`, `unsupported`, `too-hard` for a template that cannot be read.
    public func hasChatTemplate() throws -> Bool { try running.vocabulary.chatTemplate() != nil }

    /// What the model reads for a conversation, up to where its answer begins.
    ///
    /// - Parameter chat: At least one message.
    /// - Throws: `unsupported` for a model without a template, or for what of Jinja is not done, by name; `bad-input`
    ///   for a conversation that the template refuses; `bad-tokenizer` for a template that fails, with the line;
    ///   `too-hard` for one that runs away.
    public func prompt(of chat: Chat) throws -> String {
        try running.prompt(of: chat.value, clock: .now)
    }

    /// Answers a conversation.
    ///
    /// The template's special tokens are read as tokens, and none is added in front. What the model writes comes
    /// as it is, reasoning and calls of tools with the special tokens around them, up to a token of ``endTokens``.
    ///
    /// - Parameters:
    ///   - chat: At least one message.
    ///   - count: New tokens to make.
    ///   - sampling: How each is chosen.
    ///   - stops: Texts that end the answer; the result does not hold them.
    ///   - pastEnd: Whether it goes on behind ``endTokens``.
    ///   - threads: Share the work; the result does not depend on them.
    ///   - each: Called with every new byte as soon as it cannot be part of a stop text; returning false stops.
    /// - Throws: As ``prompt(of:)`` and ``generate(_:count:sampling:stops:pastEnd:threads:each:)-([UInt8],_,_,_,_,_,_)``.
    public func generate(
        _ chat: Chat, count: Int, sampling: SamplingOptions = SamplingOptions(),
        stops: [[UInt8]] = [], pastEnd: Bool = false, threads: Int = 1,
        each: (UInt8) -> Bool = { _ in true }
    ) throws -> GenerationResult {
        result(
            try running.answer(
                prompt(of: chat), keeping: nil, count: count, sampling: sampling.sampling(),
                stops: stops, pastEnd: pastEnd, threads: threads, eachByte: each))
    }
}

/// A conversation with a model: what it has read stays read, as long as the template lets what was said stand.
///
/// ```swift
/// let conversation = try Conversation(model, Chat(system: "Be brief."))
/// conversation.chat.add("user", "Hello")
/// let answer = try conversation.answer(count: 100)
/// ```
///
/// Not to be shared between threads.
public final class Conversation {
    /// What was said; answers are added.
    public var chat: Chat
    private let model: MappedModel
    private let text: GrowingText

    /// Begins, or goes on with, a conversation.
    ///
    /// - Parameters:
    ///   - model: Who answers.
    ///   - chat: What was said before.
    ///   - threads: Share the work; answers do not depend on them.
    /// - Throws: `bad-input` for no threads.
    public init(_ model: MappedModel, _ chat: Chat = Chat(), threads: Int = 1) throws {
        self.model = model
        self.chat = chat
        text = try GrowingText(model.model, threads: threads)
    }

    /// Tokens that the model has read and need not read again.
    public var tokensRead: Int { text.position }

    /// Lets the model answer, and adds the answer to the conversation.
    ///
    /// - Parameters:
    ///   - count: New tokens to make.
    ///   - sampling: How each is chosen.
    ///   - stops: Texts that end the answer; the result does not hold them.
    ///   - pastEnd: Whether it goes on behind the model's end tokens.
    ///   - each: Called with every new byte as soon as it cannot be part of a stop text; returning false stops.
    /// - Throws: As ``MappedModel/generate(_:count:sampling:stops:pastEnd:threads:each:)-(Chat,_,_,_,_,_,_)``; then
    ///   nothing is added.
    public func answer(
        count: Int, sampling: SamplingOptions = SamplingOptions(), stops: [[UInt8]] = [],
        pastEnd: Bool = false, each: (UInt8) -> Bool = { _ in true }
    ) throws -> GenerationResult {
        let made = try model.running.answer(
            model.prompt(of: chat), keeping: text, count: count, sampling: sampling.sampling(),
            stops: stops, pastEnd: pastEnd, threads: 1, eachByte: each)
        let result = model.result(made)
        chat.value.add(
            answer: result.text, inChannels: try model.running.vocabulary.hasChannels())
        return result
    }
}

extension TemplateClock {
    /// The present moment, as clocks on this machine's wall show it.
    fileprivate static var now: TemplateClock {
        let moment = Date()
        let offset = TimeZone.current.secondsFromGMT(for: moment)
        return TemplateClock(seconds: Int(moment.timeIntervalSince1970) + offset)
    }
}
