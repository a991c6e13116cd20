import Snapshots
import TestSupport
import Testing

@testable import Cambium

/// Rounds of training on a tiny model, from an empty store to a merge.
@Suite("Rounds of training")
struct TrainTests {
    static let config = Array(
        """
        {"architecture": "peer-lm", "vocab_size": 256, "hidden_size": 16, "num_layers": 1,
         "num_heads": 2, "context_length": 16, "ffn_size": 16, "rms_norm_eps": 1e-5,
         "rope_theta": 10000, "peer_layers": [0],
         "peer": {"sub_keys": 4, "heads": 1, "top_k": 2, "key_size": 8}}
        """.utf8)
    static let english = text("the cat sat on the mat, and the dog ran to the cat. ")
    static let digits = text("12 + 30 = 42; 7 * 8 = 56; 90 - 1 = 89; ")
    static let swahili = text("habari ya asubuhi, watoto wanakwenda shule kila siku. ")

    static func text(_ line: String) -> [UInt8] {
        Array(String(repeating: line, count: 12).utf8)
    }

    func options(
        _ target: TrainTarget, _ text: [UInt8], branch: String = "main", steps: Int = 40
    ) -> TrainOptions {
        var options = TrainOptions(
            Checkpoints.options("a round", branch: branch), texts: [text], target: target,
            budget: .steps(steps))
        options.windows = 4
        options.rate = 1e-2
        return options
    }

    /// The code of what `body` throws, or nil.
    func code<Result>(_ body: () throws -> Result) -> String? {
        do {
            _ = try body()
            return nil
        } catch {
            return (error as? CambiumError)?.code.rawValue ?? "\(error)"
        }
    }

    func adapter(_ name: String, _ form: AdapterForm = .dense) -> TrainTarget {
        .adapter(name, form)
    }

    /// A store whose main has a base that was trained on English.
    func store(in directory: String, mixesCounts: Bool? = nil) throws -> Store {
        try Store.create(at: directory + "/S")
        let store = try Store(directory + "/S")
        var options = options(
            .model(freezesTrunk: false, freezesExperts: false), Self.english, steps: 60)
        options.initial = Self.config
        options.mixesCounts = mixesCounts
        try store.train(options)
        return store
    }

    func bits(_ store: Store, _ revision: String, _ text: [UInt8]) throws -> Double {
        try store.model(revision).evaluate(text, limit: nil).bitsPerByte
    }

    @Test("two branches learn two texts, and their merge knows both and has forgotten nothing")
    func branchesMerge() throws {
        try withScratchDirectory { directory in
            let store = try store(in: directory)
            let english = try bits(store, "main", Self.english)
            #expect(english < 5)
            let base = try store.tree("main")
            for (name, text) in [("digits", Self.digits), ("swahili", Self.swahili)] {
                try store.createBranch(name, at: "main", Checkpoints.signature)
                var options = options(adapter(name), text, branch: name)
                options.heldOut = [HeldOutText(name: name, bytes: text)]
                let result = try store.train(options)
                #expect(result.isNewAdapter && result.steps == 40)
                let after = try bits(store, name, text)
                #expect(abs((result.bitsPerByte[name] ?? 0) - after) < 1e-12)
                #expect(try after < bits(store, "main", text) - 1)
            }
            for (left, right) in [("digits", "swahili"), ("swahili", "digits")] {
                let branch = "\(left)-\(right)"
                try store.createBranch(branch, at: left, Checkpoints.signature)
                _ = try store.merge([right], into: branch, Checkpoints.signature)
            }
            let merged = try store.tree("digits-swahili")
            #expect(merged == (try store.tree("swahili-digits")))
            #expect(merged.layers == base.layers)
            for (name, tensor) in base.trunk.tensors {
                #expect(merged.trunk.tensors[name] == tensor)
            }
            #expect(try store.adapters("digits-swahili") == ["digits", "swahili"])
            #expect(try bits(store, "digits-swahili", Self.english) < english + 0.1)
            for (name, text) in [("digits", Self.digits), ("swahili", Self.swahili)] {
                let alone = try bits(store, name, text)
                #expect(try abs(bits(store, "digits-swahili", text) - alone) < 0.1)
            }
            // One after the other gives the same model.
            try store.createBranch("line", at: "main", Checkpoints.signature)
            for (name, text) in [("digits", Self.digits), ("swahili", Self.swahili)] {
                try store.train(options(adapter(name), text, branch: "line"))
            }
            #expect(try store.tree("line") == merged)
            #expect(try store.verify().faults.isEmpty)
        }
    }

