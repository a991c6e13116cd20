import Architectures
import Elements
import Models
import Objects
import Snapshots
import TestSupport
import Testing

@testable import Cambium

/// Rounds that add experts with routers of their own.
@Suite("Rounds with new experts")
struct NewExpertsTests {
    private let rounds = TrainTests()

    private func options(
        _ name: String, _ text: [UInt8], _ experts: NewExperts?, _ form: AdapterForm = .dense,
        branch: String = "main", steps: Int = 30
    ) -> TrainOptions {
        var options = rounds.options(
            rounds.adapter(name, form), text, branch: branch, steps: steps)
        options.newExperts = experts
        return options
    }

    @Test(
        "are committed as an adapter of the layer, run from the store, merge and survive an export",
        arguments: [NewExperts.neurons(16), .swiglu(3, width: 8, topK: 2)])
    func wholePath(experts: NewExperts) throws {
        try withScratchDirectory { directory in
            let store = try rounds.store(in: directory, mixesCounts: false)
            let before = try store.tree("main")
            let english = try rounds.bits(store, "main", TrainTests.english)
            try store.createBranch("other", at: "main", Checkpoints.signature)
            var held = options("digits", TrainTests.digits, experts)
            held.heldOut = [HeldOutText(name: "digits", bytes: Array(TrainTests.digits[..<100]))]
            let result = try store.train(held)
            try store.train(
                options("swahili", TrainTests.swahili, experts, .lowRank(2), branch: "other"))
            // What was evaluated before the commit is what runs from the store.
            let measured = try #require(result.bitsPerByte["digits"])
            #expect(
                try rounds.bits(store, "main", Array(TrainTests.digits[..<100])) == measured)
            let after = try store.tree("main")
            #expect(after.layers[0]?.pools["base"] == before.layers[0]?.pools["base"])
            let own = try #require(after.layers[0]?.pools["digits"])
            #expect(own.count == (experts == .neurons(16) ? 16 : 3))
            #expect(own.router.keys.allSatisfy { $0.hasPrefix("cohorts.digits.") })
            for (name, tensor) in before.trunk.tensors {
                #expect(after.trunk.tensors[name] == tensor)
            }
            let digits = try rounds.bits(store, "main", TrainTests.digits)
            #expect(try digits < rounds.bits(store, "main~1", TrainTests.digits) - 0.3)
            _ = try store.merge(["other"], into: "main", Checkpoints.signature)
            #expect(try store.adapters("main") == ["digits", "swahili"])
            #expect(try abs(rounds.bits(store, "main", TrainTests.digits) - digits) < 0.05)
            #expect(try rounds.bits(store, "main", TrainTests.english) < english + 0.05)
            #expect(try store.verify().faults.isEmpty)

            _ = try store.export("main", to: directory + "/out")
            try Store.create(at: directory + "/T")
            let again = try Store(directory + "/T")
            try again.commit(checkpoint: directory + "/out", Checkpoints.options("imported"))
            let (one, two) = (try again.tree("main"), try store.tree("main"))
            #expect(one.layers == two.layers && one.trunk == two.trunk)
            #expect(one.layout == two.layout)
        }
    }

    @Test("are trained further with their adapter, and no other way")
    func edits() throws {
        try withScratchDirectory { directory in
            let store = try rounds.store(in: directory, mixesCounts: false)
            try store.train(
                options("digits", TrainTests.digits, .swiglu(2, width: 8, topK: 1), steps: 5))
            let first = try rounds.bits(store, "main", TrainTests.digits)
            let before = try store.tree("main")
            try store.train(options("digits", TrainTests.digits, nil, steps: 40))
            let after = try store.tree("main")
            #expect(
                before.layers[0]?.pools["digits"]?.experts
                    != after.layers[0]?.pools["digits"]?.experts)
            #expect(try rounds.bits(store, "main", TrainTests.digits) < first - 0.2)
            #expect(
                rounds.code {
                    try store.train(options("digits", TrainTests.digits, .neurons(16)))
                } == "usage")
        }
    }

    @Test("run with their router quantised, beside routers that cannot be")
    func quantised() throws {
        try withScratchDirectory { directory in
            let store = try rounds.store(in: directory, mixesCounts: false)
            try store.train(options("digits", TrainTests.digits, .neurons(16)))
            try store.train(
                options("swahili", TrainTests.swahili, .swiglu(2, width: 8, topK: 1)))
            let before = try rounds.bits(store, "main", TrainTests.digits)
            let swahili = try rounds.bits(store, "main", TrainTests.swahili)
            try store.quantizeRouters(Checkpoints.options("int8"))
            let router = try #require(store.tree("main").layers[0]?.pools["digits"]?.router)
            #expect(router.values.contains { $0.shape.type == .i8 })
            #expect(try abs(rounds.bits(store, "main", TrainTests.digits) - before) < 0.05)
            #expect(try abs(rounds.bits(store, "main", TrainTests.swahili) - swahili) < 0.05)
        }
    }

    @Test("of two adapters of one name are not mixed by a merge that takes a side")
    func merges() throws {
        try withScratchDirectory { directory in
            let store = try rounds.store(in: directory, mixesCounts: false)
            for (branch, experts) in [
                ("plain", nil), ("small", .neurons(16)), ("large", .neurons(64)),
            ] as [(String, NewExperts?)] {
                try store.createBranch(branch, at: "main", Checkpoints.signature)
                try store.train(
                    options("x", TrainTests.digits, experts, branch: branch, steps: 2))
            }
            for (one, two) in [("plain", "small"), ("small", "large")] {
                let head = try store.resolve(one)
                #expect(
                    rounds.code {
                        try store.merge([two], into: one, policy: .ours, Checkpoints.signature)
                    } == "incompatible")
                #expect(try store.resolve(one) == head)
            }
            #expect(try store.adapters("small") == ["x"])
        }
    }

    @Test("are taken back whole by a revert, or not at all")
    func reverts() throws {
        try withScratchDirectory { directory in
            let store = try rounds.store(in: directory, mixesCounts: false)
            let base = try store.tree("main")
            try store.train(options("x", TrainTests.digits, .neurons(16), steps: 2))
            try store.train(options("x", TrainTests.digits, nil, steps: 2))
            // What a later round changed stays, without what describes it.
            #expect(
                rounds.code { try store.revert("main~1", policy: .ours, Checkpoints.signature) }
                    == "incompatible")
            #expect(try store.adapters("main") == ["x"])
            _ = try store.revert("main", Checkpoints.signature)
            _ = try store.revert("main~2", Checkpoints.signature)
            let tree = try store.tree("main")
            #expect(tree.layers == base.layers && tree.trunk == base.trunk)
        }
    }

    @Test("that a description claims and the layer lacks are named before anything is loaded")
    func misfits() throws {
        let sizes = try PeerConfig.Linear(experts: 2, topK: 1, width: 8)
        let description = AdapterDescription(
            kind: .dense, usesExperts: false, experts: .swiglu(sizes, layers: [9]), base: "")
        let empty = Tree(architecture: "peer-lm")
        let text = try #require(StoredAdapters.misfit(["x": description], empty))
        #expect(text.contains("layer 9") && text.contains("has 0"))
        let matrix = TensorShape(.f32, [4, 16])
        var tree = empty
        tree.layers[9] = Layer(pools: [
            "x": ExpertPool(
                kind: .swiglu, parts: [matrix, matrix, TensorShape(.f32, [16, 4])], count: 2,
                experts: .zero, routerKind: .linear, router: [:])
        ])
        // Of another width.
        #expect(StoredAdapters.misfit(["x": description], tree) != nil)
        #expect(StoredAdapters.misfit([:], tree)?.contains("does not describe") == true)
    }

    @Test("of impossible sizes are refused before training")
    func refusals() throws {
        try withScratchDirectory { directory in
            let store = try rounds.store(in: directory)
            let head = try store.resolve("main")
            for experts in [
                NewExperts.neurons(15), .neurons(0), .neurons(-4), .neurons(1),
                .neurons(1 << 40), .swiglu(0, width: 8, topK: 1),
                .swiglu(2, width: 0, topK: 1), .swiglu(2, width: 8, topK: 3),
                .swiglu(65_536, width: 1_048_576, topK: 1),
            ] {
                #expect(
                    rounds.code { try store.train(options("d", TrainTests.digits, experts)) }
                        == "usage")
            }
            #expect(try store.resolve("main") == head)
        }
    }
}
