internal import Architectures
internal import Elements
internal import Objects
package import Templates

extension SnapshotModel {
    /// What the model reads for a conversation, up to where its answer begins.
    ///
    /// - Throws: `.unsupported` for a model without a template; as `ChatTemplate.text`.
    package func prompt(of chat: Chat, clock: TemplateClock) throws -> String {
        guard let template = try vocabulary.chatTemplate() else {
            throw CambiumError(
                .unsupported,
                "\(commit.short) has no chat template: neither \(ChatTemplate.fileName) nor one in "
                    + "tokenizer_config.json was committed with it; commit the checkpoint with one of them, or "
                    + "give the text itself without --chat")
        }
        return try template.text(of: chat, clock: clock)
    }

    /// Answers a conversation.
    ///
    /// Special tokens of the template's text become tokens, and none is added: a template begins with the start
    /// token itself. Special tokens that the model writes, such as those around reasoning and calls of tools, are
    /// part of the answer.
    ///
    /// - Parameters:
    ///   - text: Keeps what was read for the next turn; nil for one turn alone.
    ///   - pastEnd: Whether it goes on behind the model's end tokens.
    package func answer(
        _ prompt: String, keeping text: GrowingText?, count: Int, sampling: Sampling,
        stops: [[UInt8]], pastEnd: Bool, threads: Int, eachByte: (UInt8) -> Bool
    ) throws -> Generation {
        let tokens = try vocabulary.tokens(of: Array(prompt.utf8), addsSpecialTokens: false)
        let limits = GenerationLimits(
            count: count, stops: stops, endTokens: pastEnd ? [] : Set(model.description.endTokens),
            speller: try vocabulary.speller(skipsSpecialTokens: false))
        return try model.generate(
            prompts: [tokens], limits, sampling: sampling, threads: threads, keeping: text,
            eachByte: { eachByte($1) })[0]
    }
}
