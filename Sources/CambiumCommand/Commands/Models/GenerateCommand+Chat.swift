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
        var chat = try self.chat.conversation(prompt.first)
        let waits = chat.count == 0 || chat.lastRole == "system" || chat.lastRole == "assistant"
        if waits, prompt.isEmpty, Terminal.isInputTerminal {
            return try talk(model, chat, console)
        }
        if waits, prompt.isEmpty, self.chat.messages != "-" {
            chat.add("user", String(decoding: try Terminal.read("-"), as: UTF8.self))
        }
        let conversation = try Conversation(
            model, chat, threads: threads ?? Terminal.processors)
        try answer(conversation, model, console)
    }

    /// Reads what a person says, line by line, until `/exit` or the end.
    private func talk(_ model: MappedModel, _ chat: Chat, _ console: Console) throws {
        let conversation = try Conversation(
            model, chat, threads: threads ?? Terminal.processors)
        console.note(console.errorStyle.faint("/exit or Ctrl-D ends the conversation"))
        while true {
            Terminal.write(console.errorStyle.faint("> "), to: .error)
            guard let line = Terminal.line() else { break }
            let text = String(decoding: line, as: UTF8.self)
            let word = text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
            if word == "/exit" { return }
            guard !word.isEmpty else { continue }
            conversation.chat.add("user", text)
            try answer(conversation, model, console)
        }
        console.note("")
    }

    private func answer(
        _ conversation: Conversation, _ model: MappedModel, _ console: Console
    ) throws {
        var meter = MemoryMeter()
        var written = 0
        let isWatched = Terminal.isTerminal(.output)
        let result = try conversation.answer(
            count: count,
            sampling: SamplingOptions(temperature: temperature, topP: topP, seed: seed),
            stops: stop.map { Array($0.utf8) }, pastEnd: pastEnd
        ) { byte in
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
    }
}
