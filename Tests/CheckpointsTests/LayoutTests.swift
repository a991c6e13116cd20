import Checkpoints
import Elements
import TestSupport
import Testing

@Suite("Layouts")
struct LayoutTests {
    // MARK: PEER

    @Test(
        "a pool's experts belong to the longest name that fits, and none is called as the model's own"
    )
    func pools() throws {
        var shapes = SmallLayer.peer()
        for (name, dimensions) in SmallLayer.peer() {
            shapes["cohorts.x.\(name)"] = dimensions
        }
        shapes["cohorts.x.cohort"] = [2]
        shapes["cohorts.x.model.cohort"] = [2]
        let pools = try layout(SmallLayer.peerConfig, shapes).pools
        #expect(pools.map(\.pool) == ["base", "x"])
        #expect(pools[1].tensors[0].template == "cohorts.x.model.layers.1.peer.down.weight")
        for (name, dimensions) in SmallLayer.peer() {
            shapes["cohorts.base.\(name)"] = dimensions
        }
        shapes["cohorts.base.cohort"] = [2]
        #expect(try refusal(SmallLayer.peerConfig, shapes).0 == .unsupported)
    }

    @Test("contradictions in a PEER layer are named")
    func peerFaults() throws {
        #expect(try layout(SmallLayer.peerConfig, SmallLayer.peer()).pools.count == 1)
        let cases: [(String, [Int]?, CambiumError.Code)] = [
            ("down.weight", [8, 4], .badConfig), ("up.weight", [9, 5], .badConfig),
            ("up.weight", nil, .missingTensor), ("query.weight", nil, .missingTensor),
            ("sub_keys", nil, .missingTensor), ("sub_keys", [2, 4, 2], .badConfig),
            ("sub_keys", [3, 3, 2], .badConfig), ("sub_keys", [2, 0, 2], .badConfig),
            ("sub_keys", [18], .badConfig),
        ]
        for (name, dimensions, expected) in cases {
            var shapes = SmallLayer.peer()
            shapes["model.layers.1.peer.\(name)"] = dimensions
            let (code, text) = try refusal(SmallLayer.peerConfig, shapes)
            let peer = "model.layers.1.peer."
            #expect(code == expected && text.contains(peer), "\(name): \(text)")
        }
        #expect(try refusal(SmallLayer.peerConfig, SmallLayer.peer(16, subKeys: 4)).0 == .badConfig)
        #expect(try refusal(SmallLayer.peerConfig, SmallLayer.peer(0, subKeys: 0)).0 == .badConfig)
    }

    @Test("the layers that the config lists must be those that have experts")
    func peerLayers() throws {
        let both = SmallLayer.peer().merging(SmallLayer.peer(layer: 2)) { left, _ in left }
        #expect(try refusal(SmallLayer.peerConfig, both).0 == .badConfig)
        let listed = #"{"architecture":"peer-lm","peer_layers":[1,2]}"#
        let (code, text) = try refusal(listed, SmallLayer.peer())
        #expect(code == .missingTensor && text.contains("model.layers.2.peer.down.weight"))
        #expect(try refusal(#"{"architecture":"peer-lm","peer_layers":1}"#, both).0 == .badConfig)
        #expect(try layout(#"{"architecture":"peer-lm"}"#, both).pools.map(\.layer) == [1, 2])
    }

    // 2^32 ended the process: the store's 32 bits were filled without a look at the number.
    @Test(
        "a number that no layer can have makes no layer",
        arguments: [Int(UInt32.max) + 1, Int(UInt32.max) + 2, .max])
    func layerNumbers(_ number: Int) throws {
        let config = #"{"architecture":"peer-lm"}"#
        let (_, text) = try refusal(config, SmallLayer.peer(layer: number))
        #expect(text.contains("none of the 4 tensors belongs to an expert"))
        let greatest = try layout(config, SmallLayer.peer(layer: Int(UInt32.max)))
        #expect(greatest.pools.map(\.layer) == [Int(UInt32.max)])
    }

