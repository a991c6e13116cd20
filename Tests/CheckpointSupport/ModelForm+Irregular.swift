// The forms that have no pattern, or one in a part of the model only. What has none is stored tensor by tensor.

extension ModelForm {
    private static let block = "model.layers.0.mlp"
    private static let experts = separate(
        "model.layers.{l}.mlp.experts.{e}.", layers: [0], experts: 0..<8,
        ["w1.weight": "BF16 6 4", "w3.weight": "BF16 6 4", "w2.weight": "BF16 4 6"],
        beside: ["model.layers.{l}.mlp.gate.weight": "BF16 8 4"])

    private static func changed(_ change: (inout [String: String]) -> Void) -> [String: String] {
        var tensors = experts
        change(&tensors)
        return tensors
    }

    package static let irregular = [
        ModelForm("no experts", [:], probes: [("lm_head.weight", 0, nil)]),
        ModelForm("a router and nothing behind it", ["\(block).gate.weight": "BF16 8 4"]),
        ModelForm(
            "experts of two sizes in a layer (ERNIE-4.5-VL)",
            changed { tensors in
                for expert in 8..<16 {
                    tensors["\(block).experts.\(expert).w1.weight"] = "BF16 3 4"
                }
                for expert in 8..<16 {
                    tensors["\(block).experts.\(expert).w3.weight"] = "BF16 3 4"
                }
                for expert in 8..<16 {
                    tensors["\(block).experts.\(expert).w2.weight"] = "BF16 4 3"
                }
            }, probes: [("\(block).experts.9.w2.weight", 0, nil)]),
        ModelForm(
            "one expert of another shape",
            changed { $0["\(block).experts.3.w2.weight"] = "BF16 4 5" },
            probes: [("\(block).experts.3.w2.weight", 0, nil)]),
        ModelForm(
            "one expert of another dtype",
            changed { $0["\(block).experts.3.w2.weight"] = "F16 4 6" }),
        ModelForm(
            "one expert without a part", changed { $0["\(block).experts.3.w2.weight"] = nil }),
        ModelForm(
            "parts of different experts",
            changed { tensors in
                for expert in 0..<8 {
                    tensors["\(block).experts.\(expert).w2.weight"] = nil
                    tensors["\(block).experts.\(expert + 8).w2.weight"] = "BF16 4 6"
                }
            }),
        ModelForm(
            "some experts quantised",
            changed { tensors in
                for expert in 0..<4 {
                    tensors["\(block).experts.\(expert).w2.weight"] = "F8_E4M3 4 6"
                    tensors["\(block).experts.\(expert).w2.weight_scale"] = "F32"
                }
            }),
        ModelForm(
            "a stack without a router",
            [
                "\(block).experts.gate_up_proj": "BF16 8 12 4",
                "\(block).experts.down_proj": "BF16 8 4 6",
            ],
            probes: [("\(block).experts.down_proj", 100, nil)]),
        ModelForm(
            "a stack beside a router of other rows",
            [
                "\(block).experts.gate_up_proj": "BF16 4 12 4",
                "\(block).experts.down_proj": "BF16 4 4 6", "\(block).gate.weight": "BF16 8 4",
            ]),
        ModelForm(
            "a stack beside a transposed router",
            [
                "\(block).experts.gate_up_proj": "BF16 8 12 4",
                "\(block).experts.down_proj": "BF16 8 4 6", "\(block).gate.weight": "BF16 4 8",
            ]),
        ModelForm(
            "a stack beside two routers",
            [
                "\(block).experts.gate_up_proj": "BF16 8 12 4",
                "\(block).experts.down_proj": "BF16 8 4 6", "\(block).gate.weight": "BF16 8 4",
                "\(block).router.weight": "BF16 6 4",
            ]),
        ModelForm(
            "DBRX: experts flattened into the rows",
            [
                "transformer.blocks.0.ffn.experts.mlp.w1": "BF16 48 4",
                "transformer.blocks.0.ffn.experts.mlp.v1": "BF16 48 4",
                "transformer.blocks.0.ffn.experts.mlp.w2": "BF16 48 4",
                "transformer.blocks.0.ffn.router.layer.weight": "BF16 8 4",
            ], probes: [("transformer.blocks.0.ffn.experts.mlp.w1", 200, nil)]),
        ModelForm(
            "one tensor of three dimensions with as many rows as a gate",
            [
                "\(block).gate.weight": "BF16 8 4", "\(block).conv.weight": "BF16 8 1 4",
            ]),
        ModelForm(
            "experts without bytes",
            ["\(block).experts.0.a": "F32 0", "\(block).experts.1.a": "F32 0"]),
        ModelForm(
            "half a byte for an expert",
            [
                "\(block).experts.a": "F4 8 3", "\(block).experts.b": "F4 8 3 1",
                "\(block).gate.weight": "BF16 8 4",
            ]),
        ModelForm(
            "more parts than an object has",
            (0..<300).reduce(into: [:]) { $0["experts.0.\($1).weight"] = "U8 2" }),
        ModelForm(
            "numbers that a program would not write",
            [
                "\(block).experts.007.w": "U8 2", "\(block).experts.-1.w": "U8 2",
                "\(block).experts.+1.w": "U8 2", "\(block).experts.99999999999999999999.w": "U8 2",
                "\(block).experts.1e3.w": "U8 2", "\(block).experts..w": "U8 2", "experts.": "U8 2",
                ".experts.": "U8 2", "\(block).experts.0x1.w": "U8 2",
                "\(block).experts.１.w": "U8 2",
            ]),
        ModelForm(
            "a gap that nobody would allot",
            ["\(block).experts.0.w": "U8 2", "\(block).experts.999999999.w": "U8 2"]),
        ModelForm(
            "a placeholder in a name",
            [
                "{e}.experts.0.w": "U8 2", "{e}.experts.1.w": "U8 2", "experts.0.{e}": "U8 2",
                "experts.1.{e}": "U8 2", "é.experts.0.w": "U8 2",
            ]),
        ModelForm(
            "a layer beyond any",
            ["layers.0.mlp.shared_experts.0.w": "U8 2", "layers.0.mlp.shared_experts.1.w": "U8 2"]),
    ]

