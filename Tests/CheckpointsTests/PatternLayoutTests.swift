import CheckpointSupport
import Checkpoints
import Elements
import Objects
import Testing

@Suite("Experts by pattern")
struct PatternLayoutTests {
    /// What a form's tensors are recognised as.
    private func layout(of form: ModelForm, config: String? = nil) throws -> CheckpointLayout {
        let folder = ScratchFolder()
        try form.write(to: folder.path, config: config)
        return try Checkpoint(opening: folder.path).layout()
    }

    @Test(
        "each form has the pools that it should",
        arguments: ModelForm.regular + ModelForm.irregular + ModelForm.mixed)
    func pools(form: ModelForm) throws {
        let layout = try layout(of: form)
        #expect(!layout.recognised && layout.architecture == "unknown")
        #expect(layout.patterns == form.patterns)
        let found = Dictionary(uniqueKeysWithValues: layout.pools.map { ($0.place, $0) })
        #expect(Set(found.keys) == Set(form.pools.keys))
        for (place, pool) in found {
            #expect("\(pool.kind)" == form.pools[place]?.kind, "\(place)")
            #expect(pool.ordinals == form.pools[place]?.experts, "\(place)")
        }
        // Every tensor is in one place: of the trunk, of a router, or of an expert.
        let names =
            layout.trunk + layout.pools.flatMap(\.routerTensors)
            + TensorAssembly.all(pools: layout.pools, others: []).map(\.name)
        #expect(names.sorted() == form.tensors.keys.sorted())
    }

    @Test(
        "a family's config never makes a refusal of it",
        arguments: ["olmoe", "mixtral", "qwen3_moe", "deepseek_v3", "gpt_oss", "mystery"])
    func families(type: String) throws {
        for form in ModelForm.regular + ModelForm.irregular + ModelForm.mixed {
            let layout = try layout(of: form, config: "{\"model_type\":\"\(type)\"}")
            #expect(layout.architecture == type, "\(form)")
            #expect(layout.recognised == (layout.note == nil), "\(form)")
            guard !layout.recognised else { continue }
            #expect(layout.patterns == form.patterns, "\(form)")
        }
    }

