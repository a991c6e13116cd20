import Objects
import Snapshots
import TestSupport
import Testing

@testable import Cambium

/// Rounds over hashed experts, from an empty store to a merge.
@Suite("Rounds over hashed experts")
struct HashedTrainTests {
    private static let config = Array(
        """
        {"architecture": "peer-lm", "vocab_size": 256, "hidden_size": 16, "num_layers": 1,
         "num_heads": 2, "context_length": 16, "ffn_size": 16, "rms_norm_eps": 1e-5,
         "rope_theta": 10000, "peer_layers": [],
         "hash": {"layers": [0], "orders": [1, 2, 4], "table_size": 1024}}
        """.utf8)
    private let rounds = TrainTests()

    func store(in directory: String) throws -> Store {
        try Store.create(at: directory + "/S")
        let store = try Store(directory + "/S")
        var options = rounds.options(
            .model(freezesTrunk: false, freezesExperts: false), TrainTests.english, steps: 60)
        options.initial = Self.config
        options.heldOut = [HeldOutText(name: "english", bytes: TrainTests.english)]
        let result = try store.train(options)
        let after = try rounds.bits(store, "main", TrainTests.english)
        // Training and the engine compute the same model.
        #expect(abs((result.bitsPerByte["english"] ?? 0) - after) < 1e-5 && after < 4)
        return store
    }

