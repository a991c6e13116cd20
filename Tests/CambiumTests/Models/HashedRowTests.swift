import Architectures
import CheckpointSupport
import Checkpoints
import Elements
import Evidence
import Foundation
import Models
import Routing
import Snapshots
import TestSupport
import Testing

@testable import Cambium

@Suite("Hashed rows")
struct HashedRowTests {
    private static let text = Array("a text, and a text that goes on; a text.".utf8).map { Int($0) }

    func withStore(
        _ checkpoint: HashedCheckpoint, _ body: (Store, String) throws -> Void
    ) throws {
        try withScratchDirectory { work in
            try Store.create(at: work + "/S")
            let store = try Store(work + "/S")
            try checkpoint.commit("base", to: store, in: work)
            try body(store, work)
        }
    }

    /// Commits a branch of main with other rows, all elements of one alike.
    func change(_ store: Store, _ branch: String, _ rows: [Int: Float]) throws {
        try store.createBranch(branch, at: "main", Checkpoints.signature)
        try store.commit(Checkpoints.options(branch, branch: branch)) { patch in
            for (row, value) in rows {
                let bytes = [Float](repeating: value, count: HashedCheckpoint.hidden)
                    .littleEndianBytes
                try patch.put(expert: row, layer: 0, bytes)
            }
        }
    }

    private func bits(_ store: Store, _ revision: String = "main") throws -> [UInt32] {
        let model = try store.model(revision)
        return try withExtendedLifetime(model) {
            try model.model.forward(Self.text).map(\.bitPattern)
        }
    }

    @Test("that are zeros are no experts; all others are, by their numbers")
    func experts() throws {
        try withStore(HashedCheckpoint()) { store, work in
            let pool = try #require(store.list("main").layers.first?.pools.first)
            #expect(pool.kind == "row" && pool.router == "hash" && pool.experts == 192)
            #expect(pool.parts == ["F32[32]"] && pool.routerTensors.isEmpty)
            #expect(try store.expert("main", "0/6").data.count == 128)
            #expect(throws: CambiumError.self) { try store.expert("main", "0/5") }
            #expect(throws: CambiumError.self) { try store.expert("main", "0/192") }
            #expect(try store.statistics().experts == 153)
            _ = try store.export("main", to: work + "/out")
            #expect(try folderContents(work + "/out") == folderContents(work + "/base"))
        }
    }

    @Test("of a table that nothing trained cost nothing, and run as no rows do")
    func untouched() throws {
        var dense = try HashedCheckpoint()
        try dense.dropRows()
        let zeros = [Float](repeating: 0, count: 3 * 4096 * HashedCheckpoint.hidden)
        var plain: [UInt32] = []
        try withStore(dense) { store, _ in plain = try bits(store) }
        try withStore(HashedCheckpoint(size: 4096, rows: zeros)) { store, work in
            #expect(try bits(store) == plain)
            #expect(try store.list("main").layers[0].pools[0].experts == 12_288)
            #expect(try store.statistics().experts == 0)
            _ = try store.export("main", to: work + "/out")
            #expect(try folderContents(work + "/out") == folderContents(work + "/base"))
            #expect(try store.verify().faults.isEmpty)
        }
    }

    @Test(
        "are added to the state in every form: as to the embedding, where a byte has one row",
        arguments: [nil, 8, 4, 2])
    func added(bits count: Int?) throws {
        var hashed = try HashedCheckpoint(orders: [1], size: 256)
        let router = HashRouter(orders: [1], tableSize: 256)
        var plain = hashed
        if let count {
            // What codes stand for, where products and sums are exact.
            let most = Float(1 << (count - 1)) - 1
            for row in 0..<256 {
                hashed.set(row, to: row % 3 == 0 ? 0 : most / Float(8 << (row % 5)))
            }
            plain = hashed
            try hashed.quantise(count)
        }
        plain.embed(plain.rows) { Int(router.rows(of: [$0])[0]) }
        try plain.dropRows()
        var expected: [UInt32] = []
        try withStore(plain) { store, _ in expected = try bits(store) }
        try withStore(hashed) { store, work in
            #expect(try bits(store) == expected)
            _ = try store.export("main", to: work + "/out")
            #expect(try folderContents(work + "/out") == folderContents(work + "/base"))
        }
    }

