import Elements
import Foundation
import TestSupport
import Testing

@testable import Cambium

@Suite("an expert is added in an alternative that a gate picks")
struct GatedGrowthTests {
    private static let growth = GrowthOptions(gate: "new", threads: 2)

    private func grow(
        _ store: Store, keep: [[UInt8]] = [Growth.old], _ growth: GrowthOptions = Self.growth,
        branch: String = "main"
    ) throws -> GrowthResult {
        try store.addExpert(
            from: ExpertSource(Growth.model("olmoe"), expert: 1), evidence: [Growth.new],
            keep: keep,
            growth: growth, Checkpoints.options("grow", branch: branch))
    }

    @Test(
        "the model stays as it is, new text picks the expert, and taken it is a model of one more")
    func grows() throws {
        try withScratchDirectory { directory in
            let store = try Growth.store(Growth.model("olmoe"), in: directory)
            let before = try store.list("main")
            let result = try grow(store)
            #expect(result.alternative == "new" && result.expert == 16)
            #expect(result.picked > 0.9 && result.unchanged >= 0.995, "\(result)")
            #expect(result.layers.allSatisfy { $0.picked > 0.9 })
            #expect(try store.adapters("main") == ["new"])
            #expect(Set(try store.evidence("main").map(\.adapter)).isSuperset(of: ["base", "new"]))
            let after = try store.list("main")
            let own = Set(before.trunk.map(\.id))
            #expect(own.isSubset(of: after.trunk.map(\.id)))
            for (left, right) in zip(before.layers, after.layers) {
                let pools = Dictionary(
                    uniqueKeysWithValues: right.pools.map { ($0.name, $0.experts) })
                #expect(left.pools[0].experts == 16 && pools == ["base": 16, "new": 17])
            }
            // It runs, as both models and as each of them alone.
            let made = try store.model("main").generate(tokens: [200, 201, 202], count: 4)
            #expect(made.tokens.count == 4)
            #expect(try store.verify().faults.isEmpty)
            _ = try store.export("main", to: directory + "/plain", isPlain: true)
            _ = try store.export("main", to: directory + "/new", alternative: "new")
            _ = try store.commit(
                checkpoint: directory + "/new",
                CommitOptions(message: "alone", branch: "alone", signature: Checkpoints.signature))
            #expect(try store.list("alone").layers[0].pools[0].experts == 17)
            #expect(
                try store.model("alone").generate(tokens: [200, 201], count: 4).tokens.count == 4)
            // Forgotten, the model is the one before.
            try store.createBranch("f", at: "main", Checkpoints.signature)
            _ = try store.forget("new", Checkpoints.options("forget", branch: "f"))
            #expect(Set(try store.list("f").trunk.map(\.id)) == own)
            #expect(try store.list("f").layers.allSatisfy { $0.pools.count == 1 })
            // Taken, it has the weights and the config.json of the exported one.
            _ = try store.resolve(taking: "new", branch: "main", Checkpoints.signature)
            #expect(
                try Growth.rows(store, "main") == Growth.rows(store, "alone"))
            _ = try store.export("main", to: directory + "/taken", isPlain: true)
            #expect(
                FileManager.default.contentsEqual(
                    atPath: directory + "/taken/config.json",
                    andPath: directory + "/new/config.json"))
        }
    }

    @Test("the result depends neither on threads nor on whether counts were there before")
    func deterministic() throws {
        let trees = try [1, 3].map { threads in
            try withScratchDirectory { directory in
                let store = try Growth.store(Growth.model("olmoe"), in: directory)
                if threads == 3 {
                    _ = try store.addEvidence(
                        [Growth.old], adapter: "base", label: "expert add",
                        Checkpoints.options("count"))
                }
                var growth = Self.growth
                growth.threads = threads
                _ = try grow(store, growth)
                return try store.list("main").tree
            }
        }
        #expect(trees[0] == trees[1])
    }

    @Test("what cannot be is refused with its code, and nothing is committed")
    func refused() throws {
        try withScratchDirectory { directory in
            let store = try Growth.store(Growth.model("olmoe"), in: directory)
            for (gate, share, keep, expected) in [
                ("base", 0.9, [Growth.shortOld], .usage),
                ("a/b", 0.9, [Growth.shortOld], .usage), ("new", 0, [Growth.shortOld], .usage),
                ("new", .nan, [Growth.shortOld], .usage), ("new", 0.9, [], .usage),
            ] as [(String, Double, [[UInt8]], CambiumError.Code)] {
                var growth = Growth.roughly
                (growth.gate, growth.share) = (gate, share)
                #expect(code { _ = try grow(store, keep: keep, growth) } == expected, "\(gate)")
            }
            #expect(try store.adapters("main").isEmpty)
            var growth = Growth.roughly
            growth.gate = "new"
            _ = try grow(store, keep: [Growth.shortOld], growth)
            #expect(code { _ = try grow(store, keep: [], growth) } == .exists)
            // Another of its own, from what the first left as evidence.
            growth.gate = "more"
            _ = try grow(store, keep: [], growth)
            #expect(try store.adapters("main") == ["more", "new"])
            #expect(code { _ = try store.resolve(by: .mean, branch: "main") } == .unsupported)
            // The model that they are alternatives to stays.
            growth.gate = nil
            #expect(code { _ = try grow(store, keep: [], growth) } == .unsupported)
            #expect(
                code { _ = try store.dropExpert(nil, Checkpoints.options("drop")) }
                    == .unsupported)
        }
    }
}
