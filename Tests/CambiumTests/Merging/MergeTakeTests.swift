import TestSupport
import Testing

@testable import Cambium
@testable import Merging
@testable import Snapshots

@Suite("Conflicts one by one")
struct MergeTakeTests {
    /// A base and branches that each changed some experts, and row 3 of the router's query.
    private func store(in directory: String) throws -> Store {
        let store = try Checkpoints.tinyStore(in: directory)
        for (branch, experts, row) in [
            ("law", [3: Float(1), 4: 1, 7: 1], Float(0.5)), ("tax", [3: 2, 4: 2, 8: 2], 0.25),
            ("tort", [4: 4], 0.125),
        ] {
            var checkpoint = TinyCheckpoint()
            for (ordinal, value) in experts { checkpoint.setExpert(ordinal, to: value) }
            setRow(3, of: &checkpoint, to: row)
            let path = try checkpoint.write(to: "\(directory)/\(branch)")
            try store.commit(checkpoint: path, Checkpoints.options(branch, branch: branch))
        }
        return store
    }

    private func setRow(_ row: Int, of checkpoint: inout TinyCheckpoint, to value: Float) {
        for index in checkpoint.tensors.indices
        where checkpoint.tensors[index].name.hasSuffix("peer.query.weight") {
            for column in 0..<8 { checkpoint.tensors[index].values[row * 8 + column] = value }
        }
    }

    private func takes(_ texts: String...) throws -> [MergeTake] {
        try texts.map { try MergeTake($0) }
    }

    private func message(_ body: () throws -> Void) -> String? {
        do {
            try body()
            return nil
        } catch {
            return (error as? CambiumError).map { "\($0.code.rawValue): \($0.message)" }
        }
    }