    @Test("a million stacked experts are a handful of descriptions")
    func million() throws {
        let count = 1 << 20
        let config = #"{"architecture":"peer-lm","peer_layers":[3],"peer":{"sub_keys":1024}}"#
        let layout = try layout(
            config, SmallLayer.peer(count, subKeys: 1024, hidden: 256, layer: 3))
        let all = TensorAssembly.all(pools: layout.pools, others: [])
        #expect(layout.pools[0].expertCount == count && layout.pools[0].expertByteCount == 2048)
        #expect(
            all.map(\.source) == [
                .experts(pool: 0, ordinals: 0..<count, bytes: 0..<1024),
                .experts(pool: 0, ordinals: 0..<count, bytes: 1024..<2048),
            ])
        #expect(all[0].shape == TensorShape(.f32, [count, 256]))
    }

    @Test("experts without bytes are refused, however many a shape claims")
    func emptyExperts() throws {
        let claimed = 1 << 62
        let peer = SmallLayer.peer(claimed, subKeys: 1 << 31, hidden: 0)
        let (code, text) = try refusal(#"{"architecture":"peer-lm"}"#, peer)
        #expect(code == .badConfig && text.contains("have no bytes"))
        var stacked = SmallLayer.stacked()
        stacked["\(SmallLayer.mlp).experts.gate_up_proj"] = [2, 0, 0]
        stacked["\(SmallLayer.mlp).experts.down_proj"] = [2, 0, claimed]
        #expect(try misfit(SmallLayer.olmoe, stacked).contains("experts"))
        #expect(try layout(SmallLayer.olmoe, stacked).pools.isEmpty)
    }

    @Test("a pool cannot be read from a checkpoint that lacks its tensors or has others")
    func foreignPool() throws {
        let folder = ScratchFolder()
        try write([tensor("x", .f32, [4])], to: "\(folder.path)/x.safetensors")
        let other = try Checkpoint(opening: "\(folder.path)/x.safetensors")
        let pool = try layout(SmallLayer.peerConfig, SmallLayer.peer()).pools[0]
        #expect(code { try PoolReader(pool, in: other) } == .missingTensor)
        try write(
            [tensor("model.layers.1.peer.down.weight", .f32, [8, 4])],
            to: "\(folder.path)/y.safetensors")
        let short = try Checkpoint(opening: "\(folder.path)/y.safetensors")
        #expect(code { try PoolReader(pool, in: short) } == .badConfig)
    }

    // MARK: Without experts

    @Test("of an unknown architecture, or none, experts are told by pattern, and it says so")
    func unrecognised() throws {
        let cases = [
            (#"{"model_type":"llama","x":[NaN,Infinity,-Infinity]}"#, "llama", "\"llama\""),
            ("{}", "unknown", "names no architecture"), (nil, "unknown", "no config.json"),
        ]
        for (config, architecture, sentence) in cases {
            let layout = try layout(config, SmallLayer.separate())
            #expect(!layout.recognised && layout.architecture == architecture)
            #expect(layout.pools.count == 1 && layout.trunk == ["model.norm.weight"])
            #expect(layout.patterns == ["model.layers.{n}.mlp.experts.{e}.*"])
            let note = try #require(layout.note)
            #expect(note.contains(sentence) && note.contains(layout.patterns[0]))
            let dense = try CheckpointsTests.layout(config, ["model.norm.weight": [4]])
            #expect(dense.pools.isEmpty && dense.patterns.isEmpty && dense.trunk.count == 1)
            #expect(dense.note?.contains("every tensor is stored whole") == true)
        }
    }

    @Test(
        "a known architecture without experts is stored whole, not in silence",
        arguments: ["olmoe", "mixtral", "gpt_oss"])
    func noExperts(architecture: String) throws {
        let config = #"{"model_type":"\#(architecture)"}"#
        let text = try misfit(config, ["model.norm.weight": [4]])
        #expect(text.contains(architecture) && text.contains("every tensor is stored whole"))
    }

    @Test("our own architecture without experts is refused")
    func noNeurons() throws {
        let (code, text) = try refusal(
            #"{"model_type":"peer-lm"}"#, ["model.norm.weight": [4]])
        #expect(code == .missingTensor && text.contains("peer-lm"))
    }

    @Test("a config that is not JSON, or has a key twice, is refused")
    func badConfigs() throws {
        for config in ["", "[]", "{", #"{"a":}"#, "{}x", "{\"a\":01}", "{\"a\":1e}", "{\"a\":tru}"]
        {
            #expect(try refusal(config, [:]).0 == .badConfig, "\(config)")
        }
        #expect(
            try refusal(#"{"model_type":"olmoe","model_type":"mixtral"}"#, [:]).0 == .duplicateName)
        let bomb = String(repeating: "[", count: 1_000_000)
        #expect(try refusal("{\"a\":\(bomb)", [:]).0 == .badConfig)
    }
}