    /// A regular part beside an irregular one.
    package static let mixed = [
        ModelForm(
            "strays among regular experts",
            changed {
                $0["\(block).experts.007.w1.weight"] = "BF16 6 4"
                $0["\(block).experts.99999999999999999999.w1.weight"] = "BF16 6 4"
                $0["\(block).experts.-1.w1.weight"] = "BF16 6 4"
                $0["\(block).experts.{e}.w1.weight"] = "BF16 6 4"
                $0["\(block).shared_experts.w1.weight"] = "BF16 8 4"
                $0["\(block).experts.stack"] = "BF16 8 2 2"
            }, pools: ["0": ("swiglu", Array(0..<8))],
            patterns: ["model.layers.{n}.mlp.experts.{e}.*"],
            probes: [
                ("\(block).experts.7.w1.weight", 0, "0/7"),
                ("\(block).experts.007.w1.weight", 0, nil),
            ]),
        ModelForm(
            "one layer of three without a pattern",
            experts.merging(
                separate(
                    "model.layers.{l}.mlp.experts.{e}.", layers: [1, 2], experts: 0..<4,
                    ["w1.weight": "BF16 6 4"])
            ) { $1 }.merging(["model.layers.1.mlp.experts.2.w1.weight": "BF16 6 5"]) { $1 },
            pools: ["0": ("swiglu", Array(0..<8)), "2": ("tensors", Array(0..<4))],
            patterns: ["model.layers.{n}.mlp.experts.{e}.*"],
            probes: [
                ("model.layers.1.mlp.experts.2.w1.weight", 0, nil),
                ("model.layers.2.mlp.experts.2.w1.weight", 0, "2/2"),
            ]),
    ]
}
