import Foundation
import Snapshots
import TestSupport
import Testing

@testable import Cambium

@Suite("The policy solve")
struct SolvePolicyTests {
    private static let solvable = [
        "olmoe", "mixtral", "qwen2_moe", "qwen3_moe", "deepseek_v3", "glm4_moe_lite", "gpt_oss",
    ]

    @Test(
        "gives one tree for every order of sides, target and number of threads, in every family",
        arguments: solvable)
    func commutative(architecture: String) throws {
        try withScratchDirectory { directory in
            let solving = try Solving.two(architecture, in: directory)
            let tree = try #require(solving.merge(["a", "b"]).tree)
            #expect(try solving.merge(["a", "b"], policy: .mean).tree != tree)
            #expect(try solving.merge(["b", "a"], threads: 2).tree == tree)
            #expect(try solving.merge(["b"], into: "a", dryRun: false).tree == tree)
            #expect(try solving.store.show("a").tree == tree)
            let note = try solving.store.show("a").metadata
            #expect(
                note["merge.policy"] == "solve" && note["merge.solve"]?.contains("ridge=") == true)
            let ids = try solving.store.evidence("a").map(\.id)
            #expect(
                ids.count == 3 && ids.allSatisfy { note["merge.excerpts"]?.contains($0) == true })
            #expect(try solving.store.verify().faults.isEmpty)
        }
    }

    @Test("three sides give one tree in any order")
    func threeSides() throws {
        try withScratchDirectory { directory in
            let solving = try Solving(
                "olmoe",
                [
                    "a": .init(experts: [1, 2], rows: [1], seed: 1),
                    "b": .init(experts: [2, 3], rows: [3], seed: 2),
                    "c": .init(experts: [4], rows: [1, 4], tensors: ["lm_head.weight"], seed: 3),
                ], in: directory)
            let trees = try [["a", "b", "c"], ["c", "a", "b"], ["b", "c", "a"]].map {
                try solving.merge($0, threads: 2).tree
            }
            #expect(Set(trees).count == 1 && trees[0] != nil)
        }
    }

    @Test(
        "keeps the ids of experts and the bytes of rows that no side changed, and settles all conflicts"
    )
    func kept() throws {
        try withScratchDirectory { directory in
            let solving = try Solving.two(in: directory)
            #expect(try solving.merge(["a", "b"], policy: .none).kind == .conflicts)
            let merged = try solving.merge(["a", "b"], dryRun: false)
            #expect(merged.kind == .merged && merged.conflicts.isEmpty && merged.notes == nil)
            #expect(merged.settled.allSatisfy { $0.policy == "solve" && $0.taken == nil })
            let before = try solving.store.show("main~1").id
            for layer in UInt32(0)..<3 {
                let (old, new) = (
                    try solving.experts(before, layer: layer),
                    try solving.experts("main", layer: layer)
                )
                let changed = old.indices.filter { old[$0] != new[$0] }
                #expect(changed == [1, 2, 3])
                let name = "model.layers.\(layer).mlp.gate.weight"
                let rows = try [before, "main"].map { try solving.store.data($0, named: name) }
                let size = rows[0].count / old.count
                let moved = old.indices.filter { row in
                    rows[0][row * size..<(row + 1) * size] != rows[1][row * size..<(row + 1) * size]
                }
                #expect(moved == [1, 2, 3])
            }
        }
    }

    @Test("is nearer to each side on its text, and to the base on its own, than the mean")
    func nearer() throws {
        try withScratchDirectory { directory in
            let solving = try Solving.two(in: directory)
            try solving.expectNearer("solved") {
                try solving.merge(["a", "b"], into: "solved", dryRun: false)
            }
        }
    }

    @Test("gives with texts at the merge what it gives with the same texts as evidence")
    func given() throws {
        try withScratchDirectory { directory in
            let solving = try Solving.two(excerpts: false, in: directory)
            let texts = ["base", "a", "b"].map { ($0, Solving.texts[$0] ?? []) }
            let merged = try solving.merge(["a", "b"], dryRun: false, texts: texts)
            let kept = try withScratchDirectory { directory in
                let solving = try Solving.two(in: directory)
                _ = try solving.merge(["a", "b"], dryRun: false)
                return try solving.store.map("main").tree
            }
            let tree = try solving.store.map("main").tree
            #expect(tree.layers == kept.layers && tree.trunk == kept.trunk)
            #expect(
                merged.kind == .merged && !tree.files.keys.contains { $0.hasPrefix("evidence") })
            // A limit of memory changes no bit.
            _ = try solving.store.reset(to: "main~1", branch: "main", Checkpoints.signature)
            #expect(
                try solving.merge(["b", "a"], texts: texts, memoryLimit: 8 << 30).tree
                    == merged.tree)
        }
    }

    @Test(
        "takes equal sides, and sides of which one alone changed something, by the three-way rule")
    func idempotent() throws {
        try withScratchDirectory { directory in
            let edit = Solving.Edit(experts: [1], rows: [1], seed: 5)
            let solving = try Solving(
                "olmoe", ["a": edit, "b": edit], excerpts: false, in: directory)
            // The main branch goes on without a change of the model.
            try solving.keep("c", on: "main")
            let plain = try #require(solving.merge(["a", "b"], policy: .none).tree)
            #expect(try solving.merge(["a", "b"]).tree == plain)
            #expect(try solving.merge(["a"]).tree == plain)
            #expect(try solving.merge(["a"], dryRun: false).notes == nil)
            #expect(try solving.experts("main", layer: 0) == solving.experts("a", layer: 0))
        }
    }

    @Test("what a branch of the base's model keeps is the base's")
    func laterExcerpts() throws {
        try withScratchDirectory { directory in
            let solving = try Solving.two(excerpts: false, in: directory)
            for name in ["a", "b"] { try solving.keep(name, on: name) }
            #expect(code { try solving.merge(["a", "b"]) } == .usage)
            try solving.keep("base", on: "main")
            #expect(try solving.merge(["a", "b"]).kind == .merged)
        }
    }

    @Test("tells of which old texts there are no excerpts")
    func unread() throws {
        try withScratchDirectory { directory in
            let solving = try Solving("olmoe", [:], in: directory)
            for name in ["base", "c"] {
                _ = try solving.store.addEvidence(
                    [Solving.texts[name] ?? []], adapter: "base", label: "text of \(name)",
                    Checkpoints.options("counts"))
            }
            for (name, seed) in [("a", UInt64(1)), ("b", 2)] {
                try solving.store.createBranch(name, at: "main", Checkpoints.signature)
                try solving.change(name, .init(experts: [1], seed: seed))
                try solving.keep(name, on: name)
            }
            let notes = try #require(solving.merge(["a", "b"]).notes)
            #expect(notes.count == 1 && notes[0].contains("text of c"))
            #expect(
                try solving.merge(["a", "b"], texts: [("base", Solving.texts["c"] ?? [])]).notes
                    == nil)
        }
    }

    @Test("solves where sides changed attention, or every expert")
    func wide() throws {
        try withScratchDirectory { directory in
            let attention = "model.layers.1.self_attn.q_proj.weight"
            let solving = try Solving(
                "olmoe",
                [
                    "a": .init(experts: Array(0..<16), tensors: [attention], seed: 1),
                    "b": .init(experts: Array(0..<16), rows: [0], tensors: [attention], seed: 2),
                ], in: directory)
            let merged = try solving.merge(["a", "b"])
            #expect(try merged.tree == solving.merge(["b", "a"], threads: 2).tree)
        }
    }

    @Test("takes the mean where sides changed attention alone, which needs no excerpts")
    func attention() throws {
        try withScratchDirectory { directory in
            let attention = "model.layers.1.self_attn.q_proj.weight"
            let solving = try Solving(
                "olmoe",
                [
                    "a": .init(tensors: [attention], seed: 1),
                    "b": .init(tensors: [attention], seed: 2),
                ], excerpts: false, in: directory)
            let mean = try solving.merge(["a", "b"], policy: .mean)
            #expect(try solving.merge(["a", "b"]).tree == mean.tree && mean.tree != nil)
        }
    }

    // MARK: What is refused

    /// Merges, which is to fail and to leave all as it was.
    private func refusal(
        _ solving: Solving, _ branches: [String] = ["a", "b"], texts: [(String, [UInt8])] = [],
        takes: [String] = [], progress: ProgressReporter = { _ in }
    ) throws -> CambiumError {
        let heads = try solving.store.branches().map(\.id)
        let error = #expect(throws: CambiumError.self) {
            try solving.merge(
                branches, dryRun: false, texts: texts, takes: takes, progress: progress)
        }
        #expect(try solving.store.branches().map(\.id) == heads)
        #expect(try solving.store.verify().faults.isEmpty)
        return try #require(error)
    }

    @Test("sides and bases without excerpts, and texts of what is not merged, are refused by name")
    func withoutExcerpts() throws {
        try withScratchDirectory { directory in
            let solving = try Solving.two(excerpts: false, in: directory)
            let text = Array("what all of them have read, and more than once".utf8)
            var error = try refusal(solving, texts: [("a", text), ("base", text)])
            #expect(error.code == .usage && error.message.contains("side 'b' has no excerpts"))
            error = try refusal(solving, texts: [("a", text), ("b", text)])
            #expect(error.code == .usage && error.message.contains("merge base has no excerpts"))
            error = try refusal(solving, texts: [("d", text)])
            #expect(error.code == .usage && error.message.contains("none of what is merged"))
            #expect(code { try solving.merge(["a", "b"], threads: 0) } == .usage)
            error = try refusal(solving, texts: [("a", [])])
            #expect(error.code == .usage && error.message.contains("empty"))
        }
    }

    @Test("decisions about what is solved, and solving as a decision, are refused")
    func decisions() throws {
        try withScratchDirectory { directory in
            let solving = try Solving.two(in: directory)
            var error = try refusal(solving, takes: ["1/2=a"])
            #expect(error.code == .usage && error.message.contains("1/2"))
            error = try refusal(solving, takes: ["1/2=solve"])
            #expect(error.code == .usage && error.message.contains("--policy"))
            #expect(
                code {
                    try solving.store.revert(
                        "main", policy: .solve, Checkpoints.signature)
                } == .usage)
        }
    }

    @Test(
        "models of other experts and routers are refused by name", arguments: ["flex_olmo", "peer"])
    func unsupported(architecture: String) throws {
        try withScratchDirectory { directory in
            let solving: Solving
            if architecture == "peer" {
                solving = Solving(store: try Checkpoints.tinyStore(in: directory))
                try solving.keep("base", on: "main")
                for (name, seed) in [("a", UInt64(1)), ("b", 2)] {
                    try solving.store.createBranch(name, at: "main", Checkpoints.signature)
                    try solving.change(name, .init(experts: [1], seed: seed))
                    try solving.keep(name, on: name)
                }
            } else {
                solving = try Solving.two(architecture, in: directory)
            }
            let error = try refusal(solving)
            #expect(error.code == .unsupported && error.message.contains("solve"))
        }
    }

    @Test("texts of another tokenizer are refused")
    func tokenizers() throws {
        try withScratchDirectory { directory in
            let solving = try Solving.two(in: directory)
            let folder = directory + "/out"
            _ = try solving.store.export("b", to: folder)
            try Data("{}".utf8).write(to: URL(filePath: folder + "/tokenizer.json"))
            _ = try solving.store.commit(
                checkpoint: folder, Checkpoints.options("tokenizer", branch: "b"))
            let error = try refusal(solving)
            #expect(error.code == .incompatible && error.message.contains("tokenizers"))
        }
    }

    @Test("sides with other numbers of experts are refused before their configs are in conflict")
    func counts() throws {
        try withScratchDirectory { directory in
            let solving = try Solving.two(in: directory)
            _ = try solving.store.dropExpert(nil, Checkpoints.options("drop", branch: "b"))
            let head = try solving.store.show("main").id
            let error = #expect(throws: CambiumError.self) {
                try solving.merge(["a", "b"], dryRun: false)
            }
            #expect(error?.code == .unsupported && error?.message.contains("experts") == true)
            #expect(try solving.store.show("main").id == head)
        }
    }

    @Test("a merge that is cancelled in between leaves the store as it was")
    func cancelled() throws {
        try withScratchDirectory { directory in
            let solving = try Solving.two(in: directory)
            let error = try refusal(solving) { progress in
                guard progress.done < 2 else { throw CambiumError(.cancelled, "enough") }
            }
            #expect(error.code == .cancelled)
            #expect(try solving.merge(["a", "b"], dryRun: false).kind == .merged)
        }
    }

    @Test("a merge that is killed in between leaves the store as it was")
    func killed() async throws {
        let directory = try makeScratchDirectory()
        defer { removeTree(directory) }
        let solving = try Solving.two(in: directory)
        let heads = try solving.store.branches().map(\.id)
        await #expect(processExitsWith: .signal(SIGKILL)) { [directory = directory as String] in
            let solving = Solving(store: try Store(directory + "/S"))
            try solving.merge(["a", "b"], dryRun: false) { progress in
                if progress.done == 2 { kill(getpid(), SIGKILL) }
            }
        }
        #expect(try solving.store.branches().map(\.id) == heads)
        #expect(try solving.store.verify().faults.isEmpty)
        #expect(try solving.merge(["a", "b"], dryRun: false).kind == .merged)
    }
}