    @Test("branches of adapters with rows of their own merge, and the base's rows keep their ids")
    func branchesMerge() throws {
        try withScratchDirectory { directory in
            let store = try store(in: directory)
            let english = try rounds.bits(store, "main", TrainTests.english)
            let base = try store.tree("main")
            let pool = try #require(base.layers[0]?.pools["base"])
            #expect(pool.kind == .row && pool.count == 3 * 1024 && pool.routerKind == .hash)
            let texts = [
                ("digits", TrainTests.digits, AdapterForm.dense),
                ("swahili", TrainTests.swahili, .small),
            ]
            for (name, text, form) in texts {
                try store.createBranch(name, at: "main", Checkpoints.signature)
                var options = rounds.options(rounds.adapter(name, form), text, branch: name)
                options.heldOut = [HeldOutText(name: name, bytes: text)]
                let result = try store.train(options)
                let after = try rounds.bits(store, name, text)
                #expect(abs((result.bitsPerByte[name] ?? 0) - after) < 1e-12)
                #expect(try after < rounds.bits(store, "main", text) - 1)
                let own = try #require(try store.tree(name).layers[0]?.pools[name])
                #expect(own.kind == .row && own.count == pool.count)
            }
            for (left, right) in [("digits", "swahili"), ("swahili", "digits")] {
                let branch = "\(left)-\(right)"
                try store.createBranch(branch, at: left, Checkpoints.signature)
                _ = try store.merge([right], into: branch, Checkpoints.signature)
            }
            let merged = try store.tree("digits-swahili")
            #expect(merged == (try store.tree("swahili-digits")))
            #expect(merged.layers[0]?.pools["base"] == pool)
            #expect(
                try rounds.bits(store, "digits-swahili", TrainTests.english) < english + 0.1)
            // Forgotten, either leaves the tree, and so the gate and all bits, of a store that never saw it.
            for (name, other) in [("digits", "swahili"), ("swahili", "digits")] {
                try store.createBranch(
                    "without-\(name)", at: "digits-swahili", Checkpoints.signature)
                try store.forget(
                    name, Checkpoints.options("forget", branch: "without-\(name)"))
                #expect(try store.tree("without-\(name)") == store.tree(other))
            }
            for (name, text, form) in texts {
                let alone = try rounds.bits(store, name, text)
                #expect(try abs(rounds.bits(store, "digits-swahili", text) - alone) < 0.1)
                // An adapter is trained further as what it is.
                let others: [AdapterForm] = [.dense, .small, .lowRank(2)]
                for other in others where other != form {
                    let again = rounds.options(rounds.adapter(name, other), text, branch: name)
                    #expect(rounds.code { try store.train(again) } == "usage")
                }
                let before = try store.tree(name)
                try store.train(
                    rounds.options(rounds.adapter(name, form), text, branch: name, steps: 10))
                #expect(try store.tree(name).layers != before.layers)
                #expect(try rounds.bits(store, name, text) < alone + 0.2)
            }
            #expect(try store.verify().faults.isEmpty)
        }
    }

    @Test("rows of codes are not trained, and stay as they are where experts are frozen")
    func quantised() throws {
        try withScratchDirectory { directory in
            let store = try store(in: directory)
            try store.train(
                rounds.options(rounds.adapter("digits"), TrainTests.digits, steps: 5))
            func train(_ target: TrainTarget, _ branch: String = "main") throws {
                try store.train(rounds.options(target, TrainTests.digits, branch: branch, steps: 3))
            }
            try store.createBranch("plain", at: "main~1", Checkpoints.signature)
            // An adapter's own rows are the round's; the base's are not.
            try store.quantizeRows(bits: 4, Checkpoints.options("4"), adapters: ["base"])
            try train(rounds.adapter("digits"))
            try store.quantizeRows(bits: 4, Checkpoints.options("4"))
            #expect(rounds.code { try train(rounds.adapter("digits")) } == "unsupported")
            try train(rounds.adapter("other"))
            try store.quantizeRows(bits: 2, Checkpoints.options("2", branch: "plain"))
            let before = try store.tree("plain")
            for freezesTrunk in [false, true] {
                let error = #expect(throws: CambiumError.self) {
                    try train(
                        .model(freezesTrunk: freezesTrunk, freezesExperts: false), "plain")
                }
                #expect(error?.code == .unsupported && error?.message.contains("rows") == true)
            }
            try train(.model(freezesTrunk: false, freezesExperts: true), "plain")
            let after = try store.tree("plain")
            #expect(after.layers == before.layers && after.trunk != before.trunk)
            _ = try store.export("plain", to: directory + "/out")
            try Store.create(at: directory + "/T")
            let again = try Store(directory + "/T").commit(
                checkpoint: directory + "/out", Checkpoints.options("again"))
            #expect(try again.tree == store.show("plain").tree)
            #expect(try store.verify().faults.isEmpty)
        }
    }

    @Test("more rows than there are addresses for are refused before anything is read")
    func tooMany() throws {
        try withScratchDirectory { directory in
            try Store.create(at: directory + "/S")
            let store = try Store(directory + "/S")
            var options = rounds.options(
                .model(freezesTrunk: false, freezesExperts: false), TrainTests.english, steps: 1)
            options.initial = Array(
                """
                {"architecture": "peer-lm", "vocab_size": 256, "hidden_size": 65536,
                 "num_layers": 1, "num_heads": 2, "context_length": 16, "ffn_size": 16,
                 "rms_norm_eps": 1e-5, "rope_theta": 10000, "peer_layers": [],
                 "hash": {"layers": [0], "orders": [1, 2, 3, 4, 5, 6, 7, 8], "table_size": 67108864}}
                """.utf8)
            let error = #expect(throws: CambiumError.self) { try store.train(options) }
            #expect(error?.code == .limit && error?.message.contains("address space") == true)
        }
    }

    @Test("forgotten of all history, a round leaves the tree and bits of a store without it")
    func fromHistory() throws {
        try withScratchDirectory { (directory: String) throws in
            let before = try trained(in: directory)
            _ = try Store.forgetFromHistory(
                "digits", at: directory + "/S", prune: true, Checkpoints.signature)
            let store = try Store(directory + "/S")
            #expect(try store.show("main").tree == before.tree)
            #expect(try rounds.bits(store, "main", TrainTests.english) == before.bits)
            #expect(try store.adapters("main").isEmpty)
            #expect(try store.verify().faults.isEmpty)
        }
    }

    /// A store whose main has a round, and is closed; what it was before.
    private func trained(in directory: String) throws -> (tree: String, bits: Double) {
        let store = try store(in: directory)
        let before = try store.show("main").tree
        try store.train(
            rounds.options(rounds.adapter("digits"), TrainTests.digits, branch: "main"))
        #expect(try store.show("main").tree != before)
        return (before, try rounds.bits(store, "main~1", TrainTests.english))
    }

    @Test("a round that was stopped goes on to the tree of one that was not")
    func resumes() throws {
        try withScratchDirectory { directory in
            let store = try store(in: directory)
            for (target, text, stopped, whole) in [
                (rounds.adapter("digits"), TrainTests.digits, "a", "b"),
                (rounds.adapter("swahili", .small), TrainTests.swahili, "c", "d"),
                (.model(freezesTrunk: true, freezesExperts: false), TrainTests.digits, "e", "f"),
            ] as [(TrainTarget, [UInt8], String, String)] {
                for branch in [stopped, whole] {
                    try store.createBranch(branch, at: "main", Checkpoints.signature)
                }
                try store.train(rounds.options(target, text, branch: whole))
                var round = rounds.options(target, text, branch: stopped)
                var steps = 0
                let code = rounds.code {
                    try store.train(
                        round,
                        isStopped: {
                            steps += 1
                            return steps == 15
                        })
                }
                #expect(code == "cancelled")
                round.resumes = true
                try store.train(round)
                #expect(try store.tree(stopped) == store.tree(whole))
            }
            // With the trunk frozen the rows alone were trained.
            let (before, after) = (try store.tree("main"), try store.tree("f"))
            #expect(after.trunk == before.trunk && after.layers != before.layers)
        }
    }

    @Test("rows are held to what old text gives, by picks that are recorded with states")
    func held() throws {
        try withScratchDirectory { directory in
            let store = try store(in: directory)
            var round = rounds.options(
                .model(freezesTrunk: true, freezesExperts: false), TrainTests.digits,
                branch: "main",
                steps: 20)
            round.hold = TrainHold(output: 30, router: 30)
            #expect(rounds.code { try store.train(round) } == "usage")
            let options = Checkpoints.options("states")
            let added = try store.addStates([TrainTests.english], count: 200, options)
            let info = try #require(added.evidence.first)
            #expect(info.kind == "states" && info.tokens == 200 && info.layers == [])
            #expect(
                try store.addStates([TrainTests.english], count: 200, threads: 2, options).unchanged
            )
            var distances: [Double] = []
            for (name, weight) in [("free", 1e-6), ("held", 30.0)] {
                try store.createBranch(name, at: "main", Checkpoints.signature)
                round.commit.branch = name
                round.hold = TrainHold(output: weight, router: 0)
                let made = try store.train(round)
                distances.append(
                    try #require(store.show(made.commit).metrics["train.hold.output"]))
            }
            #expect(distances[1] < 0.7 * distances[0], "\(distances)")
            // A hash has no distribution.
            round.hold = TrainHold(output: 0, router: 1)
            #expect(rounds.code { try store.train(round) } == "usage")
            #expect(try store.verify().faults.isEmpty)
        }
    }
}
