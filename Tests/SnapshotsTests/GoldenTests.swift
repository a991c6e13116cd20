import Elements
import Objects
import Snapshots
import TestSupport
import Testing

/// Ids that must never change.
///
/// `tools/golden/ids.py` computes the same ones without this code.
@Suite("Golden ids")
struct GoldenTests {
    private func floats(_ count: Int, from start: Int) -> [UInt8] {
        (0..<count).flatMap { index -> [UInt8] in
            var encoder = ByteEncoder()
            encoder.append(Float(start + index).bitPattern)
            return encoder.bytes
        }
    }

    private func experts() throws -> [ObjectID] {
        let header = try ObjectHeader(.neuron, [TensorShape(.f32, [4]), TensorShape(.f32, [4])])
        return (0..<300).map { header.id(of: floats(8, from: 100 * $0).raw) }
    }

    @Test("a tensor and a neuron have their golden ids")
    func objects() throws {
        let header = try ObjectHeader(.tensor, [TensorShape(.f32, [2, 3])])
        #expect(
            header.id(of: floats(6, from: 0).raw).hex
                == "9ed45af9ef0644c71326ac562603b54970db9fbd05a0188bd758144d401f28f9")
        #expect(
            try experts()[7].hex
                == "0f4a4df537b018e8f8cc5163c0181e83000dc4be80d619c8f0f31cae634749a5")
    }

    @Test(
        "expert arrays have their golden roots",
        arguments: [
            (0, "e975815eb0c062bf4b00d5810e88ba4bbc5afee7db67c2f20a51d4508bb9cda4"),
            (1, "9d82724bdc23573708b697c5abd709d30a3e582a42a72d69bbd5c24c095f8b27"),
            (16, "68a17defebcc8679129a1a1909d0c99107a83e8c233192335e80ecf7527cbb2a"),
            (17, "03ffac4b1d678466f29ead3b697bb534b5f2292701b36e253ce45280809ad1c1"),
            (300, "239584e21e9bf3ed631cf5bf0af49136424d9b4704a76e6e34e0d201d41cf59d"),
        ])
    func arrays(count: Int, root: String) throws {
        #expect(ExpertArray.root(of: Array(try experts().prefix(count))).hex == root)
    }

    @Test("an array with an absent expert has its golden root")
    func gap() throws {
        var ids = Array(try experts().prefix(20))
        ids[3] = .zero
        #expect(
            ExpertArray.root(of: ids).hex
                == "fe3ce121c407d38c21fcf07dc89780fb5206ce350e7b3612f07e0139221640c6")
    }

    @Test("a committed tree, its records and its commits have their golden ids")
    func treeAndCommits() throws {
        try withStore { store in
            var model = SyntheticModel()
            model.architecture = "golden"
            model.files["config.json"] = Array("{\"layers\":1}".utf8)
            model.trunk["embed"] = .init(TensorShape(.f32, [2, 3]), floats(6, from: 0))
            model.trunk["norm"] = .init(TensorShape(.f32, [3]), floats(3, from: 7))
            var pool = SyntheticModel.Pool(neurons: 20, width: 4, seed: 0)
            pool.experts = (0..<20).map { floats(8, from: 100 * $0) }
            pool.router["keys"] = .init(TensorShape(.f32, [20, 2]), floats(40, from: 1))
            model.pools[.init(4)] = pool
            var draft = try CommitDraft(store, tree: Tree(architecture: ""))
            try model.stage(in: &draft)
            let first = try draft.commit(
                to: "main", parents: [],
                note: CommitNote(
                    time: 1_700_000_000, author: "Ada", message: "first light",
                    metadata: ["policy": "mean"], metrics: ["bpb": 2.5]))
            #expect(
                first.tree.hex
                    == "8190d1a3b00b3d3c62b8af5a7ef698574bd6441d2aeeae957a153e51892dc3b7")
            #expect(
                first.id.hex == "7c261bc9aeeb132af898397dbfff2d00e2be25f20cfd485e535de11dea63cd91")
            var next = try CommitDraft(store, tree: Tree(architecture: ""))
            try model.stage(in: &next)
            let second = try next.commit(
                to: "main", parents: [first.id],
                note: CommitNote(time: -1, author: "", message: ""), keepsUnchanged: true)
            #expect(
                second.id.hex == "6784d742f28654ee2a60d3a8bec94ea97e624ccf19266d0d4f37eb7018ab8f15")
            let tree = try store.tree(first.tree)
            let layer = try #require(tree.layers[4])
            let trunk = try ObjectHeader(.trunk, byteCount: tree.trunk.encoded.count)
            let record = try ObjectHeader(.layer, byteCount: layer.encoded.count)
            #expect(
                trunk.id(of: tree.trunk.encoded.raw).hex
                    == "3e28fbb1643b9cd4953f36513365831f0d44c6c981a05deb6780a035e354ce60")
            #expect(
                record.id(of: layer.encoded.raw).hex
                    == "b2a92f70250625166652a6c554a7b4b2681b262bc817fd34c8b2d964cc420ec5")
        }
    }
}
