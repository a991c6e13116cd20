import Snapshots
import TestSupport
import Testing

@testable import Cambium

/// Rounds that edit the few old experts that a text uses most.
@Suite("Rounds that edit experts")
struct EditExpertsTests {
    private let rounds = TrainTests()

    private func options(_ count: Int, _ text: [UInt8], steps: Int = 40) -> TrainOptions {
        rounds.options(.experts(count), text, steps: steps)
    }

    @Test("change those experts alone, learn the text and keep what others are for")
    func edits() throws {
        try withScratchDirectory { directory in
            let store = try rounds.store(in: directory, mixesCounts: false)
            let before = try store.tree("main")
            // A base that was trained here has evidence of what its experts are used for.
            #expect(try store.evidence("main").map(\.kind).sorted() == ["activations", "counts"])
            var round = options(3, TrainTests.digits)
            round.heldOut = [HeldOutText(name: "d", bytes: Array(TrainTests.digits[..<100]))]
            let result = try store.train(round)
            let after = try store.tree("main")
            #expect(after.trunk == before.trunk)
            let edited = try #require(result.edited.first)
            #expect(edited.layer == 0 && (1...3).contains(edited.experts.count))
            let maps = try (store.map("main~1"), store.map("main"))
            let tables = (
                try #require(maps.0.experts(layer: 0, pool: "base")),
                try #require(maps.1.experts(layer: 0, pool: "base"))
            )
            for expert in 0..<tables.0.count {
                #expect(
                    try (tables.0.id(expert) != tables.1.id(expert))
                        == edited.experts.contains(expert))
            }
            #expect(
                try rounds.bits(store, "main", TrainTests.digits)
                    < rounds.bits(store, "main~1", TrainTests.digits))
            #expect(
                try rounds.bits(store, "main", Array(TrainTests.digits[..<100]))
                    == result.bitsPerByte["d"])
            // The text is background from now on, and another round goes on with other experts.
            #expect(try store.evidence("main").count(where: { $0.kind == "activations" }) == 2)
            try store.train(options(3, TrainTests.swahili))
            #expect(try store.verify().faults.isEmpty)
        }
    }

    @Test("leave adapters alone that skip the base's experts, and are refused below others")
    func adapters() throws {
        try withScratchDirectory { directory in
            let store = try rounds.store(in: directory, mixesCounts: false)
            try store.train(
                rounds.options(rounds.adapter("digits"), TrainTests.digits, steps: 20))
            let digits = try rounds.bits(store, "main", TrainTests.digits)
            try store.train(options(2, TrainTests.swahili, steps: 5))
            #expect(try abs(rounds.bits(store, "main", TrainTests.digits) - digits) < 0.05)
            try store.train(
                rounds.options(
                    rounds.adapter("low", .lowRank(2)), TrainTests.swahili, steps: 2))
            #expect(rounds.code { try store.train(options(2, TrainTests.english)) } == "usage")
        }
    }

    @Test("and low-rank adapters that run with them are not merged")
    func merges() throws {
        try withScratchDirectory { directory in
            let store = try rounds.store(in: directory, mixesCounts: false)
            try store.createBranch("low", at: "main", Checkpoints.signature)
            try store.train(
                rounds.options(
                    rounds.adapter("low", .lowRank(2)), TrainTests.swahili, branch: "low", steps: 2)
            )
            try store.train(options(2, TrainTests.digits, steps: 2))
            #expect(
                rounds.code { try store.merge(["low"], into: "main", Checkpoints.signature) }
                    == "incompatible")
            #expect(try store.adapters("main").isEmpty)
        }
    }

    @Test("need evidence of the experts' use, or texts that make it")
    func background() throws {
        try withScratchDirectory { directory in
            let store = try rounds.store(in: directory)
            // Without the records: as a model comes from elsewhere.
            _ = try store.export("main", to: directory + "/out", isPlain: true)
            try Store.create(at: directory + "/T")
            let other = try Store(directory + "/T")
            try other.commit(checkpoint: directory + "/out", Checkpoints.options("imported"))
            let head = try other.resolve("main")
            #expect(rounds.code { try other.train(options(2, TrainTests.digits)) } == "usage")
            #expect(rounds.code { try other.train(options(0, TrainTests.digits)) } == "usage")
            // The text itself is no background.
            var own = options(2, TrainTests.digits)
            own.background = [TrainTests.digits]
            #expect(rounds.code { try other.train(own) } == "usage")
            #expect(try other.resolve("main") == head)
            var round = options(2, TrainTests.digits, steps: 3)
            round.background = [TrainTests.english]
            try other.train(round)
            #expect(
                try other.evidence("main").map(\.kind).sorted() == [
                    "activations", "activations", "counts",
                ])
        }
    }

    @Test("go on after being stopped, to the tree of a round that was not")
    func resumes() throws {
        try withScratchDirectory { directory in
            let store = try rounds.store(in: directory)
            try store.createBranch("whole", at: "main", Checkpoints.signature)
            var calls = 0
            var stopped = options(2, TrainTests.digits, steps: 8)
            #expect(
                rounds.code {
                    try store.train(
                        stopped,
                        isStopped: {
                            calls += 1
                            return calls == 4
                        })
                } == "cancelled")
            stopped.resumes = true
            var other = stopped
            other.background = [TrainTests.swahili]
            #expect(rounds.code { try store.train(other) } == "usage")
            try store.train(stopped)
            var whole = options(2, TrainTests.digits, steps: 8)
            whole.commit.branch = "whole"
            try store.train(whole)
            #expect(try store.tree("main") == store.tree("whole"))
        }
    }
}
