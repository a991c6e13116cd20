import Foundation
import Snapshots
import TestSupport
import Testing

@testable import Cambium

extension TrainTests {
    @Test("a new base is what its exported checkpoint is committed as")
    func staged() throws {
        try withScratchDirectory { directory in
            let store = try store(in: directory)
            _ = try store.export("main", to: directory + "/out")
            try Store.create(at: directory + "/T")
            let other = try Store(directory + "/T")
            try other.commit(checkpoint: directory + "/out", Checkpoints.options("imported"))
            let (staged, read) = (try store.tree("main"), try other.tree("main"))
            #expect(staged.trunk == read.trunk && staged.layers == read.layers)
            #expect(staged.layout == read.layout && staged.architecture == read.architecture)
            #expect(staged.files["config.json"] == read.files["config.json"])
        }
    }

    @Test("counts predict beside a base that asks for it, and every later model has them")
    func mixesCounts() throws {
        try withScratchDirectory { directory in
            let store = try store(in: directory)
            let file = "mixture.json"
            let description = try #require(try store.tree("main").files[file])
            #expect(
                try store.evidence("main").allSatisfy { $0.kind == "activations" || $0.order == 6 })
            var without = options(adapter("digits"), Self.digits)
            without.mixesCounts = false
            #expect(code { try store.train(without) } == "usage")
            try store.train(options(adapter("swahili"), Self.swahili, branch: "other"))
            // The metric is what the stored model gives.
            var held = options(adapter("digits"), Self.digits)
            held.heldOut = [HeldOutText(name: "digits", bytes: Self.digits)]
            let result = try store.train(held)
            #expect(
                abs(try #require(result.bitsPerByte["digits"]) - bits(store, "main", Self.digits))
                    < 1e-5)
            // Two branches keep it, merged too, and so does a checkpoint that comes later.
            _ = try store.merge(["other"], into: "main", Checkpoints.signature)
            #expect(try store.tree("main").files[file] == description)
            _ = try store.export("main", to: directory + "/out")
            try store.commit(checkpoint: directory + "/out", Checkpoints.options("again"))
            #expect(try store.tree("main").files[file] == description)
            // Without: the same weights predict worse, until counts are let in.
            try Store.create(at: directory + "/T")
            let plain = try Store(directory + "/T")
            var base = options(
                .model(freezesTrunk: false, freezesExperts: false), Self.english, steps: 60)
            base.initial = Self.config
            base.mixesCounts = false
            base.evidenceOrder = 6
            try plain.train(base)
            #expect(try plain.tree("main").files[file] == nil)
            let first = try bits(plain, "main", Self.english)
            #expect(try bits(store, "main~2", Self.english) < first)
            var letIn = options(adapter("digits"), Self.digits)
            letIn.mixesCounts = true
            try plain.train(letIn)
            #expect(try plain.tree("main").files[file] == description)
            #expect(try bits(plain, "main", Self.english) < first)
            #expect(try bits(plain, "main", Self.digits) == bits(store, "main~1", Self.digits))
        }
    }

    @Test(
        "a round is the same tree with any number of threads, and no number that cannot be is taken"
    )
    func threads() throws {
        try withScratchDirectory { directory in
            let store = try store(in: directory)
            let targets: [(String, TrainTarget)] = [
                ("adapter", adapter("digits")), ("edit", .experts(2)),
                ("whole", .model(freezesTrunk: false, freezesExperts: false)),
            ]
            for (name, target) in targets {
                var trees: [Tree] = []
                for threads in [1, 2, 3, nil] {
                    let branch = "\(name)-\(threads ?? 0)"
                    try store.createBranch(branch, at: "main", Checkpoints.signature)
                    var round = options(target, Self.digits, branch: branch, steps: 6)
                    round.threads = threads
                    round.heldOut = [HeldOutText(name: "digits", bytes: Self.digits)]
                    try store.train(round)
                    trees.append(try store.tree(branch))
                    #expect(
                        try store.show(branch).metrics["digits.bpb"]
                            == store.show("\(name)-1").metrics["digits.bpb"])
                }
                #expect(trees.dropFirst().allSatisfy { $0 == trees[0] }, "\(name)")
            }
            for threads in [0, -1, 1_025] {
                var round = options(adapter("none"), Self.digits)
                round.threads = threads
                #expect(code { try store.train(round) } == "usage")
            }
        }
    }

    @Test("a mixture that says nothing known is refused by name and changes nothing")
    func badMixture() throws {
        try withScratchDirectory { directory in
            let store = try store(in: directory)
            _ = try store.export("main", to: directory + "/out")
            try Data(#"{"version":9}"#.utf8).write(
                to: URL(filePath: directory + "/out/mixture.json"))
            try store.commit(
                checkpoint: directory + "/out", Checkpoints.options("odd", branch: "odd"))
            let head = try store.resolve("odd")
            for body in [
                { _ = try store.model("odd") },
                { try store.train(options(adapter("digits"), Self.digits, branch: "odd")) },
            ] {
                do {
                    try body()
                    Issue.record("a bad mixture was taken")
                } catch {
                    #expect("\(error)".contains("mixture.json"))
                }
            }
            #expect(try store.resolve("odd") == head)
        }
    }

    @Test("a divergence keeps an adapter, and the model itself, closer to what they were")
    func staysClose() throws {
        try withScratchDirectory { directory in
            let store = try store(in: directory, mixesCounts: false)
            let whole = TrainTarget.model(freezesTrunk: false, freezesExperts: false)
            for (target, name) in [(adapter("digits"), "adapter"), (whole, "whole")] {
                var bits: [Double] = []
                for weight in [0, 5.0] {
                    var options = options(target, Self.digits, branch: "\(name)-\(weight)")
                    options.divergenceWeight = weight
                    options.heldOut = [HeldOutText(name: "digits", bytes: Self.digits)]
                    bits.append(try #require(store.train(options).bitsPerByte["digits"]))
                }
                // The base knows no digits: who stays close to it learns less of them.
                #expect(bits[0] < bits[1] - 0.2)
            }
            var bad = options(adapter("a"), Self.digits)
            for weight in [-1, 1e9, .nan] {
                bad.divergenceWeight = weight
                #expect(code { try store.train(bad) } == "usage")
            }
        }
    }
}
