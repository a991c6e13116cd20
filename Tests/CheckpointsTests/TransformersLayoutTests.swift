import Checkpoints
import Elements
import Objects
import TestSupport
import Testing

@Suite("Layouts of transformers models")
struct TransformersLayoutTests {
    // MARK: Separate experts

    @Test("gate, up and down come in this order whatever the order of the names")
    func order() throws {
        let pool = try layout(SmallLayer.olmoe, SmallLayer.separate()).pools[0]
        #expect(
            pool.tensors.map(\.template)
                == ["gate", "up", "down"].map {
                    "model.layers.0.mlp.experts.{e}.\($0)_proj.weight"
                })
        #expect(pool.tensors[1].name(of: 1) == "model.layers.0.mlp.experts.1.up_proj.weight")
        #expect(pool.parts.map(\.dimensions) == [[3, 4], [3, 4], [4, 3]])
        #expect(pool.sliceRanges == [0..<48, 48..<96, 96..<144])
    }

    @Test("more than ten experts are ordered by number, not by name")
    func manyExperts() throws {
        let layout = try layout(#"{"model_type":"olmoe"}"#, SmallLayer.separate(12))
        #expect(layout.pools[0].expertCount == 12)
        let names = TensorAssembly.all(pools: layout.pools, others: []).map(\.name)
        #expect(names[2] == "model.layers.0.mlp.experts.2.gate_proj.weight")
        #expect(names.count == 36 && Set(names).count == 36)
    }

    @Test("one checkpoint may have one layer separate and another stacked")
    func mixedForms() throws {
        let shapes = SmallLayer.separate().merging(SmallLayer.stacked(layer: 7)) { left, _ in left }
        let layout = try layout(SmallLayer.olmoe, shapes)
        #expect(layout.pools.map(\.layer) == [0, 7])
        #expect(layout.pools.map { $0.tensors[0].stacked } == [false, true])
        #expect(layout.pools[0].parts == layout.pools[1].parts)
        #expect(layout.trunk == ["model.norm.weight"])
    }

    @Test("the class name tells the architecture where the type does not")
    func className() throws {
        let config = #"{"model_type":"kimi","architectures":["DeepseekV3ForCausalLM"]}"#
        #expect(try layout(config, SmallLayer.separate()).architecture == "deepseek_v3")
    }

    @Test(
        "every spelling of the number of experts is accepted and checked",
        arguments: ["num_experts", "num_local_experts", "n_routed_experts"])
    func spellings(key: String) throws {
        let config = { (value: String) in #"{"model_type":"qwen3_moe","\#(key)":\#(value)}"# }
        #expect(try layout(config("2"), SmallLayer.separate()).pools[0].expertCount == 2)
        #expect(try layout(config("null"), SmallLayer.separate()).pools[0].expertCount == 2)
        let wrong = try misfit(config("1"), SmallLayer.separate())
        #expect(wrong.contains("\(key) is 1, but layer 0 has 2"))
        let few = try misfit(config("3"), SmallLayer.separate())
        #expect(few.contains("experts.2.gate_proj.weight is missing"))
        for value in ["0", "-1", "2.0", "\"2\"", "[]"] {
            #expect(
                try misfit(config(value), SmallLayer.separate())
                    .contains("\(key) is not a positive number"))
        }
        #expect(
            try misfit(config("3"), SmallLayer.stacked()).contains("the number of experts, 3"))
    }

    @Test("spellings that disagree leave experts to their pattern")
    func spellingsDisagree() throws {
        let config = #"{"model_type":"olmoe","num_experts":2,"num_local_experts":3}"#
        #expect(
            try misfit(config, SmallLayer.separate()).contains("config.json contradicts itself"))
        #expect(try layout(config, SmallLayer.separate()).pools.count == 1)
    }

    @Test("type and class of two known architectures are .badConfig")
    func typeAndClassDisagree() throws {
        let config = #"{"model_type":"olmoe","architectures":["MixtralForCausalLM"]}"#
        #expect(try refusal(config, SmallLayer.separate()).0 == .badConfig)
    }

    /// A change to the separate layer, and a part of what is said of it.
    struct Fault: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let change: @Sendable (inout Shapes) -> Void
        let text: String
        /// Whether the layer's experts have a pattern all the same.
        var isRegular = false
    }

    static let faults = [
        Fault(
            testDescription: "an expert without one of its tensors",
            change: { $0["\(SmallLayer.mlp).experts.1.up_proj.weight"] = nil },
            text: "experts.1.up_proj.weight is missing"),
        Fault(
            testDescription: "a gap in the experts",
            change: {
                for part in ["gate", "up", "down"] {
                    $0["\(SmallLayer.mlp).experts.0.\(part)_proj.weight"] = nil
                }
            }, text: "experts.0.gate_proj.weight is missing", isRegular: true),
        Fault(
            testDescription: "no expert with an up projection",
            change: {
                $0["\(SmallLayer.mlp).experts.0.up_proj.weight"] = nil
                $0["\(SmallLayer.mlp).experts.1.up_proj.weight"] = nil
            }, text: "experts.0.up_proj.weight is missing", isRegular: true),
        Fault(
            testDescription: "a huge expert number",
            change: {
                $0["\(SmallLayer.mlp).experts.9223372036854775807.up_proj.weight"] = [3, 4]
            },
            text: "experts.2.up_proj.weight is missing", isRegular: true),
        Fault(
            testDescription: "an expert of another shape",
            change: { $0["\(SmallLayer.mlp).experts.1.up_proj.weight"] = [4, 3] },
            text: "experts.1.up_proj.weight is F32[4, 3], but that of expert 0 is F32[3, 4]"),
        Fault(
            testDescription: "down not transposed to gate",
            change: {
                $0["\(SmallLayer.mlp).experts.0.down_proj.weight"] = [3, 4]
                $0["\(SmallLayer.mlp).experts.1.down_proj.weight"] = [3, 4]
            }, text: "[H, I] are expected", isRegular: true),
        Fault(
            testDescription: "no router", change: { $0["\(SmallLayer.mlp).gate.weight"] = nil },
            text: "\(SmallLayer.mlp).gate.weight", isRegular: true),
        Fault(
            testDescription: "a router of another size",
            change: { $0["\(SmallLayer.mlp).gate.weight"] = [3, 4] },
            text: "\(SmallLayer.mlp).gate.weight is F32[3, 4], but there are 2 experts",
            isRegular: true),
        Fault(
            testDescription: "a layer with a router and no experts",
            change: { $0["model.layers.5.mlp.gate.weight"] = [2, 4] },
            text: "model.layers.5.mlp", isRegular: true),
        Fault(
            testDescription: "both forms in one layer",
            change: { $0["\(SmallLayer.mlp).experts.gate_up_proj"] = [2, 6, 4] },
            text: "one form", isRegular: true),
        Fault(
            testDescription: "two blocks with experts in one layer",
            change: { $0["model.layers.0.block_sparse_moe.experts.0.w1.weight"] = [3, 4] },
            text: "one is expected", isRegular: true),
    ]

    @Test("contradictions among separate experts are named, and none is refused", arguments: faults)
    func separateFaults(fault: Fault) throws {
        var shapes = SmallLayer.separate()
        fault.change(&shapes)
        let text = try misfit(SmallLayer.olmoe, shapes)
        #expect(text.contains(fault.text), "\(text)")
        let layout = try layout(SmallLayer.olmoe, shapes)
        #expect(layout.architecture == "olmoe" && layout.pools.isEmpty != fault.isRegular)
    }

    @Test("an expert of another dtype leaves its layer to be stored whole")
    func dtypes() throws {
        let entries = SmallLayer.separate().map { name, dimensions in
            TensorEntry(
                name, TensorShape(name.contains("experts.1.up") ? .bf16 : .f32, dimensions))
        }
        let layout = try CheckpointLayout(config: Array(SmallLayer.olmoe.utf8), tensors: entries)
        #expect(layout.pools.isEmpty && layout.trunk.count == entries.count)
        #expect(layout.note?.contains("BF16") == true)
    }

    @Test("experts with scales are kept as tensors, projections before the rest of each")
    func quantisedSeparate() throws {
        var shapes = SmallLayer.separate()
        for expert in 0..<2 {
            for part in ["gate", "up", "down"] {
                shapes["\(SmallLayer.mlp).experts.\(expert).\(part)_proj.weight_scale_inv"] = [
                    1, 1,
                ]
            }
        }
        let pool = try layout(SmallLayer.olmoe, shapes).pools[0]
        #expect(pool.kind == .tensors && pool.tensors.count == 6)
        #expect(pool.tensors[1].template.hasSuffix("gate_proj.weight_scale_inv"))
        #expect(pool.tensors[4].template.hasSuffix("down_proj.weight"))
    }

    // MARK: Stacked experts

    @Test("contradictions among stacked experts are named")
    func stackedFaults() throws {
        let cases: [(String, [Int]?)] = [
            ("gate_up_proj", [2, 4, 6]), ("gate_up_proj", [3, 6, 4]), ("gate_up_proj", [2, 6]),
            ("gate_up_proj", []), ("gate_up_proj", nil), ("down_proj", nil),
            ("down_proj", [2, 3, 4]),
        ]
        for (name, dimensions) in cases {
            var shapes = SmallLayer.stacked()
            shapes["\(SmallLayer.mlp).experts.\(name)"] = dimensions
            let text = try misfit(SmallLayer.olmoe, shapes)
            #expect(text.contains(name), "\(text)")
            #expect(try layout(SmallLayer.olmoe, shapes).pools.allSatisfy { $0.kind == .tensors })
        }
        let none = try misfit(#"{"model_type":"olmoe"}"#, SmallLayer.stacked(0))
        #expect(none.contains("has a router but no experts"))
    }

    @Test("gpt_oss needs its biases, or blocks and scales where it is quantised")
    func gptOSS() throws {
        let config = #"{"model_type":"gpt_oss","num_local_experts":2}"#
        let router = [
            "\(SmallLayer.mlp).router.weight": [2, 4], "\(SmallLayer.mlp).router.bias": [2],
        ]
        let experts = { (names: [String]) in
            router.merging(names.map { ("\(SmallLayer.mlp).experts.\($0)", [2, 8, 16]) }) {
                left, _ in
                left
            }
        }
        let plain = ["gate_up_proj", "gate_up_proj_bias", "down_proj", "down_proj_bias"]
        let quantised = [
            "gate_up_proj_bias", "gate_up_proj_blocks", "gate_up_proj_scales", "down_proj_bias",
            "down_proj_blocks", "down_proj_scales",
        ]
        for names in [plain, quantised] {
            let pool = try layout(config, experts(names)).pools[0]
            #expect(pool.kind == .tensors)
            #expect(pool.tensors.map(\.template) == names.map { "\(SmallLayer.mlp).experts.\($0)" })
            for name in names where name != "gate_up_proj_blocks" && name != "gate_up_proj_scales" {
                let text = try misfit(config, experts(names.filter { $0 != name }))
                #expect(text.contains("experts.\(name) is missing"))
            }
        }
    }
}
