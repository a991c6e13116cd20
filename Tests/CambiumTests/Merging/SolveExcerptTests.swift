import CheckpointSupport
import Foundation
import Models
import Snapshots
import TestSupport
import Testing

@testable import Cambium

@Suite("Excerpts of solved merges")
struct SolveExcerptTests {
    private func keep(_ solving: Solving, _ limit: Int, on branch: String) throws -> EvidenceResult
    {
        try solving.store.addExcerpts(
            [Excerpts(Solving.texts[branch] ?? [], label: branch, limit: limit)],
            Checkpoints.options("excerpts", branch: branch))
    }

    @Test("with more of a text take the place of those with less, not the other way round")
    func more() throws {
        try withScratchDirectory { directory in
            let solving = try Solving.two(excerpts: false, in: directory)
            let few = try keep(solving, 100, on: "a")
            #expect(try keep(solving, 100, on: "a").unchanged)
            let more = try keep(solving, 300, on: "a")
            #expect(!more.unchanged)
            #expect(try keep(solving, 200, on: "a").unchanged)
            let ids = try solving.store.evidence("a").map(\.id)
            #expect(ids == more.evidence.map(\.id) && ids != few.evidence.map(\.id))
            // With a commit as well.
            var options = Checkpoints.options("patch", branch: "a")
            options.excerpts = [Excerpts(Solving.texts["a"] ?? [], label: "a")]
            try solving.store.commit(options) { _ in }
            let all = try solving.store.evidence("a").map(\.id)
            #expect(all.count == 1 && all != ids)
        }
    }

    @Test("given to the merge go before those that are kept, of whatever length")
    func given() throws {
        try withScratchDirectory { directory in
            let solving = try Solving.two(excerpts: false, in: directory)
            try solving.keep("base", on: "main")
            try solving.keep("b", on: "b")
            _ = try keep(solving, 60, on: "a")
            let kept = try solving.merge(["a", "b"]).tree
            let given = try solving.merge(["a", "b"], texts: [("a", Solving.texts["a"] ?? [])])
            #expect(given.tree != kept && given.tree != nil)
            // As if they had been kept.
            _ = try keep(solving, 10_000, on: "a")
            let pools = { (branch: String) in try solving.store.tree(branch).layers }
            for (branch, texts) in [("x", []), ("y", [("a", Solving.texts["a"] ?? [])])] {
                try solving.store.createBranch(branch, at: "main", Checkpoints.signature)
                try solving.merge(["a", "b"], into: branch, dryRun: false, texts: texts)
            }
            #expect(try pools("x") == pools("y"))
        }
    }

    @Test("of equal models with more and less of a text give one tree in any order")
    func equalSides() throws {
        try withScratchDirectory { directory in
            let edit = Solving.Edit(experts: [1, 2], rows: [1, 2], seed: 11)
            let solving = try Solving(
                "olmoe",
                ["a": edit, "b": .init(experts: [2, 3], rows: [2, 3], seed: 12), "c": edit],
                excerpts: false, in: directory)
            try solving.keep("base", on: "main")
            try solving.keep("b", on: "b")
            _ = try keep(solving, 60, on: "a")
            _ = try solving.store.addExcerpts(
                [Excerpts(Solving.texts["a"] ?? [], label: "c", limit: 250)],
                Checkpoints.options("excerpts", branch: "c"))
            let orders = [["a", "b", "c"], ["c", "b", "a"], ["b", "a", "c"]]
            let trees = try orders.map { try solving.merge($0).tree }
            #expect(Set(trees).count == 1 && trees[0] != nil)
        }
    }

    @Test("solve no hashed rows, which is said")
    func rows() throws {
        try withScratchDirectory { directory in
            try Store.create(at: directory + "/S")
            let solving = Solving(store: try Store(directory + "/S"))
            let store = solving.store
            try HashedCheckpoint().commit("base", to: store, in: directory)
            try solving.keep("base", on: "main")
            for (branch, value) in [("a", Float(1)), ("b", 2)] {
                try store.createBranch(branch, at: "main", Checkpoints.signature)
                try store.commit(Checkpoints.options(branch, branch: branch)) { patch in
                    let row = [Float](repeating: value, count: 32).littleEndianBytes
                    try patch.put(expert: 7, layer: 0, row)
                }
                try solving.keep(branch, on: branch)
            }
            let error = #expect(throws: CambiumError.self) { try solving.merge(["a", "b"]) }
            #expect(error?.code == .unsupported && error?.message.contains("hashed rows") == true)
        }
    }
}
