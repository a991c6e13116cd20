import Checkpoints
import TestSupport
import Testing

@testable import Cambium

@Suite("Committing tensors in memory")
struct TensorDataTests {
    private func tensors(_ checkpoint: Checkpoint) -> [TensorData] {
        checkpoint.tensors.map {
            TensorData(
                $0.name, dtype: $0.shape.type.name, shape: $0.shape.dimensions, $0.bytes.copy())
        }
    }

    @Test(
        "gives the ids of the folder that they would be", arguments: Checkpoints.transformers)
    func ids(_ name: String) throws {
        try withScratchDirectory { work in
            let folder = Checkpoints.path(name)
            let checkpoint = try Checkpoint(opening: folder)
            try Store.create(at: work + "/S")
            try Store.create(at: work + "/T")
            let (files, memory) = (try Store(work + "/S"), try Store(work + "/T"))
            let written = work + "/written"
            // As save_file writes it, whatever the checkpoint's own header is like.
            var beside: [String: [UInt8]] = [:]
            for file in checkpoint.auxiliary { beside[file.name] = file.content }
            beside["config.json"] = checkpoint.config
            let made = try memory.commit(
                tensors: tensors(checkpoint).reversed(), headerMetadata: ["format": "pt"],
                files: beside, Checkpoints.options("base"))
            _ = try memory.export("main", to: written)
            let same = try files.commit(checkpoint: written, Checkpoints.options("base"))
            #expect(same.id == made.id)
            let direct = try files.commit(
                checkpoint: folder, Checkpoints.options("base", branch: "direct"))
            #expect(direct.newExperts == 0)
        }
    }

    @Test("keeps records and files as a commit of a folder does, and asks as it does")
    func options() throws {
        try withScratchDirectory { work in
            try Store.create(at: work + "/S")
            let store = try Store(work + "/S")
            let one = TensorData("w", dtype: "F32", shape: [1], [0, 0, 0, 0])
            let base = try store.commit(
                tensors: [one], files: ["config.json": Array("{}".utf8)],
                Checkpoints.options("base"))
            // The config goes on, as for a folder without one.
            let next = try store.commit(
                tensors: [TensorData("w", dtype: "F32", shape: [1], [0, 0, 128, 63])],
                Checkpoints.options("next"))
            #expect(try store.list("main").files == ["config.json"])
            var late = Checkpoints.options("late")
            late.expectedParent = base.id
            #expect(code { try store.commit(tensors: [one], late) } == .branchMoved)
            let record = "evidence." + String(repeating: "a", count: 64)
            #expect(
                code {
                    try store.commit(
                        tensors: [one], files: [record: []], Checkpoints.options("x"))
                } == .badName)
            #expect(try store.resolve("main") == next.id)
            #expect(try store.verify().faults.isEmpty)
        }
    }

    @Test("patches change what they name, with experts put beside them, or nothing")
    func patches() throws {
        try withScratchDirectory { work in
            try Store.create(at: work + "/S")
            let store = try Store(work + "/S")
            try store.commit(
                checkpoint: Checkpoints.path("hf/qwen3_moe/model"), Checkpoints.options("base"))
            let (before, bytes) = (
                try store.resolve("main"), try store.expert("main", "1/4").data
            )
            let norm = "model.norm.weight"
            let old = try store.snapshot("main").data(of: norm)
            let changed = TensorData(
                norm, dtype: "F32", shape: [old.count / 4], old.reversed())
            try store.commit(
                patch: [changed], Checkpoints.options("both"),
                putting: { try $0.put(expert: 3, layer: 1, bytes) })
            let snapshot = try store.snapshot("main")
            #expect(try snapshot.data(of: norm) == old.reversed())
            #expect(
                try snapshot.expertID(3, layer: 1) == snapshot.expertID(4, layer: 1))
            #expect(
                code {
                    try store.commit(
                        patch: [changed], Checkpoints.options("x"),
                        putting: { try $0.put(expert: 3, layer: 9, bytes) })
                } == .notFound)
            #expect(try store.log().count == 2)
            #expect(try store.resolve("main~1") == before)
        }
    }
}
