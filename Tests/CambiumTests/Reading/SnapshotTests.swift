import Checkpoints
import TestSupport
import Testing

@testable import Cambium

@Suite("Reading a snapshot by the names of its checkpoint")
struct SnapshotTests {
    /// Commits a checkpoint to a new store.
    private func store(_ name: String, in work: String) throws -> (Store, Checkpoint) {
        let folder = Checkpoints.path(name)
        try Store.create(at: work + "/S")
        let store = try Store(work + "/S")
        try store.commit(checkpoint: folder, Checkpoints.options("base"))
        return (store, try Checkpoint(opening: folder))
    }

    private func check(_ snapshot: Snapshot, has checkpoint: Checkpoint) throws {
        let listed = Dictionary(
            uniqueKeysWithValues: snapshot.tensors.map {
                ($0.name, [$0.dtype] + $0.shape.map(String.init))
            })
        #expect(listed.count == checkpoint.tensors.count)
        for tensor in checkpoint.tensors {
            let (name, shape) = (tensor.name, tensor.shape)
            #expect(listed[name] == [shape.type.name] + shape.dimensions.map(String.init))
            let whole = tensor.bytes.copy()
            #expect(try snapshot.data(of: name) == whole, "\(name)")
            var read = [UInt8](repeating: 0, count: whole.count)
            try read.withRawBytes { (bytes: inout MutableRawSpan) throws in
                try snapshot.read(name, into: &bytes)
            }
            #expect(read == whole, "\(name)")
            guard let rows = shape.dimensions.first, rows > 1 else { continue }
            let size = whole.count / rows
            let part = try snapshot.data(of: name, rows: 1..<rows)
            #expect(part.elementsEqual(whole[size...]), "\(name)")
        }
    }

    @Test(
        "gives every tensor of every form, whole, by rows and beside the map",
        arguments: Checkpoints.transformers + ["peer-lm/base", "peer-lm/hashed"])
    func all(_ name: String) throws {
        try withScratchDirectory { work in
            let (store, checkpoint) = try store(name, in: work)
            try check(store.snapshot("main"), has: checkpoint)
        }
    }

    @Test("lends what is stored as it is at one address, and says what it had to put together")
    func places() throws {
        try withScratchDirectory { work in
            let (store, _) = try store("hf/qwen3_moe/model", in: work)
            let snapshot = try store.snapshot("main")
            let name = "model.layers.1.mlp.gate.weight"
            let (first, second) = (try snapshot.view(of: name), try snapshot.view(of: name))
            #expect(first.isMapped && first.bytes.address == second.bytes.address)
        }
        try withScratchDirectory { work in
            let (store, _) = try store("hf/qwen3_moe/model_fused", in: work)
            let snapshot = try store.snapshot("main")
            let part = try #require(snapshot.pools.first?.parts.first)
            #expect(part.stacked)
            #expect(try !snapshot.view(of: part.tensor).isMapped)
        }
    }

    @Test("reads differences and compressed packs as what they stand for")
    func differences() throws {
        try withScratchDirectory { work in
            let (store, checkpoint) = try store("hf/qwen3_moe/model", in: work)
            let name = "model.layers.1.mlp.gate.weight"
            let base = try store.resolve("main")
            try store.commit(
                patch: [
                    TensorData("\(name).index", dtype: "U32", shape: [1], [5, 0, 0, 0]),
                    TensorData("\(name).value", dtype: "F32", shape: [1], [0, 0, 128, 63]),
                ], Checkpoints.options("step"))
            let changed = try store.snapshot("main").data(of: name)
            var expected = try store.snapshot(base).data(of: name)
            expected.replaceSubrange(20..<24, with: [0, 0, 128, 63])
            #expect(changed == expected)
            let path = store.path
            _ = consume store
            _ = try Store.repack(path, compress: true)
            let again = try Store(path)
            try check(again.snapshot(base), has: checkpoint)
            #expect(try again.snapshot("main").data(of: name) == expected)
        }
    }

    @Test("names who shares an expert")
    func sharers() throws {
        try withScratchDirectory { work in
            let (store, _) = try store("hf/qwen3_moe/model", in: work)
            try store.createBranch("other", at: "main", Checkpoints.signature)
            try store.createTag("v1", at: "main", Checkpoints.signature)
            let bytes = try store.expert("main", "1/4").data
            try store.commit(Checkpoints.options("one", branch: "other")) { patch in
                try patch.put(expert: 3, layer: 1, bytes)
            }
            let snapshot = try store.snapshot("main")
            #expect(
                try snapshot.sharers(ofExpert: 3, layer: 1).map(\.name) == ["main", "v1"])
            #expect(
                try snapshot.sharers(ofExpert: 4, layer: 1).map(\.name)
                    == ["main", "other", "v1"])
            let other = try store.snapshot("other")
            #expect(
                try other.expertID(3, layer: 1) == snapshot.expertID(4, layer: 1))
        }
    }

    @Test("refuses what is not there")
    func absent() throws {
        try withScratchDirectory { work in
            let (store, _) = try store("hf/qwen3_moe/model", in: work)
            let snapshot = try store.snapshot("main")
            let name = "model.layers.1.mlp.gate.weight"
            #expect(code { try snapshot.data(of: "none") } == .notFound)
            #expect(code { try snapshot.data(of: name, rows: 0..<1000) } == .notFound)
            #expect(code { try snapshot.file("none") } == .notFound)
            #expect(code { try snapshot.expertID(0, layer: 0) } == .notFound)
            #expect(code { try snapshot.expertID(16, layer: 1) } == .notFound)
            #expect(code { try snapshot.expertID(-1, layer: 1) } == .notFound)
            #expect(code { try store.snapshot("none") } == .notFound)
        }
    }
}
