internal import Cambium
internal import Hummingbird

/// `/v1/completions`.
struct CompletionRoute: Sendable {
    let engine: Engine

    func answer(_ body: [UInt8], _ context: ServingContext) async throws -> Response {
        let request = try CompletionRequest(body)
        let place = try engine.reserve(request.prompts.count, request.wishes)
        let (loaded, name) = try await engine.model(request.model, for: request.text)
        let model = loaded.model
        let prompts = try await engine.reading.run {
            try request.prompts.map { prompt in
                switch prompt {
                case .text(let bytes): try model.promptTokens(of: bytes)
                case .tokens(let tokens): tokens
                }
            }
        }
        let work = try engine.start(
            prompts, request.wishes, in: place, on: loaded, of: context.client
        ) {
            $0.alternatives = request.alternatives
            $0.promptChances = request.echoes && request.alternatives != nil
        }
        await context.cancel(work)
        let count = prompts.reduce(0) { $0 + $1.count }
        // Of each text the prompt, where it is part of the answer.
        let echoes = try request.echoes ? prompts.map { try text(of: $0, model) } : []
        let mark = AnswerMark("cmpl-")
        @Sendable func choice(
            _ index: Int, _ text: String, _ chances: CompletionAnswer.Chances?,
            _ end: GenerationEnd?
        )
            -> CompletionAnswer.Choice
        {
            CompletionAnswer.Choice(
                text: text, index: index, logprobs: OrNull(chances),
                finish_reason: OrNull(end?.finishReason))
        }
        guard request.wishes.streams else {
            let choices = try await Choices.whole(work)
            let answers = try choices.all.enumerated().map { index, made in
                var chances: CompletionAnswer.Chances?
                let place = index / request.wishes.choices
                if request.alternatives != nil {
                    var (list, offset) = (CompletionAnswer.Chances(), 0)
                    if let read = made.promptChances {
                        try list.add(first: prompts[place].first, read, model, offset: &offset)
                    }
                    try list.add(made.chances, model, offset: &offset)
                    chances = list
                }
                let echo = request.echoes ? echoes[place] : ""
                return choice(index, echo + made.text, chances, made.end)
            }
            return .json(
                CompletionAnswer(
                    id: mark.id, created: mark.created, model: name,
                    system_fingerprint: loaded.commit, choices: answers,
                    usage: UsageAnswer(prompt: count, new: choices.tokens)),
                commit: loaded.commit)
        }
        try await work.first()
        let (metrics, start) = (engine.metrics, ContinuousClock.now)
        return .events(
            of: work,
            ended: { metrics.noteAnswer("/v1/completions", 200, took: .now - start) }
        ) { writer in
            func part(_ choices: [CompletionAnswer.Choice], _ usage: UsageAnswer? = nil)
                -> CompletionAnswer
            {
                CompletionAnswer(
                    id: mark.id, created: mark.created, model: name,
                    system_fingerprint: loaded.commit, choices: choices, usage: usage)
            }
            for (index, echo) in echoes.enumerated() {
                for place in 0..<request.wishes.choices {
                    let number = index * request.wishes.choices + place
                    try await writer.event(part([choice(number, echo, nil, nil)]))
                }
            }
            var choices = Choices(count: work.requests.count)
            var offsets = [Int](repeating: 0, count: work.requests.count)
            do {
                for await (index, event) in work.events {
                    let news = try choices.take(index, event)
                    guard !news.text.isEmpty || news.end != nil || !news.chances.isEmpty else {
                        continue
                    }
                    var chances: CompletionAnswer.Chances?
                    if request.alternatives != nil {
                        var list = CompletionAnswer.Chances()
                        try list.add(news.chances, model, offset: &offsets[index])
                        chances = list
                    }
                    try await writer.event(
                        part([choice(index, news.text, chances, news.end)]))
                }
                try choices.checkEnds()
                if request.wishes.streamsUsage {
                    try await writer.event(
                        part([], UsageAnswer(prompt: count, new: choices.tokens)))
                }
                try await writer.done()
            } catch {
                let told = try metrics.told(midStream: error)
                try await writer.event(ErrorAnswer(told))
            }
        }
    }

    /// The text of a prompt, as it is told back.
    private func text(of tokens: [Int], _ model: MappedModel) throws -> String {
        if let tokenizer = try model.tokenizer() { return tokenizer.decode(tokens) }
        return String(decoding: try tokens.flatMap { try model.spelling(of: $0) }, as: UTF8.self)
    }
}
