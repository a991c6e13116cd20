import Architectures
import Elements
import Files
import KeyValue
import Models
import Objects
import Remotes
import Snapshots
import TestSupport
import Testing

@testable import Cambium

/// Models whose tensors and experts lie on a remote.
@Suite("models of lazy clones")
struct LazyModelTests {
    /// Runs `body` with a store that holds a checkpoint, in full first and then as a lazy clone of itself.
    private func withLazyStore(
        _ checkpoint: String, _ full: (Store) throws -> Void,
        _ lazy: (Store, FakeRemote) throws -> Void
    ) throws {
        try withScratchDirectory { directory in
            try Store.create(at: directory)
            let store = try Store(directory)
            _ = try store.commit(
                checkpoint: Checkpoints.path(checkpoint), Checkpoints.options("import"))
            try full(store)
            let remote = try store.snapshots.environment.promiseAll()
            try lazy(store, remote)
        }
    }

    @Test(
        "give the bits of the full store, with and without a limit of memory",
        arguments: Checkpoints.architectures, [nil, 8 << 30])
    func bits(architecture: String, limit: Int?) throws {
        let golden = try GoldenLogits(recorded: architecture)
        var expected: [[Float]] = []
        try withLazyStore("hf/\(architecture)/model") { store in
            expected = try store.model("main").logits(golden.tokens)
        } _: { store, remote in
            let model = try store.model("main", ModelOptions(memoryLimit: limit))
            #expect(try model.logits(golden.tokens) == expected)
            // What is resident is not asked for again.
            let calls = remote.calls
            #expect(try model.logits(golden.tokens) == expected)
            #expect(remote.calls == calls)
        }
    }

    @Test(
        "give the bits of hashed rows as well, of absent ones too, and under a limit of memory",
        arguments: [nil, 8 << 30])
    func hashedRows(limit: Int?) throws {
        let tokens = Array("the rows of a text's last bytes".utf8).map { Int($0) }
        var expected: [[Float]] = []
        try withLazyStore("peer-lm/hashed") { store in
            expected = try store.model("main").logits(tokens)
            let limited = try store.model("main", ModelOptions(memoryLimit: limit))
            #expect(try limited.logits(tokens) == expected)
        } _: { store, remote in
            let model = try store.model("main", ModelOptions(memoryLimit: limit))
            #expect(try model.logits(tokens) == expected)
            let calls = remote.calls
            #expect(try model.logits(tokens) == expected)
            #expect(remote.calls == calls)
        }
    }

    @Test(
        "a layer's dense tensors come with one call, and so do the experts that a batch picks there"
    )
    func calls() throws {
        let golden = try GoldenLogits(recorded: "olmoe")
        try withLazyStore("hf/olmoe/model") { _ in
        } _: { store, remote in
            let model = try store.model("main")
            let layers = model.running.model.description.layers.count
            // Files, the embedding, the last norm and the head come alone.
            #expect(remote.calls <= layers + 8)
            let loaded = remote.calls
            _ = try model.logits(golden.tokens)
            #expect(remote.calls - loaded <= layers)
        }
    }

    @Test("a first token moves little more than what it needs")
    func firstToken() throws {
        try withLazyStore("hf/olmoe/model") { _ in
        } _: { store, remote in
            let transport = MemoryTransport()
            for (name, bytes) in remote.packs {
                try transport.write("packs/" + name.hex, TransportBody(bytes.copy()))
            }
            store.snapshots.environment.promisedBulk = nil
            try LazyBulk.attach(to: store.snapshots, cache: "64M") { [transport] }
            let lazy = try #require(store.snapshots.environment.promisedBulk as? LazyBulk)
            let model = try store.model("main")
            let session = Session(model.running.model.base)
            _ = try session.append([65])
            let tree = try store.tree("main")
            let dense = Dictionary(
                tree.tensors.values.map { ($0.id, $0.shape.byteCount ?? 0) },
                uniquingKeysWith: { first, _ in first }
            ).values.reduce(0, +)
            let needed = dense + session.usage.bytesTouched
            #expect(session.usage.touched < session.usage.expertCount)
            #expect(lazy.counts.fetched * 10 <= needed * 13)
        }
    }

    @Test("a cache smaller than the model changes no token")
    func smallCache() throws {
        let golden = try GoldenLogits(recorded: "olmoe")
        var expected: [Int] = []
        try withLazyStore("hf/olmoe/model") { store in
            expected = try store.model("main").generate(tokens: golden.prompt, count: 40).tokens
        } _: { store, remote in
            let transport = MemoryTransport()
            for (name, bytes) in remote.packs {
                try transport.write("packs/" + name.hex, TransportBody(bytes.copy()))
            }
            for cache in ["0", "30K", "64M"] {
                store.snapshots.environment.promisedBulk = nil
                try LazyBulk.attach(to: store.snapshots, cache: cache) { [transport] }
                let options = ModelOptions(memoryLimit: 8 << 30)
                let made = try store.model("main", options)
                    .generate(tokens: golden.prompt, count: 40)
                #expect(made.tokens == expected)
                #expect(!fileExists(store.path + "/cache") || cache != "0")
            }
        }
    }

    @Test(
        "a remote that is away or lies while tokens are made is an error, and the model goes on when it is back"
    )
    func faults() throws {
        let golden = try GoldenLogits(recorded: "olmoe")
        var expected: [[Float]] = []
        try withLazyStore("hf/olmoe/model") { store in
            expected = try store.model("main").logits(golden.tokens)
        } _: { store, remote in
            for (fault, code) in [
                (FakeRemote.Fault.absent, CambiumError.Code.network), (.wrong, .corrupt),
            ] {
                remote.fail(fault)
                let error = #expect(throws: CambiumError.self) { try store.model("main") }
                #expect(error?.code == code)
                remote.fail(nil)
                let model = try store.model("main")
                remote.fail(fault)
                let other = #expect(throws: CambiumError.self) { try model.logits(golden.tokens) }
                #expect(other?.code == code)
                remote.fail(nil)
                #expect(try model.logits(golden.tokens) == expected)
            }
        }
    }

    @Test("an export of it is the checkpoint")
    func exports() throws {
        try withScratchDirectory { directory in
            try withLazyStore("hf/olmoe/model") { store in
                _ = try store.export("main", to: directory + "/full")
            } _: { store, remote in
                _ = try store.export("main", to: directory + "/lazy")
                #expect(remote.calls > 0)
                for name in try directoryContents(directory + "/full") {
                    let (one, two) = (
                        try readStoreFile(directory + "/full/" + name, limit: 1 << 30),
                        try readStoreFile(directory + "/lazy/" + name, limit: 1 << 30)
                    )
                    #expect(one == two, "\(name)")
                }
            }
        }
    }
}