    @Test("a layer is stored as its family has it whatever stands before its name")
    func sameAsFamily() throws {
        let own = try CheckpointsTests.layout(SmallLayer.olmoe, SmallLayer.separate(3))
        let other = try CheckpointsTests.layout(
            nil,
            Dictionary(uniqueKeysWithValues: SmallLayer.separate(3).map { ("module.\($0)", $1) }))
        #expect(other.pools[0].parts == own.pools[0].parts && other.pools[0].kind == .swiglu)
        #expect(
            other.pools[0].tensors.map(\.template)
                == own.pools[0].tensors.map { "module." + $0.template })
        #expect(
            other.pools[0].routerTensors == own.pools[0].routerTensors.map { "module." + $0 })
    }

    @Test("reasons are told, and not more than a few")
    func reasons() throws {
        var shapes: Shapes = [:]
        for layer in 0..<9 {
            shapes["layers.\(layer).experts.0.w"] = [2, 2]
            shapes["layers.\(layer).experts.1.w"] = [2, 3]
        }
        let note = try #require(try CheckpointsTests.layout(nil, shapes).note)
        #expect(note.contains("every tensor is stored whole"))
        #expect(note.contains("experts.1.w\" is F32[2, 3], but others of its kind are F32[2, 2]"))
        #expect(note.contains("and 6 more") && note.utf8.count < 1_000)
    }

    @Test("a gate beside a convolution is not taken for a router of experts")
    func gate() throws {
        let block = "model.layers.0.linear_attn"
        let layout = try CheckpointsTests.layout(
            nil, ["\(block).gate.weight": [8, 4], "\(block).conv1d.weight": [16, 1, 4]])
        #expect(layout.pools.isEmpty && layout.note?.contains("conv1d") == false)
        let stack = try CheckpointsTests.layout(
            nil, ["\(block).gate.weight": [8, 4], "\(block).experts.w": [16, 1, 4]])
        #expect(stack.note?.contains("experts.w\" is F32[16, 1, 4], but its router has 8") == true)
    }

    @Test("experts at any depth of gaps take room for those that are there")
    func gaps() throws {
        func count(_ ordinals: [Int], router: Int? = nil) throws -> [Int] {
            var shapes: Shapes = [:]
            for ordinal in ordinals { shapes["layers.0.mlp.experts.\(ordinal).w"] = [2, 2] }
            if let router { shapes["layers.0.mlp.gate.weight"] = [router, 2] }
            return try CheckpointsTests.layout(nil, shapes).pools.map(\.expertCount)
        }
        #expect(try count([1_000]) == [1_001])
        #expect(try count([1_100]) == [])
        #expect(try count([1_100], router: 4_096) == [1_101])
        // A router without columns has any number of rows in no bytes.
        var shapes: Shapes = ["layers.0.mlp.gate.weight": [1 << 40, 0]]
        shapes["layers.0.mlp.experts.999999999.w"] = [2, 2]
        #expect(try CheckpointsTests.layout(nil, shapes).pools.isEmpty)
    }

    @Test("so many blocks that no model has them are no experts")
    func manyBlocks() throws {
        var shapes: Shapes = [:]
        for block in 0..<20_000 { shapes["a\(block).experts.0.w"] = [1] }
        let layout = try CheckpointsTests.layout(nil, shapes)
        #expect(layout.pools.isEmpty && layout.trunk.count == 20_000)
    }

    @Test("lists of layers whose numbers repeat have pools of their own names")
    func names() throws {
        func pools(_ blocks: [String]) throws -> [String] {
            var shapes: Shapes = [:]
            for block in blocks { shapes["\(block)experts.0.w"] = [2, 2] }
            return try CheckpointsTests.layout(nil, shapes).pools.map(\.place)
        }
        #expect(try pools(["a.layers.0.mlp.", "a.layers.1.moe."]) == ["0", "1"])
        #expect(try pools(["a.layers.0.x.", "a.layers.0.y."]) == ["0", "0/y"])
        #expect(try pools(["", "b."]) == ["0", "0/b"])
        #expect(try pools(["a.5.", "a.5..", ".5.", "5."]) == ["5", "5/a"])
        #expect(
            try pools(["a.layers.1.m.", "b.layers.1.m.", "c.layers.1.m.", "b.layers.2.m."])
                == ["1", "1/a", "1/c", "2"])
        // Both would be `a`: each has its whole name.
        #expect(
            try pools([
                "b.layers.0.m.", "b.layers.1.m.", "b.layers.2.m.", "a.layers.0.m.", "a.layers.0.n.",
            ]) == ["0", "0/a.layers.m", "0/a.layers.n", "1", "2"])
        // No name that could stand between slashes.
        #expect(try pools(["m.layers.0.x.", "m.layers.1.x.", "a/b.layers.0.x."]) == ["0", "1"])
        #expect(try pools(["stages.0.layers.7.m.", "stages.0.layers.8.m."]) == ["7", "8"])
        #expect(try pools(["h.3.m.", "h.4.m.", "4.m.", "x.5."]) == ["3", "4", "4/m", "5/x"])
    }

    @Test("gate, up and down have one identity in every spelling whose meaning is known")
    func spellings() throws {
        let separate: [Shapes] = [
            [
                "{e}.gate_proj.weight": [3, 4], "{e}.up_proj.weight": [3, 4],
                "{e}.down_proj.weight": [4, 3],
            ],
            ["{e}.w1.weight": [3, 4], "{e}.w3.weight": [3, 4], "{e}.w2.weight": [4, 3]],
            ["{e}.w1": [3, 4], "{e}.w3": [3, 4], "{e}.w2": [4, 3]],
            ["{e}.gate_up_proj.weight": [6, 4], "{e}.down_proj.weight": [4, 3]],
            ["{e}.linear_fc1.weight": [6, 4], "{e}.linear_fc2.weight": [4, 3]],
        ]
        let stacked: [Shapes] = [
            ["experts.gate_up_proj": [2, 6, 4], "experts.down_proj": [2, 4, 3]],
            ["input_linear.weight": [2, 6, 4], "output_linear.weight": [2, 4, 3]],
            [
                "switch_mlp.gate_proj.weight": [2, 3, 4], "switch_mlp.up_proj.weight": [2, 3, 4],
                "switch_mlp.down_proj.weight": [2, 4, 3],
            ],
        ]
        var pools: [CheckpointPool] = []
        for parts in separate {
            var shapes: Shapes = [:]
            for (name, shape) in parts {
                for expert in 0..<2 {
                    shapes["layers.0.moe.experts." + name.replacing("{e}", with: "\(expert)")] =
                        shape
                }
            }
            pools += try CheckpointsTests.layout(nil, shapes).pools
        }
        for parts in stacked {
            var shapes: Shapes = ["layers.0.moe.gate.weight": [2, 4]]
            for (name, shape) in parts { shapes["layers.0.moe." + name] = shape }
            pools += try CheckpointsTests.layout(nil, shapes).pools
        }
        #expect(pools.count == separate.count + stacked.count)
        for pool in pools {
            #expect(pool.kind == .swiglu && pool.expertCount == 2)
            #expect(pool.parts.map(\.dimensions) == [[3, 4], [3, 4], [4, 3]])
        }
    }
}