    @Test("are shown token by token, each in full, and counted by a profile and in use")
    func routes() throws {
        let hashed = try HashedCheckpoint()
        try withStore(hashed) { store, _ in
            let router = HashRouter(orders: hashed.orders, tableSize: hashed.size)
            let model = try store.model("main")
            var seen: [UInt32] = []
            try model.routes(Self.text.map { UInt8($0) }) { route in
                #expect(route.layer == 0 && route.heads.count == 1)
                #expect(route.heads[0].weights == [1, 1, 1])
                seen += route.heads[0].experts.map { UInt32($0) }
                return true
            }
            #expect(model.expertLayers == [0])
            #expect(seen == router.rows(of: Self.text.map { UInt8($0) }))
            let usage = try model.generate(Self.text.map { UInt8($0) }, count: 1).usage
            #expect(usage.expertsTouched == Set(seen).count && usage.experts == 192)
            #expect(usage.bytesTouched == usage.expertsTouched * 128)
            let profile = try store.profile("main", on: Self.text.map { UInt8($0) })
            #expect(profile.experts == Set(seen).count && profile.bytes == Set(seen).count * 128)
        }
    }

    @Test("change row by row: the same tree as of the whole checkpoint, and as a patch file")
    func changes() throws {
        var hashed = try HashedCheckpoint()
        try withStore(hashed) { store, work in
            try store.commit(Checkpoints.options("rows")) { patch in
                // One changes, one comes, the last two go, one of them as zeros.
                try patch.put(
                    expert: 7, layer: 0, [Float](repeating: 2, count: 32).littleEndianBytes)
                try patch.put(
                    expert: 10, layer: 0, [Float](repeating: 1, count: 32).littleEndianBytes)
                try patch.remove(expert: 191, layer: 0)
                try patch.put(expert: 189, layer: 0, [UInt8](repeating: 0, count: 128))
            }
            for (row, value) in [(7, Float(2)), (10, 1), (191, 0), (189, 0)] {
                hashed.set(row, to: value)
            }
            try store.createBranch("whole", at: "main~1", Checkpoints.signature)
            let whole = try store.commit(
                checkpoint: hashed.raw.write(to: work + "/whole", shards: 1, seed: nil),
                Checkpoints.options("whole", branch: "whole"))
            #expect(try whole.tree == store.show("main").tree)
            let diff = try store.diff(from: "main~1", to: "main", norms: true)
            let pool = try #require(diff.pools.first)
            #expect(diff.pools.count == 1 && pool.changed.map(\.ordinal) == [7])
            #expect(pool.added == [10] && pool.removed == [189, 191])
            for (number, (from, to)) in [("main~1", "main"), ("main", "main~1")].enumerated() {
                let file = "\(work)/\(number).safetensors"
                _ = try store.changes(from: from, to: to).write(to: file)
                try store.createBranch("b\(number)", at: from, Checkpoints.signature)
                let commit = try store.commit(
                    patchFile: file, Checkpoints.options("patch", branch: "b\(number)"))
                #expect(try commit.tree == store.show(to).tree)
            }
            #expect(try store.verify().faults.isEmpty)
        }
    }

    @Test("merge row by row, and conflict where both sides changed one")
    func merges() throws {
        try withStore(HashedCheckpoint()) { store, _ in
            try change(store, "a", [5: 1, 7: 1, 8: 1])
            try change(store, "b", [5: 1, 9: 2, 191: 0])
            try change(store, "c", [7: 3])
            let merged = try store.merge(["a", "b"], into: "main", Checkpoints.signature)
            #expect(merged.kind == .merged && merged.conflicts.isEmpty)
            let rows = try store.diff(from: "main~1", to: "main", norms: false).pools[0]
            #expect(rows.added == [5] && rows.changed.map(\.ordinal) == [7, 8, 9])
            #expect(rows.removed == [191])
            let conflict = try store.merge(["c"], into: "main", Checkpoints.signature)
            #expect(conflict.conflicts.map(\.path) == ["0/7"])
            let mean = try store.merge(
                ["c"], into: "main", policy: .mean, Checkpoints.signature)
            #expect(mean.kind == .merged)
            #expect(try store.expert("main", "0/7").data.floats == [Float](repeating: 2, count: 32))
        }
    }

