import Cambium
import Testing

@testable import Serving

@Suite("names of models")
struct HeadsTests {
    /// Follows a store while a test runs.
    private static func following(_ heads: Heads, _ body: () async throws -> Void) async throws {
        let task = Task { await heads.follow(every: .milliseconds(10)) }
        try await body()
        task.cancel()
        await task.value
    }

    @Test("mean a commit that comes while they are looked up", .timeLimit(.minutes(1)))
    func race() async throws {
        try await withSampleStore { store in
            let loads = Count()
            let models = LoadedModels(most: 16) { commit in
                if loads.next() == 0 {
                    // Between the look at the name and the note of what it means.
                    try store.commitSample()
                    try await Task.sleep(for: .milliseconds(100))
                }
                return try store.model(commit)
            }
            let heads = Heads(store, models, pins: false, quiet)
            try await Self.following(heads) {
                let old = try await heads.model("main").commit
                let new = try store.resolve("main")
                #expect(old != new)
                #expect(try await eventually { try heads.commit(of: "main") == new })
            }
        }
    }

    @Test("mean a new commit that could not be loaded at first", .timeLimit(.minutes(1)))
    func failed() async throws {
        try await withSampleStore { store in
            let loads = Count()
            let models = LoadedModels(most: 16) { commit in
                if loads.next() == 1 { throw CambiumError(.io, "once") }
                return try store.model(commit)
            }
            let heads = Heads(store, models, pins: false, quiet)
            try await Self.following(heads) {
                _ = try await heads.model("main")
                let new = try store.commitSample()
                #expect(try await eventually { try heads.commit(of: "main") == new })
                #expect(heads.switches == 1 && loads.value == 3)
            }
        }
    }

    @Test(
        "are forgotten with their branch, and then no model is kept for them",
        .timeLimit(.minutes(1)))
    func deleted() async throws {
        try await withSampleStore { store in
            try store.createBranch("b", at: "main", .current)
            let heads = Heads(
                store, LoadedModels(store, ModelOptions(), most: 16), pins: false, quiet)
            try await Self.following(heads) {
                _ = try await heads.model("b")
                #expect(heads.named.count == 1)
                try store.deleteBranch("b", .current)
                #expect(try await eventually { heads.named.isEmpty })
            }
        }
    }

    @Test("are bounded in length and number")
    func bounds() async throws {
        try await withSampleStore { store in
            let heads = Heads(
                store, LoadedModels(store, ModelOptions(), most: 16), pins: true, mostNames: 2,
                quiet)
            let long = #expect(throws: APIError.self) {
                try heads.commit(of: String(repeating: "a", count: 513))
            }
            #expect(long?.status == 404)
            let first = try await heads.model("main").commit
            for name in ["main~0", "HEAD"] { _ = try await heads.model(name) }
            let new = try store.commitSample()
            // The oldest made room, and is looked up anew; the others are pinned.
            #expect(try heads.commit(of: "main") == new)
            #expect(try heads.commit(of: "HEAD") == first)
            #expect(
                heads.pinnedCommit(of: "HEAD") == first && heads.pinnedCommit(of: "main") == nil)
        }
    }
}
