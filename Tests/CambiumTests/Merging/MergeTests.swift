import TestSupport
import Testing

@testable import Cambium

@Suite("Merging from the façade")
struct MergeTests {
    /// A store with a base and one branch per edit: expert ordinal → value.
    private func store(
        in directory: String, _ edits: [(branch: String, experts: [Int: Float])]
    ) throws -> Store {
        let store = try Checkpoints.tinyStore(in: directory)
        for (branch, experts) in edits {
            var checkpoint = TinyCheckpoint()
            for (ordinal, value) in experts { checkpoint.setExpert(ordinal, to: value) }
            let path = try checkpoint.write(to: "\(directory)/\(branch)")
            _ = try store.commit(checkpoint: path, Checkpoints.options(branch, branch: branch))
        }
        return store
    }

    @Test("branches that edited different experts merge without a policy")
    func disjoint() throws {
        try withScratchDirectory { directory in
            let store = try store(in: directory, [("a", [1: 0.5]), ("b", [2: 0.25])])
            let merge = try store.merge(["a", "b"], into: "main", Checkpoints.signature)
            #expect(merge.kind == .merged && merge.resolved == 0)
            var expected = TinyCheckpoint()
            expected.setExpert(1, to: 0.5)
            expected.setExpert(2, to: 0.25)
            let path = try expected.write(to: directory + "/expected")
            let same = try store.commit(checkpoint: path, Checkpoints.options("same"))
            #expect(same.unchanged)
        }
    }

    @Test("five branches merge to one tree in any order and with any pairing")
    func manySides() throws {
        try withScratchDirectory { directory in
            let names = ["a", "b", "c", "d", "e"]
            let edits = names.enumerated().map { ($0.element, [$0.offset * 2: Float($0.offset)]) }
            let store = try store(in: directory, edits)
            var trees: Set<String> = []
            for (number, order) in [names, names.reversed()].enumerated() {
                try store.createBranch("all\(number)", at: "main", Checkpoints.signature)
                let merge = try store.merge(order, into: "all\(number)", Checkpoints.signature)
                trees.insert(try #require(merge.tree))
            }
            try store.createBranch("pairs", at: "main", Checkpoints.signature)
            for pair in [["e", "b"], ["a", "d"], ["c"]] {
                let merge = try store.merge(pair, into: "pairs", Checkpoints.signature)
                #expect(merge.conflicts.isEmpty)
            }
            trees.insert(try store.show("pairs").tree)
            #expect(trees.count == 1)
        }
    }

    @Test("a conflict names the expert and both sides, and ours and theirs settle it")
    func conflict() throws {
        try withScratchDirectory { directory in
            let store = try store(in: directory, [("a", [3: 1]), ("b", [3: 2, 4: 2])])
            let merge = try store.merge(["a", "b"], into: "main", Checkpoints.signature)
            #expect(merge.kind == .conflicts && merge.commit == nil)
            #expect(merge.conflicts.map(\.entity) == ["expert 0/base/3"])
            #expect(merge.conflicts.first?.sides == ["a", "b"])
            let ours = try store.merge(
                ["a", "b"], into: "main", policy: .ours, dryRun: true, Checkpoints.signature)
            let theirs = try store.merge(
                ["b", "a"], into: "main", policy: .theirs, dryRun: true, Checkpoints.signature)
            #expect(ours.tree == theirs.tree && ours.commit == nil)
            let merged = try store.merge(
                ["a", "b"], into: "main", policy: .ours, Checkpoints.signature)
            #expect(merged.resolved == 1)
            #expect(try store.expert("main", "0/3").id == store.expert("a", "0/3").id)
            #expect(try store.expert("main", "0/4").id == store.expert("b", "0/4").id)
            let commit = try store.show("main")
            #expect(commit.metadata["merge.policy"] == "ours")
            #expect(commit.parents.count == 3)
        }
    }

    @Test("weights of the mean come from the call, or from the tokens that rounds recorded")
    func weights() throws {
        try withScratchDirectory { directory in
            let store = try store(in: directory, [("a", [3: 1]), ("b", [3: 5])])
            _ = try store.merge(
                ["a", "b"], into: "main", policy: .mean, weights: ["a": 3], Checkpoints.signature)
            let data = try store.expert("main", "0/3").data
            #expect(Array(data.prefix(4)) == littleEndian(Float(2).bitPattern))
            #expect(try store.show("main").metadata["merge.weights"] == "main=1.0,a=3.0,b=1.0")
            let wrong = #expect(throws: CambiumError.self) {
                try store.merge(["a"], into: "main", policy: .mean, weights: ["c": 1])
            }
            #expect(wrong?.code == .usage)
        }
    }

    @Test("a weight counts under any name of its side")
    func weightByAnyName() throws {
        try withScratchDirectory { directory in
            let store = try store(in: directory, [("a", [1: 1]), ("b", [1: 5])])
            try store.createTag("t", at: "a", Checkpoints.signature)
            let trees = try [["a": 3], ["t": 3], ["a": 3, "t": 3]].map { weights in
                try store.merge(
                    ["a", "t", "b"], into: "main", policy: .mean, weights: weights, dryRun: true,
                    Checkpoints.signature
                ).tree
            }
            let plain = try store.merge(
                ["a", "b"], into: "main", policy: .mean, weights: ["a": 3], dryRun: true,
                Checkpoints.signature)
            #expect(trees == [plain.tree, plain.tree, plain.tree])
            let torn = #expect(throws: CambiumError.self) {
                try store.merge(
                    ["a", "t", "b"], into: "main", policy: .mean, weights: ["a": 3, "t": 2],
                    dryRun: true)
            }
            #expect(torn?.code == .usage && torn?.message.contains("different weights") == true)
        }
    }

    @Test("histories without a common commit are refused")
    func unrelated() throws {
        try withScratchDirectory { directory in
            let store = try store(in: directory, [])
            let error = #expect(throws: CambiumError.self) {
                try store.merge(["nowhere"], into: "main")
            }
            #expect(error?.code == .notFound)
        }
    }

    @Test("a revert of an earlier round keeps the later one")
    func revertEarlier() throws {
        try withScratchDirectory { directory in
            let store = try store(in: directory, [("a", [1: 1])])
            var later = TinyCheckpoint()
            later.setExpert(1, to: 1)
            later.setExpert(2, to: 2)
            let path = try later.write(to: directory + "/later")
            _ = try store.commit(checkpoint: path, Checkpoints.options("later", branch: "a"))
            let revert = try store.revert("a~1", branch: "a", Checkpoints.signature)
            #expect(revert.kind == .merged)
            var expected = TinyCheckpoint()
            expected.setExpert(2, to: 2)
            let same = try store.commit(
                checkpoint: try expected.write(to: directory + "/expected"),
                Checkpoints.options("same", branch: "a"))
            #expect(same.unchanged)
        }
    }
}