    @Test("a round that was stopped goes on to the tree of one that was not")
    func resumes() throws {
        try withScratchDirectory { directory in
            let store = try store(in: directory)
            for (target, text, before, whole) in [
                (adapter("digits"), Self.digits, "a", "b"),
                (adapter("swahili", .lowRank(2)), Self.swahili, "c", "d"),
                (.model(freezesTrunk: false, freezesExperts: false), Self.digits, "e", "f"),
            ] {
                for branch in [before, whole] {
                    try store.createBranch(branch, at: "main", Checkpoints.signature)
                }
                try store.train(options(target, text, branch: whole))
                var round = options(target, text, branch: before)
                round.resumes = true
                #expect(code { try store.train(round) } == "not-found")
                round.resumes = false
                let head = try store.resolve(before)
                var steps = 0
                #expect(
                    code {
                        try store.train(
                            round,
                            isStopped: {
                                steps += 1
                                return steps == 15
                            })
                    } == "cancelled")
                #expect(try store.resolve(before) == head)
                round.resumes = true
                var other = round
                other.seed = 9
                #expect(code { try store.train(other) } == "usage")
                let reopened = try Store(directory + "/S")
                #expect(try reopened.train(round).steps == 40)
                #expect(try reopened.tree(before) == reopened.tree(whole))
                #expect(code { try store.train(round) } == "not-found")
            }
        }
    }

    @Test("an adapter is committed on a head that moved meanwhile, unless its base changed")
    func movedBranch() throws {
        try withScratchDirectory { directory in
            let store = try store(in: directory)
            var isDone = false
            try store.train(
                options(adapter("digits"), Self.digits),
                progress: { _ in
                    guard !isDone else { return }
                    isDone = true
                    _ = try? store.addEvidence(
                        [Self.english + [33]], adapter: "base", Checkpoints.options("meanwhile"))
                })
            #expect(isDone)
            #expect(try store.adapters("main") == ["digits"])
            #expect(try store.evidence("main").count { $0.kind == "counts" } == 3)
            // Another base.
            isDone = false
            let error = code {
                try store.train(
                    options(adapter("swahili"), Self.swahili),
                    progress: { _ in
                        guard !isDone else { return }
                        isDone = true
                        var patch = [UInt8](repeating: 0, count: 64)
                        patch[3] = 64
                        var meant = Checkpoints.options("another norm")
                        meant.allowsUnfit = true
                        _ = try? store.commit(meant) {
                            draft in
                            try draft.put(tensor: "model.norm.weight", patch)
                        }
                    })
            }
            #expect(error == "branch-moved")
            #expect(try store.adapters("main~1") == ["digits"])
            // And the adapter that is there does not fit the new base.
            #expect(code { try store.model("main") } == "unsupported")
        }
    }

    @Test("a round that was trained and could not be committed is committed by resuming it")
    func failedCommit() throws {
        try withScratchDirectory { directory in
            let store = try store(in: directory)
            try store.createBranch("whole", at: "main", Checkpoints.signature)
            try store.train(options(adapter("digits"), Self.digits, branch: "whole"))
            var round = options(adapter("digits"), Self.digits)
            round.commit.expectedParent = try store.resolve("main")
            var isDone = false
            let error = code {
                try store.train(
                    round,
                    progress: { _ in
                        guard !isDone else { return }
                        isDone = true
                        _ = try? store.addEvidence(
                            [Self.english + [33]], adapter: "base", Checkpoints.options("meanwhile")
                        )
                    })
            }
            #expect(error == "branch-moved")
            #expect(try store.adapters("main").isEmpty)
            round.commit.expectedParent = nil
            round.resumes = true
            var steps = 0
            let result = try store.train(
                round, progress: { steps += $0.phase == "training" ? 1 : 0 })
            #expect(steps == 0 && result.steps == 40 && result.loss > 0)
            let (left, right) = (try store.tree("main"), try store.tree("whole"))
            #expect(left.trunk == right.trunk)
        }
    }

    @Test("an adapter that another round changed meanwhile is not overwritten")
    func changedMeanwhile() throws {
        try withScratchDirectory { directory in
            let store = try store(in: directory)
            try store.train(options(adapter("digits"), Self.digits, steps: 5))
            var other: TrainResult?
            let error = code {
                try store.train(
                    options(adapter("digits"), Self.digits, steps: 6),
                    progress: { _ in
                        guard other == nil else { return }
                        other = try? store.train(options(adapter("digits"), Self.swahili, steps: 3))
                    })
            }
            #expect(error == "branch-moved")
            #expect(try store.resolve("main") == other?.commit)
        }
    }

    @Test("names with dots and long messages are fine; held-out texts are checked before training")
    func names() throws {
        try withScratchDirectory { directory in
            let store = try store(in: directory)
            try store.train(options(adapter("v1"), Self.digits, steps: 2))
            var dotted = options(adapter("v1.2"), Self.swahili, steps: 2)
            dotted.commit.message = String(repeating: "é", count: 200) + "\nand more\u{7}"
            try store.train(dotted)
            try store.train(options(adapter("v1"), Self.digits, steps: 2))
            #expect(try store.adapters("main") == ["v1", "v1.2"])
            let labels = try store.evidence("main").map(\.label)
            #expect(labels.contains(String(repeating: "é", count: 127)))
            var short = options(adapter("other"), Self.digits)
            short.heldOut = [HeldOutText(name: "short", bytes: Array(Self.digits[..<15]))]
            var steps = 0
            #expect(code { try store.train(short, progress: { _ in steps += 1 }) } == "usage")
            #expect(steps == 0)
        }
    }

    @Test("training further changes one adapter alone; low-rank adapters run with the experts")
    func edits() throws {
        try withScratchDirectory { directory in
            let store = try store(in: directory, mixesCounts: false)
            try store.train(options(adapter("digits"), Self.digits, steps: 10))
            try store.train(options(adapter("swahili", .lowRank(4)), Self.swahili))
            let before = try store.tree("main")
            let first = try bits(store, "main", Self.digits)
            let result = try store.train(options(adapter("digits"), Self.digits, steps: 60))
            #expect(!result.isNewAdapter)
            let after = try store.tree("main")
            for (name, tensor) in before.trunk.tensors where !name.hasPrefix("cohorts.digits.") {
                #expect(after.trunk.tensors[name] == tensor)
            }
            #expect(try bits(store, "main", Self.digits) < first - 0.3)
            #expect(try bits(store, "main", Self.swahili) < bits(store, "main~2", Self.swahili))
            let familiar = try store.familiarity(of: Array(Self.digits[..<60]), to: "main")
            #expect(!familiar.isNovel && familiar.nearest == "digits")
            let novel = try store.familiarity(of: Array("ZQXJ VWKÿþ %%$# ZZQ".utf8), to: "main")
            #expect(novel.isNovel)
            // A name belongs to one kind.
            #expect(
                code { try store.train(options(adapter("digits", .lowRank(2)), Self.digits)) }
                    == "usage")
        }
    }

    @Test("experts alone, or the trunk alone, can be trained; what is frozen keeps its ids")
    func frozen() throws {
        try withScratchDirectory { directory in
            let store = try store(in: directory)
            let before = try store.tree("main")
            for (branch, trunk, experts) in [("t", true, false), ("e", false, true)] {
                try store.createBranch(branch, at: "main", Checkpoints.signature)
                try store.train(
                    options(
                        .model(freezesTrunk: trunk, freezesExperts: experts), Self.digits,
                        branch: branch, steps: 5))
                let after = try store.tree(branch)
                #expect((after.trunk.tensors == before.trunk.tensors) == trunk)
                let ids = [before, after].map {
                    $0.layers.mapValues { $0.pools["base"]?.experts }
                }
                #expect((ids[0] == ids[1]) == experts)
                #expect(try store.evidence(branch).count { $0.kind == "counts" } == 2)
            }
        }
    }

    @Test("what cannot be trained is refused, and the branch stays")
    func refusals() throws {
        try withScratchDirectory { directory in
            try Store.create(at: directory + "/S")
            let store = try Store(directory + "/S")
            #expect(code { try store.train(options(adapter("a"), Self.digits)) } == "not-found")
            let whole = TrainTarget.model(freezesTrunk: false, freezesExperts: false)
            #expect(code { try store.train(options(whole, Self.digits)) } == "not-found")
            var hostile = options(whole, Self.digits)
            hostile.initial = Array("{\"architecture\": \"peer-lm\"}".utf8)
            #expect(code { try store.train(hostile) } == "bad-config")
            // A base whose evidence nobody gave.
            let base = try TinyCheckpoint().write(to: directory + "/base")
            _ = try store.commit(checkpoint: base, Checkpoints.options("base"))
            let head = try store.resolve("main")
            #expect(code { try store.train(options(adapter("a"), Self.digits)) } == "usage")
            _ = try store.addEvidence(
                [Self.english], adapter: "base", Checkpoints.options("evidence"))
            for name in ["base", "", "a b", "a/b", "ä", String(repeating: "n", count: 101)] {
                #expect(code { try store.train(options(adapter(name), Self.digits)) } == "usage")
            }
            var bad = options(adapter("a"), Self.digits)
            bad.texts = []
            #expect(code { try store.train(bad) } == "usage")
            #expect(
                code { try store.train(options(adapter("a"), Array(Self.digits[..<17]))) }
                    == "usage"
            )
            #expect(
                code { try store.train(options(adapter("a"), Self.digits, steps: 0)) } == "usage")
            for change in [
                { (options: inout TrainOptions) in options.rate = .nan },
                { $0.rate = 0 }, { $0.windows = 3 }, { $0.windows = 0 }, { $0.warmUp = -1 },
                { $0.evidenceOrder = 9 }, { $0.budget = .seconds(-.infinity) },
            ] {
                var options = options(adapter("a"), Self.digits)
                change(&options)
                #expect(code { try store.train(options) } == "usage")
            }
            #expect(
                code {
                    try store.train(
                        options(.model(freezesTrunk: true, freezesExperts: true), Self.digits))
                } == "usage")
            var second = options(whole, Self.digits)
            second.initial = Self.config
            #expect(code { try store.train(second) } == "usage")
            // Weights that are no numbers.
            let nan = [UInt8](repeating: 0xff, count: 32)
            _ = try store.commit(Checkpoints.options("broken", branch: "broken")) {
                patch in
                try patch.put(tensor: "model.norm.weight", nan)
            }
            #expect(
                code { try store.train(options(adapter("a"), Self.digits, branch: "broken")) }
                    == "diverged")
            try store.train(options(adapter("a"), Self.digits, steps: 2))
            #expect(code { try store.train(options(whole, Self.digits)) } == "usage")
            #expect(try store.resolve("main~2") == head)
        }
    }

    @Test("adapters and their evidence survive an export into another store")
    func exports() throws {
        try withScratchDirectory { directory in
            let store = try store(in: directory)
            try store.train(options(adapter("digits"), Self.digits))
            _ = try store.export("main", to: directory + "/out")
            try Store.create(at: directory + "/T")
            let other = try Store(directory + "/T")
            try other.commit(checkpoint: directory + "/out", Checkpoints.options("imported"))
            #expect(try other.adapters("main") == ["digits"])
            // Evidence is not part of a checkpoint: it is counted again.
            _ = try other.addEvidence([Self.english], adapter: "base", Checkpoints.options("e"))
            _ = try other.addEvidence([Self.digits], adapter: "digits", Checkpoints.options("d"))
            #expect(
                try other.gate("main").id == store.gate("main").id)
            #expect(
                try bits(other, "main", Self.digits) == bits(store, "main", Self.digits))
        }
    }
}
