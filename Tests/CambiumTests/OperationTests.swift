import Foundation
import Snapshots
import TestSupport
import Testing

@testable import Cambium

/// Long work on a thread of its own.
@Suite("Operations")
final class OperationTests {
    private let directory: String

    init() throws { directory = try makeScratchDirectory() }

    deinit { removeTree(directory) }

    /// Holds work at its first step of progress until it is let go.
    private final class Hold: Sendable {
        private let reached = DispatchSemaphore(value: 0)
        private let released = DispatchSemaphore(value: 0)

        func pass() {
            reached.signal()
            released.wait()
        }

        func waitUntilReached() async {
            await withCheckedContinuation { continuation in
                DispatchQueue.global().async {
                    self.reached.wait()
                    continuation.resume()
                }
            }
        }

        func release() { released.signal() }
    }

    private func store() throws -> Store {
        try Store.create(at: directory + "/S")
        _ = try TinyCheckpoint().write(to: directory + "/model")
        return try Store(directory + "/S")
    }

    @Test("a commit and an export give what they give directly, and tell every phase")
    func results() async throws {
        let store = try store()
        let path = directory
        let direct = try store.commit(
            checkpoint: path + "/model", Checkpoints.options("direct", branch: "direct"))
        let work = store.begin {
            try $0.commit(
                checkpoint: path + "/model", Checkpoints.options("begun", branch: "begun"),
                progress: $1)
        }
        var phases: [String] = []
        for await step in work.progress { phases.append(step.phase) }
        #expect(Set(phases) == ["trunk tensors", "experts of layer 0"])
        let result = try await work.value
        #expect(try store.tree(result.id) == store.tree(direct.id))
        let export = store.begin { try $0.export("begun", to: path + "/out", progress: $1) }
        #expect(try await export.value.files.contains("model.safetensors"))
    }

    @Test("what is cancelled commits nothing, and the next commit goes through")
    func cancelled() async throws {
        let store = try store()
        let path = directory
        let hold = Hold()
        let work = store.begin { store, report in
            try store.commit(checkpoint: path + "/model", Checkpoints.options("cancelled")) {
                hold.pass()
                try report($0)
            }
        }
        await hold.waitUntilReached()
        work.cancel()
        hold.release()
        let error = await #expect(throws: CambiumError.self) { try await work.value }
        #expect(error?.code == .cancelled)
        #expect(try !store.snapshots.has("main"))
        #expect(try store.verify().faults.isEmpty)
        try store.commit(checkpoint: path + "/model", Checkpoints.options("after"))
        #expect(try store.verify().faults.isEmpty)
    }

    @Test("a task that waits and is cancelled cancels the export, which leaves no file")
    func waiting() async throws {
        let store = try store()
        let path = directory
        try store.commit(checkpoint: path + "/model", Checkpoints.options("base"))
        let hold = Hold()
        let work = store.begin { store, report in
            try store.export("main", to: path + "/out") {
                hold.pass()
                try report($0)
            }
        }
        let waiting = Task { try await work.value }
        await hold.waitUntilReached()
        waiting.cancel()
        hold.release()
        let error = await #expect(throws: CambiumError.self) { try await waiting.value }
        #expect(error?.code == .cancelled)
        #expect(try !listDirectory(path).contains("out") || listDirectory(path + "/out").isEmpty)
    }

    @Test("errors of the work come out of it, and the stream ends")
    func errors() async throws {
        let store = try store()
        let path = directory
        let work = store.begin { try $0.export("nothing", to: path + "/out", progress: $1) }
        for await _ in work.progress {}
        let error = await #expect(throws: CambiumError.self) { try await work.value }
        #expect(error?.code == .notFound)
    }
}
