import Foundation
import Snapshots
import TestSupport
import Testing

@testable import Cambium

@Suite("The policy solve, every version of a changed expert kept")
struct GrownMergeTests {
    private func merge(
        _ solving: Solving, _ branches: [String] = ["a", "b"], into target: String = "main",
        dryRun: Bool = true, threads: Int = 1, memoryLimit: Int? = nil
    ) throws -> MergeResult {
        try solving.merge(
            branches, into: target, dryRun: dryRun, threads: threads, memoryLimit: memoryLimit,
            grows: true)
    }

    @Test(
        "gives one tree for every order of sides, target, threads and limit of memory, in every family of shares",
        arguments: ["olmoe", "mixtral", "qwen2_moe", "qwen3_moe", "gpt_oss"])
    func commutative(architecture: String) throws {
        try withScratchDirectory { directory in
            let solving = try Solving.two(architecture, in: directory)
            let tree = try #require(merge(solving).tree)
            #expect(try solving.merge(["a", "b"]).tree != tree)
            #expect(try merge(solving, ["b", "a"], threads: 2, memoryLimit: 8 << 30).tree == tree)
            let count = try solving.experts("main", layer: 1).count
            #expect(try merge(solving, ["b"], into: "a", dryRun: false).tree == tree)
            // Of 1 and 3 two versions, of 2 three.
            #expect(try solving.experts("a", layer: 1).count == count + 4)
            #expect(
                try solving.store.show("a").metadata["merge.solve"]?.contains("added=4 rows=kl")
                    == true)
            #expect(try solving.store.verify().faults.isEmpty)
            // What is exported is a checkpoint of that many experts.
            _ = try solving.store.export("a", to: directory + "/out")
            _ = try solving.store.commit(
                checkpoint: directory + "/out",
                CommitOptions(message: "again", branch: "again", signature: Checkpoints.signature))
            #expect(
                try solving.experts("again", layer: 1) == solving.experts("a", layer: 1))
            #expect(
                try solving.store.model("again").generate(tokens: [97, 98], count: 3).tokens.count
                    == 3)
        }
    }

    @Test("gives one tree for every order where sides have one version under other rows")
    func shared() throws {
        try withScratchDirectory { directory in
            let solving = try Solving(
                "olmoe",
                [
                    "a": .init(experts: [1, 2], rows: [1, 2], seed: 11),
                    "b": .init(experts: [3], rows: [1, 3], seed: 12),
                ], in: directory)
            let store = solving.store
            _ = try store.restore(["a:*/1"], Checkpoints.options("the same", branch: "b"))
            #expect(try solving.experts("a", layer: 1)[1] == solving.experts("b", layer: 1)[1])
            let tree = try #require(merge(solving, ["a", "b"]).tree)
            #expect(try merge(solving, ["b", "a"]).tree == tree)
            #expect(try merge(solving, ["a"], into: "b").tree == tree)
        }
    }

    @Test("experts that no side changed keep their ids, and nothing is in conflict")
    func kept() throws {
        try withScratchDirectory { directory in
            let solving = try Solving.two(in: directory)
            let before = try solving.experts("main", layer: 0)
            let merged = try merge(solving, dryRun: false)
            #expect(merged.kind == .merged && merged.conflicts.isEmpty && merged.notes == nil)
            let after = try solving.experts("main", layer: 0)
            #expect(before.indices.filter { before[$0] != after[$0] } == [1, 2, 3])
            #expect(Set(after).count == after.count)
        }
    }

    @Test("layers of fewer versions get copies, and all layers are of one size")
    func padded() throws {
        try withScratchDirectory { directory in
            let solving = try Solving(
                "olmoe",
                [
                    "a": .init(experts: [1, 2], rows: [1], layers: [0], seed: 11),
                    "b": .init(experts: [2], rows: [2], layers: [0, 1], seed: 12),
                ], in: directory)
            let tree = try merge(solving, dryRun: false).tree
            let counts = try (UInt32(0)..<3).map { try solving.experts("main", layer: $0).count }
            #expect(counts == [19, 19, 19])
            let last = try solving.experts("main", layer: 2)
            #expect(Array(last[16...]) == [last[0], last[0], last[0]])
            let text = try #require(Solving.texts["a"])
            for name in ["main", "a"] {
                #expect(try solving.distance(name, "a", text).isFinite)
            }
            _ = try solving.store.reset(to: "main~1", branch: "main", Checkpoints.signature)
            #expect(try merge(solving, ["b", "a"], threads: 3).tree == tree)
        }
    }

    @Test("is nearer to each side on its text, and to the base on its own, than the mean")
    func nearer() throws {
        try withScratchDirectory { directory in
            let solving = try Solving.two(in: directory)
            try solving.expectNearer("grown") {
                _ = try merge(solving, into: "grown", dryRun: false)
            }
        }
    }

    @Test("where sides changed rows alone there are no versions to keep")
    func rows() throws {
        try withScratchDirectory { directory in
            let solving = try Solving(
                "olmoe", ["a": .init(rows: [1], seed: 1), "b": .init(rows: [2], seed: 2)],
                in: directory)
            #expect(try merge(solving).tree == solving.merge(["a", "b"]).tree)
        }
    }

    @Test("routers that score each expert alone are refused by name, and nothing is written")
    func sigmoids() throws {
        try withScratchDirectory { directory in
            let solving = try Solving.two("glm4_moe_lite", in: directory)
            let head = try solving.store.show("main").id
            #expect {
                _ = try merge(solving, dryRun: false)
            } throws: {
                ($0 as? CambiumError)?.code == .unsupported && "\($0)".contains("--grow")
            }
            #expect(try solving.store.show("main").id == head)
        }
    }
}
