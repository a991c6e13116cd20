import CheckpointSupport
import Checkpoints
import Elements
import Objects
import Snapshots
import Testing

@Suite("Layouts of whole checkpoints")
struct LayoutFixtureTests {
    private func open(_ path: String) throws -> (Checkpoint, CheckpointLayout) {
        let checkpoint = try Checkpoint(opening: Fixtures.path(path))
        return (checkpoint, try checkpoint.layout())
    }

    @Test("peer-lm has two product-key pools of 256 neurons, each a u row and a v row")
    func peer() throws {
        let (checkpoint, layout) = try open("peer-lm/base")
        #expect(layout.architecture == "peer-lm" && layout.recognised && layout.note == nil)
        #expect(layout.pools.map(\.layer) == [1, 2])
        let pool = layout.pools[0]
        #expect(pool.kind == .neuron && pool.routerKind == .productKey && pool.expertCount == 256)
        #expect(pool.parts == [TensorShape(.f32, [32]), TensorShape(.f32, [32])])
        #expect(pool.expertByteCount == 256 && pool.tensors.allSatisfy(\.stacked))
        #expect(
            pool.routerTensors == [
                "model.layers.1.peer.query.weight", "model.layers.1.peer.sub_keys",
            ])
        #expect(layout.trunk.contains("model.layers.1.peer_layernorm.weight"))
        let reader = try PoolReader(pool, in: checkpoint)
        var bytes: [UInt8] = []
        reader.append(expert: 77, to: &bytes)
        let rows = try ["down", "up"].flatMap { name in
            let table = try #require(
                checkpoint.tensor(named: "model.layers.1.peer.\(name).weight"))
            return table.bytes.slice(77 * 128..<78 * 128).copy()
        }
        #expect(bytes == rows)
    }

    @Test("each family has its experts, its dense layers left out", arguments: Fixtures.families)
    func families(family: String) throws {
        let own = try #require(TransformersFamily(rawValue: family))
        let sparse = own.firstSparse == 1 ? [1, 2] : [0, 1, 2]
        for form in ["model", "model_fused", "model_bf16"] {
            let (_, layout) = try open("hf/\(family)/\(form)")
            #expect(layout.architecture == family && layout.recognised)
            #expect(layout.pools.map(\.layer) == sparse)
            for pool in layout.pools {
                #expect(pool.expertCount == own.experts && pool.routerKind == .linear)
                #expect(pool.kind == (family == "gpt_oss" ? .tensors : .swiglu))
                let isFused = form == "model_fused" || own.isStacked
                #expect(pool.tensors.allSatisfy { $0.stacked == isFused })
                #expect(pool.routerTensors.count == own.routerTensors)
            }
        }
    }

    @Test("gpt_oss keeps its four stacked tensors as they are")
    func gptOSS() throws {
        let (_, layout) = try open("hf/gpt_oss/model")
        let pool = layout.pools[1]
        let names = ["gate_up_proj", "gate_up_proj_bias", "down_proj", "down_proj_bias"]
        #expect(pool.tensors.map(\.template) == names.map { "model.layers.1.mlp.experts.\($0)" })
        #expect(pool.parts.map(\.dimensions) == [[64, 96], [96], [48, 64], [64]])
        #expect(
            pool.routerTensors == [
                "model.layers.1.mlp.router.weight", "model.layers.1.mlp.router.bias",
            ])
    }

    @Test("deepseek_v3 counts its score correction as routing and its shared expert as trunk")
    func deepseek() throws {
        let (_, layout) = try open("hf/deepseek_v3/model")
        #expect(
            layout.pools[0].routerTensors == [
                "model.layers.1.mlp.gate.weight", "model.layers.1.mlp.gate.e_score_correction_bias",
            ])
        #expect(layout.trunk.contains("model.layers.1.mlp.shared_experts.up_proj.weight"))
        #expect(layout.trunk.contains("model.layers.0.mlp.up_proj.weight"))
    }

    @Test(
        "an expert has the same parts and bytes in the separate and the stacked form",
        arguments: Fixtures.separateFamilies)
    func sameExpertInBothForms(family: String) throws {
        let (separate, separateLayout) = try open("hf/\(family)/model")
        let (fused, fusedLayout) = try open("hf/\(family)/model_fused")
        try #require(separateLayout.pools.count == fusedLayout.pools.count)
        for (left, right) in zip(separateLayout.pools, fusedLayout.pools) {
            #expect(left.parts == right.parts && left.kind == right.kind)
            #expect(left.tensors.count == (family == "granitemoe" ? 2 : 3))
            #expect(right.tensors.count == 2)
            let (leftReader, rightReader) = (
                try PoolReader(left, in: separate), try PoolReader(right, in: fused)
            )
            for expert in 0..<left.expertCount {
                var (leftBytes, rightBytes): ([UInt8], [UInt8]) = ([], [])
                leftReader.append(expert: expert, to: &leftBytes)
                rightReader.append(expert: expert, to: &rightBytes)
                #expect(leftBytes == rightBytes && leftBytes.count == left.expertByteCount)
            }
        }
    }

    @Test(
        "experts, routers and trunk make up the whole checkpoint again", arguments: Fixtures.folders
    )
    func writtenBack(name: String) throws {
        let path = Fixtures.path(name)
        let checkpoint = try Checkpoint(opening: path)
        let layout = try checkpoint.layout()
        let others = (layout.trunk + layout.pools.flatMap(\.routerTensors)).compactMap {
            checkpoint.tensor(named: $0)?.entry
        }
        let all = TensorAssembly.all(pools: layout.pools, others: others)
        let readers = try layout.pools.map { try PoolReader($0, in: checkpoint) }
        let folder = ScratchFolder()
        try SafetensorsWriter.write(
            all.map(\.entry), metadata: checkpoint.files[0].content.header.metadata,
            to: "\(folder.path)/model.safetensors"
        ) { (position, sink: inout TensorSink) in
            switch all[position].source {
            case .whole:
                let bytes = checkpoint.tensor(named: all[position].name)?.bytes.copy() ?? []
                try sink.append(bytes.raw)
            case .experts(let pool, let ordinals, let range):
                for ordinal in ordinals {
                    var canonical: [UInt8] = []
                    readers[pool].append(expert: ordinal, to: &canonical)
                    try sink.append(canonical.raw.extracting(range))
                }
            }
        }
        #expect(
            try contents("\(folder.path)/model.safetensors")
                == contents("\(path)/model.safetensors"))
    }
}
