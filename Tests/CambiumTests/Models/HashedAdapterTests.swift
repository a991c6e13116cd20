import Architectures
import CheckpointSupport
import Elements
import Foundation
import Models
import Routing
import TestSupport
import Testing

@testable import Cambium

@Suite("Hashed rows of adapters")
struct HashedAdapterTests {
    private static let text = Array(
        String(repeating: "12 + 30 = 42; 7 * 8 = 56; 1 + 2 = 3; ", count: 5).utf8)
    private static let words = Array(String(repeating: "the cat sat on the mat. ", count: 40).utf8)

    /// A store of a base with rows, evidence of it, and a commit of an adapter that has rows too.
    private func withStore(
        _ base: HashedCheckpoint, own: [Float], _ body: (Store, String) throws -> Void
    ) throws {
        try withScratchDirectory { work in
            try Store.create(at: work + "/S")
            let store = try Store(work + "/S")
            try store.commit(
                checkpoint: base.raw.write(to: work + "/base", shards: 1, seed: nil),
                Checkpoints.options("base"))
            _ = try store.addEvidence(
                [Self.words], adapter: "base", Checkpoints.options("evidence"))
            var adapted = base
            adapted.addAdapter("sums", rows: own)
            try store.commit(
                checkpoint: adapted.raw.write(to: work + "/adapted", shards: 1, seed: nil),
                Checkpoints.options("adapter"))
            _ = try store.addEvidence(
                [Self.text], adapter: "sums", Checkpoints.options("its evidence"))
            try body(store, work)
        }
    }

    private func bits(_ store: Store, _ model: Int) throws -> [UInt32] {
        let mapped = try store.model("main")
        return try withExtendedLifetime(mapped) {
            try mapped.model.model(model).forward(Self.text.prefix(35).map { Int($0) }).map(
                \.bitPattern)
        }
    }

    @Test("are added behind the base's in one pass, and the base runs without them")
    func added() throws {
        let hashed = try HashedCheckpoint(orders: [1], size: 256)
        let own = HashedCheckpoint.rows(256, named: "own")
        let router = HashRouter(orders: [1], tableSize: 256)
        let row = { (byte: UInt8) in Int(router.rows(of: [byte])[0]) }
        var plain = hashed
        plain.embed(hashed.rows, of: row)
        var both = plain
        both.embed(own, of: row)
        var expected: [[UInt32]] = []
        for var dense in [plain, both] {
            try dense.dropRows()
            try withScratchDirectory { work in
                try Store.create(at: work + "/S")
                let store = try Store(work + "/S")
                try store.commit(
                    checkpoint: dense.raw.write(to: work + "/in", shards: 1, seed: nil),
                    Checkpoints.options("dense"))
                expected.append(try bits(store, 0))
            }
        }
        try withStore(hashed, own: own) { store, work in
            #expect(try bits(store, 0) == expected[0])
            #expect(try bits(store, 1) == expected[1])
            // The gate picks it for its text.
            #expect(try store.model("main").evaluate(Self.text).adapters["sums"] ?? 0 > 0.9)
            let pools = try store.list("main").layers[0].pools
            #expect(
                pools.map(\.name) == ["base", "sums"] && pools.map(\.router) == ["hash", "hash"])
            _ = try store.export("main", to: work + "/out")
            try Store.create(at: work + "/again")
            let again = try Store(work + "/again").commit(
                checkpoint: work + "/out", Checkpoints.options("again"))
            #expect(try again.tree == store.show("main").tree)
        }
    }

    @Test("take fewer bits and fewer rows by themselves or with the base's, which stays fit")
    func smaller() throws {
        let own = HashedCheckpoint.rows(192, named: "own")
        try withStore(HashedCheckpoint(), own: own) { store, _ in
            let base = try bits(store, 0)
            try store.quantizeRows(bits: 4, Checkpoints.options("4"), adapters: ["sums"])
            #expect(try bits(store, 0) == base)
            try store.quantizeRows(bits: 2, Checkpoints.options("2"))
            #expect(
                try store.list("main").layers[0].pools.map(\.expertBytes) == [12, 12])
            let with = try bits(store, 1)
            #expect(try bits(store, 0) != base)
            let pruned = try store.pruneRows(
                usedLessThan: 1, texts: [Self.text], of: "sums", Checkpoints.options("prune"),
                commits: true)
            #expect(pruned.tables.map(\.pool) == ["sums"])
            #expect(pruned.tables[0].pruned > 10 && pruned.tables[0].rows == 153)
            #expect(try bits(store, 1) == with)
            #expect(try store.verify().faults.isEmpty)
            #expect(try store.show("main").metadata["rows.uses"] == "1")
            #expect(try store.show("main~1").metadata["rows.bits"] == "2")
            // Forgotten, it leaves what the base alone became.
            try store.createBranch("base", at: "main~5", Checkpoints.signature)
            try store.quantizeRows(bits: 2, Checkpoints.options("2", branch: "base"))
            let forgotten = try store.forget("sums", Checkpoints.options("forget"))
            #expect(try forgotten.tree == store.show("base").tree)
            #expect(
                code {
                    try store.quantizeRows(bits: 2, Checkpoints.options("x"), adapters: ["none"])
                } == .notFound)
        }
    }

    @Test("that were forgotten leave the tree of a store that never saw them, and its bits")
    func forgotten() throws {
        let own = HashedCheckpoint.rows(192, named: "own")
        try withStore(HashedCheckpoint(), own: own) { store, work in
            let before = try store.show("main~2").tree
            let base = try bits(store, 0)
            let forgotten = try store.forget("sums", Checkpoints.options("forget"))
            #expect(forgotten.tree == before && forgotten.experts == 192)
            #expect(try bits(store, 0) == base)
            #expect(try store.verify().faults.isEmpty)
        }
    }

    @Test("are refused where the base has none, or the description and the tree disagree")
    func refused() throws {
        let own = HashedCheckpoint.rows(192, named: "own")
        try withStore(HashedCheckpoint(), own: own) { store, work in
            var other = try HashedCheckpoint()
            other.addAdapter("sums", rows: Array(own[..<(96 * 32)]))
            try store.commit(
                checkpoint: other.raw.write(to: work + "/other", shards: 1, seed: nil),
                Checkpoints.options("fewer", branch: "fewer"))
            let error = #expect(throws: CambiumError.self) { try store.model("fewer") }
            #expect(error?.message.contains("as many as the base has") == true)
        }
        for json in [
            #"{"version":3,"kind":"dense","base_experts":"skipped"}"#,
            #"{"version":1,"kind":"dense","base_experts":"skipped","rows":[0]}"#,
            #"{"version":3,"kind":"dense","base_experts":"skipped","rows":[]}"#,
            #"{"version":3,"kind":"dense","base_experts":"skipped","rows":[1,0]}"#,
            #"{"version":3,"kind":"dense","base_experts":"skipped","rows":[0.5]}"#,
            #"{"version":3,"kind":"dense","base_experts":"skipped","experts":{"kind":"swiglu","layers":[0],"count":2,"top_k":1,"ffn_size":4},"rows":[0]}"#,
        ] {
            #expect(throws: CambiumError.self) { try AdapterDescription(Array(json.utf8), of: "a") }
        }
        let both = AdapterDescription(
            kind: .lora, usesExperts: false,
            experts: .swiglu(try .init(experts: 2, topK: 1, width: 4), layers: [1]), rows: [0, 2],
            base: "b")
        #expect(try AdapterDescription(both.encoded, of: "a") == both)
    }
}
