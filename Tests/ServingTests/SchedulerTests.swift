import Cambium
import Testing

@testable import Serving

@Suite("texts that run together")
struct SchedulerTests {
    private static func scheduler(_ metrics: Metrics = Metrics(quiet)) -> Scheduler {
        var limits = ServingLimits()
        (limits.batch, limits.queue) = (2, 1)
        return Scheduler(limits, threads: 1, metrics)
    }

    @Test("have room before anything is done for them, or none")
    func room() throws {
        let scheduler = Self.scheduler()
        var place: Scheduler.Place? = try scheduler.reserve(3)
        let full = #expect(throws: APIError.self) { try scheduler.reserve(1) }
        #expect(full?.status == 429 && full?.retryAfter == 1)
        #expect(place?.count == 3 && scheduler.counts.waiting == 3)
        place = nil
        #expect(scheduler.counts.waiting == 0)
        let never = #expect(throws: APIError.self) { try scheduler.reserve(1 << 40) }
        #expect(never?.status == 400)
    }

    @Test("of one request end when one of them fails", .timeLimit(.minutes(1)))
    func siblings() async throws {
        try await withSampleStore { store in
            let metrics = Metrics(quiet)
            let scheduler = Self.scheduler(metrics)
            let model = LoadedModel(try store.model("main"))
            let work = Work(
                [
                    TextRequest(prompt: [65], count: 1 << 20),
                    TextRequest(prompt: [1 << 20], count: 1),
                ], of: "a", on: model, until: .now + .seconds(600))
            try scheduler.add(work, in: try scheduler.reserve(2))
            scheduler.start()
            var failure: APIError?
            for await (_, event) in work.events {
                if case .failed(let error) = event { failure = error }
            }
            #expect(failure?.status == 400 && work.isCancelled)
            #expect(try await eventually { scheduler.counts == (0, 0) })
            // What the client did wrong is no failure of the server's.
            #expect(metrics.values.failures == 0)
            scheduler.stop()
        }
    }

    @Test("are told when the server stops", .timeLimit(.minutes(1)))
    func stop() async throws {
        try await withSampleStore { store in
            let scheduler = Self.scheduler()
            let work = Work(
                [TextRequest(prompt: [65], count: 1 << 20)], of: "a",
                on: LoadedModel(try store.model("main")), until: .now + .seconds(600))
            try scheduler.add(work, in: try scheduler.reserve(1))
            scheduler.start()
            try await work.first()
            scheduler.stop()
            await #expect(throws: APIError.self) { try await Choices.whole(work) }
            let late = #expect(throws: APIError.self) { try scheduler.reserve(1) }
            #expect(late?.status == 503 && late?.code == "stopping")
        }
    }

    @Test("of which the server is to blame for an error are counted")
    func failures() {
        let metrics = Metrics(quiet)
        #expect(metrics.told(CambiumError(.badInput, "a")).status == 400)
        #expect(metrics.values.failures == 0)
        #expect(metrics.told(CambiumError(.corrupt, "a")).status == 500)
        #expect(metrics.told(CambiumError(.limit, "a")).status == 503)
        #expect(metrics.values.failures == 2)
    }
}
