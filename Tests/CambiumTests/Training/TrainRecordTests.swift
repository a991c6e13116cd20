import Files
import Foundation
import Objects
import Snapshots
import TestSupport
import Testing
import Training

@testable import Cambium

/// What a commit tells of the training that made it, and what a stopped round tells.
@Suite("Records of training")
struct TrainRecordTests {
    private let rounds = TrainTests()

    @Test("stopped rounds are known by words that stay")
    func identity() throws {
        func words(_ target: TrainTarget, _ new: NewExperts? = nil) throws -> String {
            var options = rounds.options(target, TrainTests.digits)
            options.newExperts = new
            return try options.roundRequest().identity
        }
        let dense = try words(.adapter("digits", .dense))
        #expect(dense.hasPrefix("cohort(\"digits\", Cambium.CohortForm.dense) steps("))
        let low = try words(.adapter("a", .lowRank(8)), .swiglu(3, width: 8, topK: 2))
        #expect(low.hasPrefix("cohort(\"a\", Cambium.CohortForm.lowRank(8)) steps("))
        #expect(low.hasSuffix(" swiglu(3, width: 8, picks: 2)"))
        let whole = try words(.model(freezesTrunk: true, freezesExperts: false))
        #expect(whole.hasPrefix("model(freezesTrunk: true, freezesExperts: false) steps("))
        #expect(try words(.experts(5)).hasPrefix("experts(5) steps("))
    }

