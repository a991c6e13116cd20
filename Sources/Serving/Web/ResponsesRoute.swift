internal import Cambium
internal import FoundationEssentials
internal import Hummingbird

/// `/v1/responses`; nothing is kept of them.
struct ResponsesRoute: Sendable {
    let engine: Engine

    func answer(_ body: [UInt8], _ context: ServingContext) async throws -> Response {
        let request = try ResponsesRequest(body)
        let room = try engine.reserve(1, request.wishes)
        let (loaded, name) = try await engine.model(request.model, for: request.text)
        let prompt = try await engine.prompt(of: request.chat, on: loaded)
        let work = try engine.start(
            [prompt], request.wishes, in: room, on: loaded, of: context.client
        ) {
            $0.spellsSpecialTokens = true
        }
        await context.cancel(work)
        let page = ResponsesPage(
            request: request, model: name, commit: loaded.commit, prompt: prompt.count)
        guard request.wishes.streams else {
            let made = try await Choices.whole(work).all[0]
            return .json(page.answer(made), commit: loaded.commit)
        }
        try await work.first()
        let (metrics, start) = (engine.metrics, ContinuousClock.now)
        return .events(
            of: work, ended: { metrics.noteAnswer("/v1/responses", 200, took: .now - start) }
        ) { writer in
            var number = 0
            func write(_ type: String, _ fill: (inout ResponsesEvent) -> Void) async throws {
                var event = ResponsesEvent(type)
                event.sequence_number = number
                fill(&event)
                number += 1
                try await writer.event(event, name: event.type)
            }
            func place(_ event: inout ResponsesEvent) {
                event.item_id = page.message
                event.output_index = 0
                event.content_index = 0
            }
            try await write("created") { $0.response = page.answer(nil) }
            try await write("in_progress") { $0.response = page.answer(nil) }
            try await write("output_item.added") {
                $0.output_index = 0
                $0.item = .init(id: page.message, status: "in_progress", content: [])
            }
            try await write("content_part.added") {
                place(&$0)
                $0.part = .init(text: "")
            }
            var choices = Choices(count: 1)
            do {
                for await (index, event) in work.events {
                    let news = try choices.take(index, event)
                    guard !news.text.isEmpty else { continue }
                    try await write("output_text.delta") {
                        place(&$0)
                        $0.delta = news.text
                        $0.logprobs = []
                    }
                }
                try choices.checkEnds()
                let made = choices.all[0]
                try await write("output_text.done") {
                    place(&$0)
                    $0.text = made.text
                    $0.logprobs = []
                }
                try await write("content_part.done") {
                    place(&$0)
                    $0.part = .init(text: made.text)
                }
                let whole = page.answer(made)
                try await write("output_item.done") {
                    $0.output_index = 0
                    $0.item = whole.output.first
                }
                try await write(whole.status) { $0.response = whole }
            } catch {
                let told = try metrics.told(midStream: error)
                try await write("failed") { $0.response = page.answer(nil, told) }
            }
            try await writer.done()
        }
    }
}

/// Makes the answers of one request.
private struct ResponsesPage: Sendable {
    let request: ResponsesRequest
    let model: String
    let commit: String
    /// Its tokens.
    let prompt: Int
    let mark = AnswerMark("resp_")
    /// The id of the message that is written.
    let message = AnswerMark("msg_").id

    /// - Parameter made: What was written; nil while it is under way.
    func answer(_ made: Choices.Choice?, _ error: APIError? = nil) -> ResponsesAnswer {
        let isWhole = made?.end == .stop
        let status =
            error != nil
            ? "failed" : made == nil ? "in_progress" : isWhole ? "completed" : "incomplete"
        let output = made.map {
            ResponsesAnswer.Message(
                id: message, status: status, content: [ResponsesAnswer.Text(text: $0.text)])
        }
        return ResponsesAnswer(
            id: mark.id, created_at: mark.created,
            completed_at: OrNull(isWhole ? Int64(Date().timeIntervalSince1970) : nil),
            status: status, error: OrNull(error.map { ErrorAnswer($0).error }),
            incomplete_details: OrNull(
                status == "incomplete" ? .init(reason: "max_output_tokens") : nil),
            instructions: OrNull(request.instructions),
            max_output_tokens: OrNull(request.wishes.count), model: model,
            output: output.map { [$0] } ?? [], reasoning: .init(effort: OrNull(request.effort)),
            temperature: request.wishes.temperature, top_p: request.wishes.topP,
            usage: OrNull(
                made.map {
                    .init(
                        input_tokens: prompt, output_tokens: $0.tokens,
                        total_tokens: prompt + $0.tokens)
                }), system_fingerprint: commit)
    }
}
