import Snapshots
import TestSupport
import Testing

@testable import Cambium

/// Bases whose experts are not neurons below product keys.
@Suite("Kinds of expert layers")
struct ExpertLayerKindTests {
    private let rounds = TrainTests()

    static func config(_ layers: String) -> [UInt8] {
        Array(
            """
            {"architecture": "peer-lm", "vocab_size": 256, "hidden_size": 16, "num_layers": 1,
             "num_heads": 2, "context_length": 16, "ffn_size": 16, "rms_norm_eps": 1e-5,
             "rope_theta": 10000, \(layers)}
            """.utf8)
    }

    @Test(
        "are trained, committed, run, edited and exported",
        arguments: [
            (
                #""peer_layers": [0], "tree": {"branching": [3, 4], "beam": 2, "top_k": 2}"#, 12,
                "tree"
            ),
            (
                #""peer_layers": [], "linear_layers": [0], "linear": {"experts": 3, "top_k": 2, "ffn_size": 8}"#,
                3, "linear"
            ),
            (#""peer_layers": []"#, 0, ""),
        ])
    func wholePath(layers: String, count: Int, router: String) throws {
        try withScratchDirectory { directory in
            try Store.create(at: directory + "/S")
            let store = try Store(directory + "/S")
            var base = rounds.options(
                .model(freezesTrunk: false, freezesExperts: false), TrainTests.english, steps: 60)
            base.initial = Self.config(layers)
            base.mixesCounts = false
            base.heldOut = [HeldOutText(name: "e", bytes: Array(TrainTests.english[..<160]))]
            let result = try store.train(base)
            let measured = try #require(result.bitsPerByte["e"])
            let run = try rounds.bits(store, "main", Array(TrainTests.english[..<160]))
            #expect(abs(run - measured) < 1e-3)
            let own = try store.tree("main").layers[0]?.pools["base"]
            #expect(own?.routerKind.name ?? "" == router && Int(own?.count ?? 0) == count)
            try store.train(rounds.options(rounds.adapter("digits"), TrainTests.digits, steps: 20))
            // Of three experts, of which each byte uses two, every window of old text uses all.
            if count > 3 {
                try store.train(rounds.options(.experts(1), TrainTests.swahili, steps: 5))
            } else {
                #expect(
                    rounds.code {
                        try store.train(rounds.options(.experts(1), TrainTests.swahili))
                    } == "usage")
            }
            #expect(try store.verify().faults.isEmpty)
            _ = try store.export("main", to: directory + "/out")
            try Store.create(at: directory + "/T")
            let again = try Store(directory + "/T")
            try again.commit(checkpoint: directory + "/out", Checkpoints.options("imported"))
            let (one, two) = (try again.tree("main"), try store.tree("main"))
            #expect(one.layers == two.layers && one.trunk == two.trunk)
        }
    }

    @Test("with routers frozen train the experts alone", arguments: [true, false])
    func frozen(isTree: Bool) throws {
        try withScratchDirectory { directory in
            try Store.create(at: directory + "/S")
            let store = try Store(directory + "/S")
            var base = rounds.options(
                .model(freezesTrunk: false, freezesExperts: false), TrainTests.english, steps: 5)
            base.initial = Self.config(
                isTree
                    ? #""peer_layers": [0], "tree": {"branching": [12], "beam": 2, "top_k": 2}"#
                    : #""peer_layers": [], "linear_layers": [0], "linear": {"experts": 3, "top_k": 2, "ffn_size": 8}"#
            )
            try store.train(base)
            let before = try store.tree("main")
            try store.train(
                rounds.options(
                    .model(freezesTrunk: true, freezesExperts: false), TrainTests.digits, steps: 3))
            let after = try store.tree("main")
            #expect(after.trunk == before.trunk)
            #expect(
                after.layers[0]?.pools["base"]?.experts
                    != before.layers[0]?.pools["base"]?.experts)
            try store.train(
                rounds.options(
                    .model(freezesTrunk: false, freezesExperts: true), TrainTests.digits, steps: 3))
            let last = try store.tree("main")
            #expect(
                last.layers[0]?.pools["base"]?.experts
                    == after.layers[0]?.pools["base"]?.experts)
            #expect(last.trunk != after.trunk)
        }
    }
}