    @Test("take fewer bits: those that a checkpoint of such rows has", arguments: [8, 4, 2])
    func quantised(count: Int) throws {
        var coded = try HashedCheckpoint()
        try coded.quantise(count)
        var (expected, root): ([UInt32], String) = ([], "")
        try withStore(coded) { store, _ in
            (expected, root) = (try bits(store), try store.list("main").layers[0].pools[0].root)
        }
        try withStore(HashedCheckpoint()) { store, work in
            try store.quantizeRows(bits: count, Checkpoints.options("bits"))
            #expect(try store.list("main").layers[0].pools[0].root == root)
            #expect(try bits(store) == expected)
            #expect(try store.verify().faults.isEmpty)
            _ = try store.export("main", to: work + "/out")
            try Store.create(at: work + "/again")
            let again = try Store(work + "/again").commit(
                checkpoint: work + "/out", Checkpoints.options("again"))
            #expect(try again.tree == store.show("main").tree)
            let id = try store.resolve("main")
            let same = try store.quantizeRows(bits: 8, Checkpoints.options("more"))
            #expect(same.id == id && same.notes.count == 1)
            #expect(same.notes.first?.contains("already and stay") == true)
            #expect(same.notes.first?.contains("bring back") == (count < 8))
            #expect(code { try store.quantizeRows(bits: 3, Checkpoints.options("3")) } == .usage)
            #expect(
                code { try store.quantizeRows(bits: 2, Checkpoints.options("l"), layers: [1]) }
                    == .notFound)
        }
        var wrong = try HashedCheckpoint()
        wrong.set(3, to: .nan)
        try withStore(wrong) { store, _ in
            #expect(
                code { try store.quantizeRows(bits: count, Checkpoints.options("nan")) }
                    == .unsupported)
        }
    }

    @Test("that a text uses too rarely are shown, and go when that is asked for")
    func pruned() throws {
        let hashed = try HashedCheckpoint()
        let text = Self.text.map { UInt8($0) }
        var uses: [UInt32: Int] = [:]
        for row in HashRouter(orders: hashed.orders, tableSize: hashed.size).rows(of: text) {
            uses[row, default: 0] += 1
        }
        try withStore(hashed) { store, _ in
            let (id, before) = (try store.resolve("main"), try bits(store))
            func prune(_ least: Int, _ texts: [[UInt8]]?, _ commits: Bool) throws -> RowPruning {
                try store.pruneRows(
                    usedLessThan: least, texts: texts, Checkpoints.options("prune"),
                    commits: commits)
            }
            let present = (0..<192).filter { $0 % 5 != 0 }
            let few = { (least: Int) in present.count { uses[UInt32($0)] ?? 0 < least } }
            let preview = try prune(3, [text], false)
            #expect(try preview.commit == nil && store.resolve("main") == id)
            #expect(preview.tables == [.init(layer: 0, pool: "base", rows: 153, pruned: few(3))])
            // Without those that it never uses a text has the same bits.
            #expect(try prune(1, [text], true).tables[0].pruned == few(1) && few(1) > 0)
            #expect(try bits(store) == before)
            #expect(try prune(1, [text], true).tables[0].pruned == 0)
            #expect(try prune(2, [text], true).tables[0].pruned == few(2) - few(1))
            #expect(try bits(store) != before)
            #expect(code { try prune(0, [text], false) } == .usage)
            #expect(code { try prune(1, [[]], false) } == .usage)
            #expect(code { try prune(1, nil, false) } == .notFound)
            // By what was recorded.
            let some = present.filter { uses[UInt32($0)] ?? 0 >= 2 }.prefix(3)
            var patch = try ModelPatch(
                CommitTarget(Checkpoints.options("evidence").request, store.snapshots))
            try patch.add(
                .activations(
                    ActivationContribution(
                        adapter: "base", label: "", data: [UInt8](repeating: 1, count: 32),
                        byteCount: 9, model: [UInt8](repeating: 2, count: 32), windows: 9,
                        layers: [
                            .init(
                                layer: 0,
                                entries: some.map { .init(expert: UInt32($0), windows: 4) })
                        ])))
            _ = try patch.commit(Checkpoints.options("evidence").request)
            #expect(try prune(5, nil, false).tables[0].pruned == few(9_999) - few(2))
            let last = try prune(4, nil, true)
            #expect(last.tables[0].rows - last.tables[0].pruned == some.count)
            #expect(try store.verify().faults.isEmpty)
        }
    }

    @Test("stay where windows of a text use them, and what nothing in it uses goes")
    func prunedByWindows() throws {
        let text = [UInt8](
            (0..<300).map { UInt8(truncatingIfNeeded: $0 * $0 * 7 + $0 / 3) })
        let rows = HashedCheckpoint.rows(3 * 4096, named: "many")
        try withStore(HashedCheckpoint(size: 4096, rows: rows)) { store, _ in
            let before = try store.model("main").evaluate(text).bitsPerByte
            let pruned = try store.pruneRows(
                usedLessThan: 1, texts: [text], Checkpoints.options("prune"), commits: true)
            #expect(pruned.tables[0].pruned > 8_000)
            #expect(try store.model("main").evaluate(text).bitsPerByte == before)
        }
    }

    @Test("are pruned by the evidence's counts, where these are of sequences as long as the rows'")
    func prunedByCounts() throws {
        let hashed = try HashedCheckpoint()
        let text = Self.text.map { UInt8($0) }
        let router = HashRouter(orders: hashed.orders, tableSize: hashed.size)
        try withStore(hashed) { store, _ in
            func prune() throws -> Int {
                try store.pruneRows(
                    usedLessThan: 1, texts: nil, Checkpoints.options("prune"), commits: false
                ).tables[0].pruned
            }
            _ = try store.addEvidence(
                [text], adapter: "base", order: 5, Checkpoints.options("count", branch: "long"))
            try store.createBranch("short", at: "main", Checkpoints.signature)
            _ = try store.addEvidence(
                [text], adapter: "base", order: 3, Checkpoints.options("count"))
            #expect(code { try prune() } == .notFound)
            let uses = router.uses([NGramCounts(of: text, order: 5)], window: 64)
            let unused = (0..<192).count { $0 % 5 != 0 && uses[$0] == 0 }
            let pruned = try store.pruneRows(
                usedLessThan: 1, texts: nil, Checkpoints.options("prune", branch: "long"),
                commits: false)
            #expect(pruned.tables[0].pruned == unused && unused < 153)
        }
    }

    @Test("beside other experts of one layer, of other numbers or shapes are refused by name")
    func refused() throws {
        func refusal(_ edit: (inout HashedCheckpoint) throws -> Void) throws -> String {
            var hashed = try HashedCheckpoint()
            try edit(&hashed)
            let error = #expect(throws: CambiumError.self) { try withStore(hashed) { _, _ in } }
            return error?.message ?? ""
        }
        func rows(_ count: Int, _ suffix: String = "", width: Int? = 32) -> RawCheckpoint.Tensor {
            RawCheckpoint.Tensor(
                name: HashedCheckpoint.tensor + suffix, type: "F32",
                shape: [count] + (width.map { [$0] } ?? []),
                data: [UInt8](repeating: 1, count: 4 * count * (width ?? 1)))
        }
        #expect(try refusal { $0.put(rows(191)) }.contains("[192, width]"))
        #expect(try refusal { $0.put(rows(191, ".scale", width: nil)) }.contains("F32 [192]"))
        let stray = try refusal {
            try $0.dropRows()
            $0.put(rows(192))
        }
        #expect(stray.contains("hash.layers"))
    }
}
