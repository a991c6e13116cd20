internal import Cambium
internal import Synchronization

/// Texts that one request waits for, all of one model.
final class Work: Sendable {
    /// What happens to one of its texts.
    enum Event: Sendable {
        case step(GenerationStep)
        case failed(APIError)
    }

    /// Who asked, for the fair queue.
    let client: String
    let model: LoadedModel
    let requests: [TextRequest]
    /// When it has taken too long.
    let deadline: ContinuousClock.Instant
    /// What happens to its texts, by their place among ``requests``; ends when all of them have ended, or after a failure.
    let events: AsyncStream<(index: Int, event: Event)>
    private let sink: AsyncStream<(index: Int, event: Event)>.Continuation
    /// Holds one value as soon as the first event has come: why the text failed, or nothing.
    private let begun: AsyncStream<APIError?>
    private let beginning: AsyncStream<APIError?>.Continuation
    private let state: Mutex<(left: Int, isCancelled: Bool)>

    init(
        _ requests: [TextRequest], of client: String, on model: LoadedModel,
        until deadline: ContinuousClock.Instant
    ) {
        self.client = client
        self.model = model
        self.requests = requests
        self.deadline = deadline
        state = Mutex((requests.count, false))
        (events, sink) = AsyncStream.makeStream()
        (begun, beginning) = AsyncStream.makeStream()
        model.begin()
        sink.onTermination = { [weak self] _ in self?.cancel() }
    }

    deinit { model.end() }

    /// Whether nobody waits for it any more.
    var isCancelled: Bool { state.withLock { $0.isCancelled } }

    /// Gives it up; the engine drops its texts before their next token.
    func cancel() {
        state.withLock { $0.isCancelled = true }
        sink.finish()
        beginning.finish()
    }

    /// Waits until the first of its texts has begun.
    ///
    /// - Throws: ``APIError`` when it cannot begin.
    func first() async throws {
        for await error in begun {
            if let error { throw error }
            return
        }
        throw APIError(.unavailable, "the request was given up", code: "cancelled")
    }

    func tell(_ index: Int, _ event: Event) {
        sink.yield((index, event))
        let isOver: Bool
        switch event {
        case .step(let step):
            beginning.yield(nil)
            isOver = state.withLock { state in
                if step.end != nil { state.left -= 1 }
                return state.left == 0
            }
        case .failed(let error):
            beginning.yield(error)
            // Without this one nobody wants the request's other texts.
            state.withLock { $0.isCancelled = true }
            isOver = true
        }
        beginning.finish()
        if isOver { sink.finish() }
    }
}
