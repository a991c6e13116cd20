internal import Cambium
internal import Hummingbird

/// `/v1/messages` and `/v1/messages/count_tokens`, in Anthropic's interface.
struct MessagesRoute: Sendable {
    let engine: Engine

    func count(_ body: [UInt8]) async throws -> Response {
        let request = try MessagesRequest(body, counts: true)
        let (loaded, _) = try await engine.model(request.model, for: request.text)
        let prompt = try await engine.prompt(of: request.chat, on: loaded)
        return .json(TokenCountAnswer(input_tokens: prompt.count), commit: loaded.commit)
    }

    func answer(_ body: [UInt8], _ context: ServingContext) async throws -> Response {
        let request = try MessagesRequest(body)
        let place = try engine.reserve(1, request.wishes)
        let (loaded, name) = try await engine.model(request.model, for: request.text)
        let prompt = try await engine.prompt(of: request.chat, on: loaded)
        let work = try engine.start(
            [prompt], request.wishes, in: place, on: loaded, of: context.client
        ) {
            $0.spellsSpecialTokens = true
        }
        await context.cancel(work)
        let mark = AnswerMark("msg_")
        @Sendable func message(
            _ text: String?, reason: String? = nil, stop: String? = nil, tokens: Int = 0
        ) -> MessageAnswer {
            MessageAnswer(
                id: mark.id, model: name,
                content: text.map { [MessageAnswer.Content(text: $0)] } ?? [],
                stop_reason: OrNull(reason), stop_sequence: OrNull(stop),
                usage: MessageAnswer.Usage(input_tokens: prompt.count, output_tokens: tokens))
        }
        guard request.wishes.streams else {
            let made = try await Choices.whole(work).all[0]
            let (reason, stop) = made.stopReason
            return .json(
                message(made.text, reason: reason, stop: stop, tokens: made.tokens),
                commit: loaded.commit)
        }
        try await work.first()
        let (metrics, start) = (engine.metrics, ContinuousClock.now)
        return .events(
            of: work, ended: { metrics.noteAnswer("/v1/messages", 200, took: .now - start) }
        ) { writer in
            try await writer.event(
                MessageEvent.Start(message: message(nil)), name: "message_start")
            try await writer.event(MessageEvent.BlockStart(), name: "content_block_start")
            var choices = Choices(count: 1)
            do {
                for await (index, event) in work.events {
                    let news = try choices.take(index, event)
                    guard !news.text.isEmpty else { continue }
                    try await writer.event(
                        MessageEvent.BlockDelta(delta: .init(text: news.text)),
                        name: "content_block_delta")
                }
                try choices.checkEnds()
                let (reason, stop) = choices.all[0].stopReason
                try await writer.event(MessageEvent.BlockStop(), name: "content_block_stop")
                try await writer.event(
                    MessageEvent.Delta(
                        delta: .init(stop_reason: reason, stop_sequence: OrNull(stop)),
                        usage: MessageAnswer.Usage(
                            input_tokens: prompt.count, output_tokens: choices.tokens)),
                    name: "message_delta")
                try await writer.event(MessageEvent.Stop(), name: "message_stop")
            } catch {
                let told = try metrics.told(midStream: error)
                try await writer.event(MessageErrorAnswer(told), name: "error")
            }
        }
    }
}
