internal import Cambium
internal import Hummingbird

/// `/v1/chat/completions`.
struct ChatRoute: Sendable {
    let engine: Engine

    func answer(_ body: [UInt8], _ context: ServingContext) async throws -> Response {
        let request = try ChatRequest(body)
        let place = try engine.reserve(1, request.wishes)
        let (loaded, name) = try await engine.model(request.model, for: request.text)
        let model = loaded.model
        let prompt = try await engine.prompt(of: request.chat, on: loaded)
        let work = try engine.start(
            [prompt], request.wishes, in: place, on: loaded, of: context.client
        ) {
            $0.alternatives = request.alternatives
            $0.spellsSpecialTokens = true
        }
        await context.cancel(work)
        let mark = AnswerMark("chatcmpl-")
        let tells = request.alternatives != nil
        guard request.wishes.streams else {
            let choices = try await Choices.whole(work)
            let answers = try choices.all.enumerated().map { index, made in
                ChatAnswer.Choice(
                    index: index, message: ChatAnswer.Message(content: made.text),
                    logprobs: OrNull(tells ? try ChatChances(made.chances, model) : nil),
                    finish_reason: made.end?.finishReason ?? "stop")
            }
            return .json(
                ChatAnswer(
                    id: mark.id, created: mark.created, model: name,
                    system_fingerprint: loaded.commit, choices: answers,
                    usage: UsageAnswer(prompt: prompt.count, new: choices.tokens)),
                commit: loaded.commit)
        }
        try await work.first()
        let (metrics, start) = (engine.metrics, ContinuousClock.now)
        return .events(
            of: work,
            ended: { metrics.noteAnswer("/v1/chat/completions", 200, took: .now - start) }
        ) { writer in
            func part(_ choices: [ChatPart.Choice], _ usage: UsageAnswer? = nil) -> ChatPart {
                ChatPart(
                    id: mark.id, created: mark.created, model: name,
                    system_fingerprint: loaded.commit, choices: choices, usage: usage)
            }
            func choice(
                _ index: Int, _ delta: ChatPart.Delta, _ chances: ChatChances? = nil,
                _ end: GenerationEnd? = nil
            ) -> ChatPart.Choice {
                ChatPart.Choice(
                    index: index, delta: delta, logprobs: OrNull(chances),
                    finish_reason: OrNull(end?.finishReason))
            }
            for index in work.requests.indices {
                let delta = ChatPart.Delta(role: "assistant", content: "")
                try await writer.event(part([choice(index, delta)]))
            }
            var choices = Choices(count: work.requests.count)
            do {
                for await (index, event) in work.events {
                    let news = try choices.take(index, event)
                    if !news.text.isEmpty || !news.chances.isEmpty {
                        try await writer.event(
                            part([
                                choice(
                                    index, ChatPart.Delta(content: news.text),
                                    tells ? try ChatChances(news.chances, model) : nil)
                            ]))
                    }
                    if let end = news.end {
                        try await writer.event(part([choice(index, ChatPart.Delta(), nil, end)]))
                    }
                }
                try choices.checkEnds()
                if request.wishes.streamsUsage {
                    try await writer.event(
                        part([], UsageAnswer(prompt: prompt.count, new: choices.tokens)))
                }
                try await writer.done()
            } catch {
                let told = try metrics.told(midStream: error)
                try await writer.event(ErrorAnswer(told))
            }
        }
    }
}