    @Test("every option that changes the result changes the record")
    func recorded() throws {
        let base = rounds.options(rounds.adapter("digits"), TrainTests.digits)
        func record(_ change: (inout TrainOptions) -> Void) throws -> [String: String] {
            var options = base
            change(&options)
            return try options.roundRequest().record(
                from: nil, mixesCounts: false, evidenceOrder: 3, hasRows: true)
        }
        let first = try record { _ in }
        let changes: [(inout TrainOptions) -> Void] = [
            { $0.seed = 2 }, { $0.windows = 2 }, { $0.rate = 0.5 }, { $0.warmUp = 3 },
            { $0.divergenceWeight = 0.5 }, { $0.budget = .tokens(40) },
            { $0.rowRate = 0.3 }, { $0.rowDrop = 0.5 },
            { $0.adapterStart = .nearest }, { $0.adapterStart = .adapter("a") },
            { $0.budget = .seconds(40) },
            { $0.texts = [TrainTests.swahili] }, { $0.texts += [TrainTests.swahili] },
            { $0.target = .adapter("digits", .lowRank(3)) }, { $0.target = .experts(3) },
            { $0.target = .model(freezesTrunk: false, freezesExperts: false) },
            { $0.target = .model(freezesTrunk: true, freezesExperts: false) },
            { $0.target = .model(freezesTrunk: false, freezesExperts: true) },
            { $0.newExperts = .neurons(16) }, { $0.newExperts = .swiglu(2, width: 8, topK: 1) },
            { $0.newExperts = .swiglu(2, width: 8, topK: 2) },
            {
                ($0.target, $0.background) = (.experts(3), [[1, 2]])
            },
            {
                $0.target = .model(freezesTrunk: false, freezesExperts: false)
                $0.initial = TrainTests.config
            }, { $0.textNames = ["digits"] },
            { $0.heldOut = [HeldOutText(name: "x", bytes: [1])] },
        ]
        var seen = [first]
        for change in changes {
            let other = try record(change)
            #expect(!seen.contains(other))
            seen.append(other)
        }
        #expect(try record { $0.request = "cambium train" } == first)
        #expect(
            try base.roundRequest().record(
                from: nil, mixesCounts: true, evidenceOrder: 3, hasRows: true) != first
                && base.roundRequest().record(
                    from: nil, mixesCounts: false, evidenceOrder: 4, hasRows: true)
                    != first
        )
    }

    @Test("a commit has the options, the texts by name and digest, clean figures and the curve")
    func committed() throws {
        try withScratchDirectory { directory in
            let store = try rounds.store(in: directory)
            let base = try store.resolve("main")
            let tree = try store.show("main").tree
            #expect(try store.curve("main").count == 60)
            var options = rounds.options(rounds.adapter("digits"), TrainTests.digits)
            options.textNames = ["digits"]
            options.commit.metadata["mine"] = "kept"
            try store.train(options)
            let commit = try store.show("main")
            #expect(commit.metadata["train.rate"] == "0.01")
            #expect(commit.metadata["train.kind"] == "dense" && commit.metadata["mine"] == "kept")
            #expect(commit.metadata["train.from"] == base)
            let id = try ObjectID(ofFile: TrainTests.digits).hex
            #expect(commit.metadata["train.text.1"] == "\(id) \(TrainTests.digits.count) digits")
            let seconds = try #require(commit.metrics["train.seconds"])
            #expect(abs(seconds * 100 - (seconds * 100).rounded()) < 1e-9 && "\(seconds)".count < 8)
            let curve = try store.curve("main")
            #expect(curve.map(\.step) == Array(1...40))
            #expect(try store.curve("main~1").count == 60)
            #expect(commit.notes.map(\.curves) == [["train.loss"]])
            // The curve is no part of the model, nor of the commit's id.
            #expect(try store.show("main~1").tree == tree)
            #expect(try store.verify().faults.isEmpty)
        }
    }

    @Test("stopped rounds are listed, tell how they differ, and can be dropped")
    func stopped() throws {
        try withScratchDirectory { directory in
            let store = try rounds.store(in: directory)
            #expect(try store.stoppedRounds().isEmpty)
            var round = rounds.options(rounds.adapter("digits"), TrainTests.digits)
            round.request = "cambium train --data digits.txt"
            var steps = 0
            let stopped = rounds.code {
                try store.train(
                    round,
                    isStopped: {
                        steps += 1
                        return steps == 15
                    })
            }
            #expect(stopped == "cancelled")
            let found = try #require(try store.stoppedRounds().first)
            #expect(found.branch == "main" && found.steps == 15 && found.curve.count == 15)
            #expect(found.options["train.rate"] == "0.01" && found.request == round.request)
            var other = round
            other.resumes = true
            other.rate = 0.5
            do {
                try store.train(other)
                Issue.record("another rate went on with the round")
            } catch let error as CambiumError {
                #expect(error.code == .usage && error.message.contains("train.rate 0.01, not 0.5"))
            }
            other = round
            other.commit.branch = "elsewhere"
            other.resumes = true
            do {
                try store.train(other)
                Issue.record("another branch went on with the round")
            } catch let error as CambiumError {
                #expect(error.code == .notFound && error.message.contains("rounds of main"))
            }
            round.resumes = true
            try store.train(round)
            #expect(try store.curve("main").map(\.step) == Array(1...40))
            #expect(try store.stoppedRounds().isEmpty)
            #expect(rounds.code { try store.discardStoppedRound(of: "main") } == "not-found")
            round.resumes = false
            round.target = rounds.adapter("again")
            steps = 0
            _ = rounds.code {
                try store.train(
                    round,
                    isStopped: {
                        steps += 1
                        return steps == 3
                    })
            }
            #expect(try store.discardStoppedRound(of: "main").steps == 3)
            #expect(try store.stoppedRounds().isEmpty)
        }
    }

    @Test("a folder that a killed commit left behind goes with the next, others stay")
    func staleFolders() throws {
        try withScratchDirectory { directory in
            try Store.create(at: directory + "/S")
            let store = try Store(directory + "/S")
            let training = directory + "/S/training"
            try makeFolder(training)
            for name in ["new.123", "new.0123", "new.x", "mine"] {
                try makeFolder("\(training)/\(name)")
                try write([1], to: "\(training)/\(name)/model.safetensors")
            }
            try makeFolder(directory + "/precious")
            try write([1], to: directory + "/precious/model.safetensors")
            try link("\(training)/new.7", to: directory + "/precious")
            try write([1], to: "\(training)/new.123/.cambium-abc.tmp")
            _ = try store.collect(prune: true)
            let left = try listDirectory(training)
            #expect(left == ["mine", "new.0123", "new.7", "new.lock", "new.x"])
            #expect(try listDirectory(directory + "/precious") == ["model.safetensors"])
            // While a live one holds the lock, its folder stays.
            try makeFolder("\(training)/new.8")
            do {
                let live = try FileLock(path: "\(training)/new.lock", .shared, wait: true)
                _ = try store.collect(prune: true)
                #expect(try listDirectory(training).count == 6)
                _ = live
            }
            _ = try store.collect(prune: true)
            #expect(try listDirectory(training).count == 5)
        }
    }

    private func makeFolder(_ path: String) throws {
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: true)
    }

    private func write(_ bytes: [UInt8], to path: String) throws {
        try Data(bytes).write(to: URL(fileURLWithPath: path))
    }

    private func link(_ path: String, to target: String) throws {
        try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: target)
    }
}