    @Test("a conflict has its parts, its versions and how far apart they are")
    func structured() throws {
        try withScratchDirectory { directory in
            let store = try store(in: directory)
            let merge = try store.merge(["law", "tax"], into: "main", Checkpoints.signature)
            #expect(merge.kind == .conflicts && merge.settled.isEmpty)
            #expect(
                merge.conflicts.map(\.path) == [
                    "0/3", "0/4", "model.layers.0.peer.query.weight[3]",
                ])
            let expert = merge.conflicts[0]
            #expect(expert.kind == "expert" && expert.layer == 0 && expert.pool == "base")
            #expect(expert.expert == 3 && expert.tensor == nil && expert.row == nil)
            #expect(expert.versions.map(\.side) == ["law", "tax"])
            for version in expert.versions {
                #expect(try version.object == store.expert(version.side, "0/3").id)
                #expect(try version.commit == store.resolve(version.side))
            }
            #expect(try expert.base == store.expert("main", "0/3").id)
            // 16 ones against 16 twos.
            let distance = try #require(expert.distance)
            #expect(distance.relativeL2 == 0.5 && distance.maxAbs == 1)
            #expect(distance.elements == 16 && distance.differing == 16)
            let row = merge.conflicts[2]
            #expect(row.kind == "router-row" && row.row == 3)
            #expect(row.tensor == "model.layers.0.peer.query.weight")
            #expect(row.distance?.relativeL2 == 0.5 && row.distance?.maxAbs == 0.25)
            // Of three sides, the two that are farthest apart.
            let three = try store.merge(
                ["tort", "law", "tax"], into: "main", Checkpoints.signature)
            let four = try #require(three.conflicts.first { $0.path == "0/4" })
            #expect(four.sides == ["tort", "law", "tax"])
            #expect(four.distance?.between == ["tort", "law"] && four.distance?.maxAbs == 3)
        }
    }

    @Test(
        "are settled each by its own side or policy, to one tree in any order of sides and decisions"
    )
    func anyOrder() throws {
        try withScratchDirectory { directory in
            let store = try store(in: directory)
            let decisions = ["0/3=law", "0/4=main", "router 0/*=mean"]
            var trees: Set<String> = []
            for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
                for sides in [["law", "tax", "tort"], ["tort", "tax", "law"]] {
                    let merge = try store.merge(
                        sides, into: "main", takes: order.map { try MergeTake(decisions[$0]) },
                        dryRun: true, Checkpoints.signature)
                    #expect(merge.kind == .merged && merge.resolved == 3)
                    trees.insert(try #require(merge.tree))
                }
            }
            #expect(trees.count == 1)
            let before = try store.expert("main", "0/4").id
            let merge = try store.merge(
                ["law", "tax", "tort"], into: "main",
                takes: takes("0/3=law", "0/4=main", "router 0/*=mean"),
                Checkpoints.signature)
            #expect(merge.tree == trees.first)
            #expect(
                merge.settled.map(\.path) == ["0/3", "0/4", "model.layers.0.peer.query.weight[3]"])
            #expect(merge.settled.map(\.taken) == ["law", "main", nil])
            #expect(merge.settled.map(\.policy) == [nil, nil, "mean"])
            #expect(try store.expert("main", "0/3").id == store.expert("law", "0/3").id)
            #expect(try store.expert("main", "0/4").id == before)
            #expect(try store.expert("main", "0/7").id == store.expert("law", "0/7").id)
            #expect(try store.expert("main", "0/8").id == store.expert("tax", "0/8").id)
            let metadata = try store.show("main").metadata
            #expect(metadata["merge.take"] == "0/3=law; 0/4=main; router 0/*=mean")
            #expect(metadata["merge.policy"] == "none" && metadata["merge.resolved"] == "3")
            #expect(metadata["merge.weights"] != nil)
            #expect(try store.verify().faults.isEmpty)
        }
    }

    @Test("what is not decided falls to the policy, and the result says whose version was taken")
    func policyForTheRest() throws {
        try withScratchDirectory { directory in
            let store = try store(in: directory)
            let merge = try store.merge(
                ["law", "tax"], into: "main", policy: .ours,
                takes: takes("0/4=\(store.resolve("tax").prefix(12))"), dryRun: true,
                Checkpoints.signature)
            #expect(merge.settled.map(\.taken) == ["law", "tax", "law"])
            #expect(merge.settled.map(\.policy) == ["ours", nil, "ours"])
            let left = try store.merge(
                ["law", "tax"], into: "main", takes: takes("0/3-4=law"), Checkpoints.signature)
            #expect(left.kind == .conflicts)
            #expect(left.conflicts.map(\.kind) == ["router-row"] && left.resolved == 2)
            #expect(left.settled.map(\.path) == ["0/3", "0/4"])
        }
    }

    @Test("decisions that settle nothing, contradict each other or name no side are errors by name")
    func errors() throws {
        try withScratchDirectory { directory in
            let store = try store(in: directory)
            let head = try store.resolve("main")
            func refusal(_ sides: [String], _ texts: String...) -> String? {
                message {
                    _ = try store.merge(
                        sides, into: "main", policy: .mean, takes: texts.map { try MergeTake($0) },
                        Checkpoints.signature)
                }
            }
            let both = ["law", "tax"]
            let unused = refusal(both, "0/3=law", "0/9=law")
            #expect(unused?.hasPrefix("usage: '0/9=law' settles nothing") == true)
            // Only one side changed it: there is no conflict.
            #expect(refusal(both, "0/7=tax")?.contains("'0/7=tax' settles nothing") == true)
            let torn = refusal(both, "0/3=tax", "0/*=law")
            #expect(
                torn?.hasPrefix("usage: '0/*=law' and '0/3=tax' contradict each other about 0/3")
                    == true)
            #expect(torn == refusal(both, "0/*=law", "0/3=tax"))
            #expect(
                refusal(both, "0/3=tort")?.contains(
                    "'tort' is no side of this merge, which are main, law, tax") == true)
            #expect(
                refusal(both, "0/3=nowhere")?.contains(
                    "neither a side of this merge (main, law, tax) nor a policy") == true)
            #expect(refusal(both, "0/3=none")?.contains("settles nothing") == true)
            // A fast-forward and a merge of nothing have no conflicts.
            #expect(refusal(["law"], "0/3=law")?.contains("settles nothing") == true)
            #expect(refusal(["main"], "0/3=main")?.contains("settles nothing") == true)
            for text in [
                "0/3", "=law", "0/3=", "router 0=law", "pool x=law", "0/9-3=law",
                "0/99999999999=law", "expert x=law",
            ] {
                #expect(throws: CambiumError.self, "\(text)") { try MergeTake(text) }
            }
            #expect(try store.resolve("main") == head)
            try store.createBranch("mean", at: "law", Checkpoints.signature)
            #expect(
                refusal(["mean", "tax"], "0/3=mean")?.contains("is a policy and one of the sides")
                    == true)
        }
    }

    @Test("a removal is a version that can be taken, and has no distance")
    func removal() throws {
        try withScratchDirectory { directory in
            let store = try store(in: directory)
            try store.createBranch("without", at: "main", Checkpoints.signature)
            try store.commit(Checkpoints.options("remove 3", branch: "without")) {
                (patch) throws in try patch.remove(expert: 3, layer: 0)
            }
            let sides = ["law", "without"]
            let merge = try store.merge(sides, into: "main", policy: .mean, Checkpoints.signature)
            #expect(merge.conflicts.map(\.path) == ["0/3"] && merge.conflicts[0].distance == nil)
            #expect(merge.conflicts[0].versions.map { $0.object == nil } == [false, true])
            let removed = try store.merge(
                sides, into: "main", takes: takes("0/3=without"), Checkpoints.signature)
            #expect(removed.kind == .merged)
            #expect(try store.experts("main", in: "0")[3].id == nil)
        }
    }

    @Test("files and integers say how much differs")
    func otherKinds() throws {
        try withScratchDirectory { directory in
            let store = try Checkpoints.tinyStore(in: directory)
            for (branch, layers) in [("a", 100), ("b", 1000)] {
                var checkpoint = TinyCheckpoint()
                checkpoint.config["note"] = layers
                let path = try checkpoint.write(to: "\(directory)/\(branch)")
                try store.commit(checkpoint: path, Checkpoints.options(branch, branch: branch))
            }
            let merge = try store.merge(["a", "b"], into: "main", Checkpoints.signature)
            let file = try #require(merge.conflicts.first)
            #expect(file.kind == "file" && file.file == "config.json" && file.path == "config.json")
            #expect(file.distance?.relativeL2 == nil && (file.distance?.differing ?? 0) > 0)
            let taken = try store.merge(
                ["a", "b"], into: "main", takes: takes("*.json=b"), Checkpoints.signature)
            #expect(taken.settled.map(\.taken) == ["b"])
            #expect(
                try store.data("main", named: "config.json")
                    == store.data("b", named: "config.json"))
        }
    }

    @Test(
        "entities have one spelling, which is read back",
        arguments: [
            ("1/17", "1/17"), ("1/base/17", "1/17"), ("expert 1/base/17", "1/17"),
            ("1/c/3,1-2", "1/c/1-3"),
            ("*/*", "*/*"), ("router 0/3", "router 0/3"), ("router 0/c/*", "router 0/c/*"),
            ("router row 1/base/keys[3]", "keys[3]"), ("a.b[1-2]", "a.b[1-2]"),
            ("lm_head.weight", "lm_head.weight"),
            ("trunk lm_head.weight", "tensor lm_head.weight"),
            ("file config.json", "file config.json"),
            ("pool 2/c", "pool 2/c"), ("architecture", "architecture"), (" 1/2 ", "1/2"),
            ("router 1/base/a.weight", "tensor a.weight"), ("file 1/2", "file 1/2"),
        ])
    func spelling(text: String, canonical: String) throws {
        let pattern = try EntityPattern(text)
        #expect(pattern.description == canonical)
        #expect(try EntityPattern(canonical) == pattern)
    }

    @Test("the path of an entity names it and no other of its kind")
    func paths() throws {
        let entities: [MergeEntity] = [
            .architecture, .file("a.json"), .file("1/2"), .trunk("a.weight"), .trunk("b[3]"),
            .expert(layer: 1, pool: "base", ordinal: 2),
            .expert(layer: 1, pool: "c", ordinal: 2),
            .expert(layer: 2, pool: "base", ordinal: 1), .pool(layer: 1, pool: "d"),
            .routerRow(layer: 1, pool: "base", tensor: "r", row: 1),
            .routerRow(layer: 1, pool: "base", tensor: "r", row: 11),
            .router(layer: 1, pool: "base", tensor: "s"),
        ]
        for entity in entities {
            let pattern = try EntityPattern(entity.path)
            #expect(entities.filter { pattern.matches($0) } == [entity], "\(entity.path)")
        }
    }

    @Test("wildcards stand for any bytes or none")
    func wildcards() {
        let all = ["", "a", "ab", "abab", "aab", "b", "ba"]
        func matched(_ text: Substring) -> [String] { all.filter { Wildcard(text).matches($0) } }
        #expect(matched("*") == all)
        #expect(matched("a*") == ["a", "ab", "abab", "aab"])
        #expect(matched("*b") == ["ab", "abab", "aab", "b"])
        #expect(matched("a*b") == ["ab", "abab", "aab"])
        #expect(matched("*ba*") == ["abab", "ba"])
        #expect(matched("a*ab") == ["abab", "aab"])
        #expect(matched("a*a*b*b") == [])
    }

    @Test("a file of decisions has comments, and its errors say the line")
    func list() throws {
        let text = "# what the lawyers said\r\n\r\n0/3 = law\n  router 0/*=mean  \n"
        #expect(try MergeTake.list(text).map { "\($0.decision.pattern)" } == ["0/3", "router 0/*"])
        #expect(
            message { _ = try MergeTake.list("0/3=law\n\nnonsense\n") }?.contains("line 3: ")
                == true)
    }

    @Test("the commit's record of many decisions draws experts together, and is bounded")
    func recorded() throws {
        try withScratchDirectory { directory in
            let store = try Checkpoints.tinyStore(in: directory)
            for (branch, value) in [("a", Float(1)), ("b", 2)] {
                var checkpoint = TinyCheckpoint()
                for expert in 0..<16 { checkpoint.setExpert(expert, to: value) }
                let path = try checkpoint.write(to: "\(directory)/\(branch)")
                try store.commit(checkpoint: path, Checkpoints.options(branch, branch: branch))
            }
            let takes = try (0..<16).reversed().map {
                try MergeTake("0/\($0)=\($0 == 5 ? "b" : "a")")
            }
            _ = try store.merge(["b", "a"], into: "main", takes: takes, Checkpoints.signature)
            #expect(try store.show("main").metadata["merge.take"] == "0/0-4,6-15=a; 0/5=b")
        }
        let texts = (0..<9_000).map { "name\($0)=a" }
        let bounded = try recordedText(texts)
        #expect(bounded.utf8.count < 16_600 && bounded.contains("more, all of them "))
    }
}
