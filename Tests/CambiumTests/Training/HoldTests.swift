import Foundation
import TestSupport
import Testing

@testable import Cambium

@Suite("Rounds that are held")
struct HoldTests {
    private let rounds = TrainTests()

    private static let layers = [
        #""peer_layers": [0], "peer": {"sub_keys": 4, "heads": 2, "top_k": 2, "key_size": 8}"#,
        #""peer_layers": [], "linear_layers": [0], "linear": {"experts": 4, "top_k": 2, "ffn_size": 8}"#,
    ]

    /// A store with a base of some layers that was trained on English.
    private func store(_ directory: String, _ layers: String) throws -> Store {
        try Store.create(at: directory + "/S")
        let store = try Store(directory + "/S")
        var base = rounds.options(
            .model(freezesTrunk: false, freezesExperts: false), TrainTests.english, steps: 60)
        base.initial = ExpertLayerKindTests.config(layers)
        base.mixesCounts = false
        try store.train(base)
        return store
    }

    private func round(_ hold: TrainHold?, _ branch: String = "main") -> TrainOptions {
        var round = rounds.options(
            .model(freezesTrunk: true, freezesExperts: false), TrainTests.digits, branch: branch,
            steps: 30)
        round.hold = hold
        return round
    }

    @Test("states are recorded once, listed, dropped, and hold a round", arguments: layers)
    func wholePath(_ layers: String) throws {
        try withScratchDirectory { directory in
            let store = try store(directory, layers)
            let options = Checkpoints.options("states")
            let added = try store.addStates([TrainTests.english], count: 100, options)
            let info = try #require(added.evidence.first)
            #expect(info.kind == "states" && info.tokens == 100 && info.layers == [0])
            #expect(info.adapter == "base" && info.recordBytes > 100 * 2 * 8)
            for count in [100, 99] {
                #expect(
                    try store.addStates([TrainTests.english], count: count, threads: 2, options)
                        .unchanged)
            }
            let start = try store.resolve("main")
            var figures: [String: [String: Double]] = [:]
            for (name, hold) in [
                ("free", TrainHold(output: 0, router: 1e-6)),
                ("router", TrainHold(output: 0, router: 10)),
                ("held", TrainHold(output: 10, router: 10)),
            ] {
                try store.createBranch(name, at: start, Checkpoints.signature)
                let made = try store.train(round(hold, name))
                let info = try store.show(made.commit)
                figures[name] = info.metrics
                #expect(info.metadata["train.hold"] == "\(hold.output)")
                #expect(info.metadata["train.hold-router"] == "\(hold.router)")
                // The states of old text stay for the next round.
                #expect(try store.evidence(name).contains { $0.id == added.evidence[0].id })
            }
            func figure(_ name: String, _ metric: String) throws -> Double {
                try #require(figures[name]?["train.hold.\(metric)"])
            }
            #expect(try figure("held", "output") < 0.5 * figure("free", "output"), "\(figures)")
            #expect(try figure("router", "router") < figure("free", "router"), "\(figures)")
            // The same evidence on two sides is one record.
            _ = try store.merge(
                ["router"], into: "held", policy: .ours, Checkpoints.signature)
            #expect(try store.evidence("held").count { $0.kind == "states" } == 1)
            try store.dropEvidence([info.id], Checkpoints.options("dropped", branch: "free"))
            #expect(try !store.evidence("free").contains { $0.kind == "states" })
            #expect(
                rounds.code { try store.train(round(TrainHold(output: 1, router: 1), "free")) }
                    == "usage")
            #expect(try store.verify().faults.isEmpty)
            _ = try store.export("held", to: directory + "/out")
            try Store.create(at: directory + "/T")
            let again = try Store(directory + "/T")
            try again.commit(checkpoint: directory + "/out", Checkpoints.options("imported"))
            #expect(try again.evidence("main").contains { $0.id == info.id })
        }
    }

    @Test("more states of a text take the place of fewer, as many as it has")
    func moreStates() throws {
        try withScratchDirectory { directory in
            let store = try store(directory, Self.layers[0])
            let options = Checkpoints.options("states")
            func add(_ count: Int) throws -> EvidenceResult {
                try store.addStates([TrainTests.english], count: count, options)
            }
            _ = try add(10)
            #expect(try !add(1_000).unchanged)
            let states = try store.evidence("main").filter { $0.kind == "states" }
            #expect(states.count == 1 && states[0].tokens == TrainTests.english.count)
            #expect(try add(2_000).unchanged)
        }
    }

    @Test("edited experts are held too, and what cannot be held is refused")
    func refused() throws {
        try withScratchDirectory { directory in
            let store = try store(directory, Self.layers[0])
            let head = try store.resolve("main")
            var edit = rounds.options(.experts(2), TrainTests.digits, steps: 3)
            edit.hold = TrainHold(output: 1, router: 1)
            #expect(rounds.code { try store.train(edit) } == "usage")
            let options = Checkpoints.options("states")
            for count in [0, 65_537] {
                #expect(
                    rounds.code {
                        try store.addStates([TrainTests.english], count: count, options)
                    } == "usage")
            }
            #expect(rounds.code { try store.addStates([[]], options) } == "bad-input")
            #expect(try store.resolve("main") == head)
            try store.addStates([TrainTests.english, TrainTests.swahili], count: 40, options)
            let made = try store.train(edit)
            #expect(try store.show(made.commit).metrics["train.hold.output"] != nil)
            var adapter = rounds.options(rounds.adapter("digits"), TrainTests.digits, steps: 3)
            adapter.hold = TrainHold(output: 1, router: 1)
            #expect(rounds.code { try store.train(adapter) } == "usage")
            for bad in [(0, 0), (-1, 1), (1, 1_001), (.nan, 1)] as [(Double, Double)] {
                #expect(
                    rounds.code {
                        try store.train(round(TrainHold(output: bad.0, router: bad.1)))
                    } == "usage")
            }
            try FileManager.default.createDirectory(
                atPath: directory + "/dense", withIntermediateDirectories: false)
            let dense = try self.store(directory + "/dense", #""peer_layers": []"#)
            #expect(
                rounds.code { try dense.addStates([TrainTests.english], options) } == "unsupported")
            var whole = rounds.options(
                .model(freezesTrunk: false, freezesExperts: false), TrainTests.digits)
            whole.hold = TrainHold(output: 1, router: 1)
            #expect(rounds.code { try dense.train(whole) } == "usage")
        }
    }
}
