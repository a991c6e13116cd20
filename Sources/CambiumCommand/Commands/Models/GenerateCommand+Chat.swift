internal import Cambium

/// Answers in a conversation.
extension GenerateCommand {
    func runChat(_ model: MappedModel, _ console: Console) throws {
        guard try model.hasChatTemplate() else {
            throw Failure(
                .unsupported,
                "no chat template was committed with this model: neither chat_template.jinja nor one in "
                    + "tokenizer_config.json",
                hint:
                    "commit the checkpoint with one of them, or leave --chat out and give the text itself"
            )
        }
        var chat = try self.chat.conversation(prompt.first, console)
        if prompt.isEmpty, let role = chat.waitingRole {
            if Terminal.isInputTerminal, self.chat.messages != "-" {
                return try talk(model, chat, console)
            }
            guard self.chat.messages == nil else {
                throw Failure(
                    .usage,
                    role.isEmpty
                        ? "\(self.chat.source) has no message"
                        : "the last message of \(self.chat.source) is of the role \(role), so that nobody asks anything",
                    hint:
                        "give --prompt with what the user says, or - to read it from standard input"
                )
            }
            chat.add("user", try self.chat.text("-", console))
        }
        let conversation = try Conversation(
            model, chat, threads: threads ?? Terminal.processors)
        _ = try answer(conversation, model, console)
    }

    /// Reads what a person says, line by line, until `/exit` or the end.
    ///
    /// A turn that fails is told and taken back, and one that Ctrl-C stops keeps what was written.
    private func talk(_ model: MappedModel, _ chat: Chat, _ console: Console) throws {
        let conversation = try Conversation(
            model, chat, threads: threads ?? Terminal.processors)
        Interrupt.say("the conversation is over")
        console.note(console.errorStyle.faint("/exit or Ctrl-D ends the conversation"))
        while true {
            Terminal.write(console.errorStyle.faint("> "), to: .error)
            guard let line = Terminal.line() else { break }
            let text = String(decoding: line, as: UTF8.self)
            let word = text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
            if word == "/exit" { return }
            guard !word.isEmpty else { continue }
            if !ChatOptions.isText(line) { console.note(ChatOptions.repaired("the line")) }
            let before = conversation.chat
            conversation.chat.add("user", text)
            do {
                let end = try Interrupt.pausing {
                    try answer(conversation, model, console) { !Interrupt.isAsked }
                }
                if end.isEmpty {
                    conversation.chat = before
                    console.note("note: stopped before a word; what was asked is taken back")
                } else if end.reason == .context {
                    console.note("note: the conversation is over; begin another one")
                    return
                }
            } catch let error as CambiumError {
                conversation.chat = before
                console.tell(Self.inTurn(Failure(error), error.code))
            }
        }
        console.note("")
    }

    private static func inTurn(_ failure: Failure, _ code: CambiumError.Code) -> Failure {
        var failure = failure
        if code == .contextFull {
            failure.hint =
                "what was said before counts too: give a shorter line, or /exit and begin another conversation"
        }
        return failure
    }

    /// - Parameter goesOn: Asked with every byte; returning false stops the answer.
    /// - Returns: Why the answer ended, and whether it was stopped without a byte.
    private func answer(
        _ conversation: Conversation, _ model: MappedModel, _ console: Console,
        goesOn: () -> Bool = { true }
    ) throws -> (reason: GenerationEnd, isEmpty: Bool) {
        var meter = MemoryMeter()
        var written = 0
        let isWatched = Terminal.isTerminal(.output)
        let result = try conversation.answer(
            count: count,
            sampling: SamplingOptions(temperature: temperature, topP: topP, seed: seed),
            stops: stop.map { Array($0.utf8) }, pastEnd: pastEnd
        ) { byte in
            guard goesOn() else { return false }
            if !console.isJSON { console.write(isWatched ? [byte.visible] : [byte]) }
            if stats, written.isMultiple(of: 16) { meter.sample(model.statistics) }
            written += 1
            return true
        }
        if stats { meter.sample(model.statistics) }
        if isWatched, !console.isJSON { console.write([UInt8(ascii: "\n")]) }
        let report = GenerateReport(
            result: result, memory: stats ? meter.peak : nil, prompt: nil)
        if console.isJSON {
            console.show(each: [report], lines: [], paged: false)
        } else if stats {
            if !isWatched { console.note("") }
            let runs = model.statistics.lines.map(console.errorStyle.faint)
            (report.lines(console.errorStyle) + runs).forEach(console.note)
        }
        if result.end == .context {
            console.note("note: the model's context of \(model.contextLength) is full")
        }
        return (result.end, written == 0 && result.end == .receiver)
    }
}

extension Chat {
    /// The role of the last message where somebody is to speak before the model does: empty without messages, nil where
    /// nobody is.
    fileprivate var waitingRole: String? {
        guard let last = lastRole else { return "" }
        return last == "system" || last == "assistant" ? last : nil
    }
}
