import Cambium
import Testing

@testable import Serving

@Suite("models in memory")
struct LoadedModelsTests {
    private static let full = CambiumError(.limit, "no room")

    /// Models of which one fits at a time.
    private static func narrow(_ store: Store, _ reads: Count = Count()) -> LoadedModels {
        let held = Count()
        return LoadedModels(most: 16, memoryLimit: 1 << 40, memory: { 0 }) { commit in
            _ = reads.next()
            // The second and each further one needs the room of the one before.
            if held.value > 0, reads.value % 2 == 0 { throw full }
            _ = held.next()
            return try store.model(commit)
        }
    }

    @Test("make room for a new one, the least recently used first")
    func room() async throws {
        try await withSampleStore { store in
            let first = try store.resolve("main")
            let second = try store.commitSample()
            let models = Self.narrow(store)
            _ = try await models.model(first)
            _ = try await models.model(second)
            #expect(models.counts.loaded.map(\.commit) == [second] && models.counts.drops == 1)
        }
    }

    @Test("that answer stay, and the new one is refused for now")
    func used() async throws {
        try await withSampleStore { store in
            let models = Self.narrow(store)
            let first = try await models.model(store.resolve("main"))
            first.begin()
            let second = try store.commitSample()
            let error = await #expect(throws: CambiumError.self) { try await models.model(second) }
            #expect(error?.code == .limit && error.map { APIError($0).status } == 503)
            #expect(models.counts.loaded.map(\.commit) == [first.commit])
            first.end()
        }
    }

    @Test("that do not fit alone drop no other twice")
    func unfit() async throws {
        try await withSampleStore { store in
            let reads = Count()
            let models = LoadedModels(most: 16, memoryLimit: 1, memory: { 0 }) { _ in
                _ = reads.next()
                throw Self.full
            }
            let commit = try store.resolve("main")
            for _ in 0..<2 {
                await #expect(throws: CambiumError.self) { try await models.model(commit) }
            }
            #expect(reads.value == 1)
        }
    }

    @Test("that no name means go when nobody uses them, also later")
    func unnamed() async throws {
        try await withSampleStore { store in
            let models = LoadedModels(store, ModelOptions(), most: 16)
            let model = try await models.model(store.resolve("main"))
            model.begin()
            for _ in 0..<3 { models.dropUnnamed([]) }
            #expect(models.counts.loaded.count == 1)
            model.end()
            models.dropUnnamed([model.commit])
            #expect(models.counts.loaded.count == 1)
            // One that was just loaded gets a name first.
            models.dropUnnamed([])
            #expect(models.counts.loaded.count == 1)
            models.dropUnnamed([])
            #expect(models.counts.loaded.isEmpty && model.isDropped)
        }
    }
}
