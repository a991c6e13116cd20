// The forms whose experts are told apart by pattern. Eight experts of H = 4, I = 6, unless it is said otherwise.

extension ModelForm {
    private static let projections = [
        "{e}.gate_proj.weight": "BF16 6 4", "{e}.up_proj.weight": "BF16 6 4",
        "{e}.down_proj.weight": "BF16 4 6",
    ]
    private static let numbered = [
        "{e}.w1.weight": "BF16 6 4", "{e}.w3.weight": "BF16 6 4", "{e}.w2.weight": "BF16 4 6",
    ]

    package static let regular = separate + quantised + stacked + partial + several

    /// A model of separate experts, all of whose layers are alike.
    private static func form(
        _ name: String, _ block: String, in container: String = "experts.", layers: [Int] = [0, 1],
        _ parts: [String: String], router: [String: String] = ["gate.weight": "BF16 8 4"],
        kind: String = "swiglu", pattern: String? = nil
    ) -> ModelForm {
        var beside: [String: String] = [:]
        for (tensor, shape) in router { beside[block + tensor] = shape }
        let first = parts.keys.sorted()[0].replacing("{e}", with: "5")
        let tensor = (block + container + first).replacing("{l}", with: "\(layers[0])")
        return ModelForm(
            name,
            separate(
                block + container, layers: layers, experts: 0..<8, parts, beside: beside),
            pools: Dictionary(uniqueKeysWithValues: layers.map { ("\($0)", (kind, Array(0..<8))) }),
            patterns: [
                pattern ?? block.replacing("{l}", with: "{n}") + container + "{e}.*"
            ], probes: [(tensor, 1, "\(layers[0])/5")])
    }

    private static let prefixes = [
        "", "module.", "_orig_mod.", "base_model.model.", "language_model.",
        "model.language_model.",
    ].map { prefix in
        let list = prefix.hasPrefix("model.") ? "layers" : "model.layers"
        return form("separate behind '\(prefix)'", "\(prefix)\(list).{l}.mlp.", projections)
    }

    private static let separate =
        prefixes + [
            form("MiniMax, Phi-MoE, Arctic", "model.layers.{l}.block_sparse_moe.", numbered),
            form(
                "Jamba: layers without experts", "model.layers.{l}.feed_forward.",
                layers: [1, 3, 5],
                projections, router: ["router.weight": "BF16 8 4"]),
            form(
                "compiled layer by layer", "model.layers.{l}._orig_mod.mlp.",
                [
                    "{e}._orig_mod.gate_proj.weight": "BF16 6 4",
                    "{e}._orig_mod.up_proj.weight": "BF16 6 4",
                    "{e}._orig_mod.down_proj.weight": "BF16 4 6",
                ]),
            form(
                "Megatron", "decoder.layers.{l}.mlp.", in: "experts.local_experts.",
                ["{e}.linear_fc1.weight": "BF16 12 4", "{e}.linear_fc2.weight": "BF16 4 6"],
                router: ["router.weight": "F32 8 4", "router.expert_bias": "F32 8"]),
            form(
                "Megatron, grouped", "decoder.layers.{l}.mlp.",
                ["linear_fc1.weight{e}": "BF16 12 4", "linear_fc2.weight{e}": "BF16 4 6"],
                router: ["router.weight": "BF16 8 4"],
                pattern: "decoder.layers.{n}.mlp.experts.linear_fc1.weight{e}"),
            form(
                "DeepSpeed", "transformer.layers.{l}.mlp.deepspeed_moe.",
                in: "experts.deepspeed_experts.",
                [
                    "{e}.dense_h_to_4h.weight": "F16 6 4", "{e}.dense_h_to_4h.bias": "F16 6",
                    "{e}.dense_4h_to_h.weight": "F16 4 6", "{e}.dense_4h_to_h.bias": "F16 4",
                ], router: ["gate.wg.weight": "F32 8 4"], kind: "tensors"),
            form(
                "Hunyuan", "model.layers.{l}.mlp.", projections,
                router: ["gate.wg.weight": "F32 8 4"]),
            form(
                "Grok-1", "model.layers.{l}.moe_block.",
                [
                    "{e}.linear.weight": "BF16 6 4", "{e}.linear_1.weight": "BF16 4 6",
                    "{e}.linear_v.weight": "BF16 6 4",
                ], kind: "tensors"),
            form(
                "Nemotron-H: up and down", "backbone.layers.{l}.mixer.", layers: [1, 4],
                ["{e}.up_proj.weight": "BF16 6 4", "{e}.down_proj.weight": "BF16 4 6"],
                router: ["gate.weight": "F32 8 4", "gate.e_score_correction_bias": "F32 8"],
                kind: "tensors"),
            form(
                "a matrix of another dtype", "model.layers.{l}.mlp.",
                projections.merging(["{e}.down_proj.weight": "F16 4 6"]) { $1 }),
            form(
                "adapters of peft", "base_model.model.model.layers.{l}.mlp.",
                [
                    "{e}.gate_proj.lora_A.weight": "BF16 2 4",
                    "{e}.gate_proj.lora_B.weight": "BF16 6 2",
                ], router: [:], kind: "tensors"),
            form(
                "unsloth's GPT-OSS", "model.layers.{l}.mlp.",
                [
                    "gate_up_projs.{e}.weight": "BF16 12 4", "gate_up_projs.{e}.bias": "BF16 12",
                    "down_projs.{e}.weight": "BF16 4 6", "down_projs.{e}.bias": "BF16 4",
                ], router: ["router.weight": "BF16 8 4", "router.bias": "BF16 8"], kind: "tensors",
                pattern: "model.layers.{n}.mlp.experts.gate_up_projs.{e}.*"),
            ModelForm(
                "a list of experts and nothing else",
                separate(
                    "experts.{e}.", layers: [0], experts: 0..<3,
                    ["fc1.weight": "F32 6 4", "fc2.weight": "F32 4 6"]),
                pools: ["0": ("tensors", Array(0..<3))], patterns: ["experts.{e}.*"],
                probes: [("experts.2.fc2.weight", 95, "0/2"), ("lm_head.weight", 3, nil)]),
        ]

    private static let quantised =
        [
            (
                "FP8 in blocks (DeepSeek)", "F8_E4M3",
                ["weight_scale_inv": "F32 1 1"], "weight"
            ),
            (
                "INT4 of compressed-tensors (Kimi-K2)", "I32",
                ["weight_scale": "BF16 6 1", "weight_shape": "I64 2"], "weight_packed"
            ),
            (
                "NVFP4", "U8",
                [
                    "weight_scale": "F8_E4M3 6 1", "weight_scale_2": "F32", "input_scale": "F32",
                ], "weight"
            ),
            (
                "AWQ, GPTQ", "I32",
                ["qzeros": "I32 1 1", "scales": "F16 1 6", "g_idx": "I32 4"], "qweight"
            ),
        ].map { name, type, scales, weight in
            var parts: [String: String] = [:]
            for projection in ["gate_proj", "up_proj", "down_proj"] {
                parts["{e}.\(projection).\(weight)"] = "\(type) 6 4"
                for (scale, shape) in scales { parts["{e}.\(projection).\(scale)"] = shape }
            }
            return form(name, "language_model.model.layers.{l}.mlp.", parts, kind: "tensors")
        } + [
            form(
                "MXFP4 of DeepSeek-V4", "layers.{l}.ffn.",
                [
                    "{e}.w1.weight": "I8 6 2", "{e}.w1.scale": "F8_E8M0 6 1",
                    "{e}.w2.weight": "I8 4 3", "{e}.w2.scale": "F8_E8M0 4 1",
                    "{e}.w3.weight": "I8 6 2", "{e}.w3.scale": "F8_E8M0 6 1",
                ], router: ["gate.weight": "BF16 8 4", "gate.bias": "F32 8"], kind: "tensors"),
            stack(
                "MXFP4 of GPT-OSS", "model.layers.{l}.mlp.",
                [
                    "experts.gate_up_proj_blocks": "U8 8 12 1 4",
                    "experts.gate_up_proj_scales": "U8 8 12 1",
                    "experts.gate_up_proj_bias": "BF16 8 12",
                    "experts.down_proj_blocks": "U8 8 4 1 3",
                    "experts.down_proj_scales": "U8 8 4 1",
                    "experts.down_proj_bias": "BF16 8 4",
                ], router: ["router.weight": "BF16 8 4", "router.bias": "BF16 8"], kind: "tensors",
                main: "experts.gate_up_proj_blocks", row: 48),
            stack(
                "MLX, quantised", "model.layers.{l}.mlp.",
                [
                    "switch_mlp.gate_proj.weight": "U32 8 6 2",
                    "switch_mlp.gate_proj.scales": "BF16 8 6 1",
                    "switch_mlp.gate_proj.biases": "BF16 8 6 1",
                    "switch_mlp.down_proj.weight": "U32 8 4 2",
                    "switch_mlp.down_proj.scales": "BF16 8 4 1",
                    "switch_mlp.down_proj.biases": "BF16 8 4 1",
                ],
                router: [
                    "gate.weight": "U32 8 1", "gate.scales": "BF16 8 1", "gate.biases": "BF16 8 1",
                ], kind: "tensors", main: "switch_mlp.gate_proj.weight", row: 48),
        ]

    /// A model of stacked experts, its layers 0 and 1 alike.
    private static func stack(
        _ name: String, _ block: String, _ parts: [String: String],
        router: [String: String] = ["gate.weight": "BF16 8 4"], kind: String = "swiglu",
        main: String, row: Int
    ) -> ModelForm {
        ModelForm(
            name, layers([0, 1], block, parts.merging(router) { $1 }),
            pools: ["0": (kind, Array(0..<8)), "1": (kind, Array(0..<8))],
            patterns: [block.replacing("{l}", with: "{n}") + main + " [{e}, …]"],
            probes: [
                (block.replacing("{l}", with: "1") + main, 5 * row, "1/5"),
                (block.replacing("{l}", with: "1") + main, 6 * row - 1, "1/5"),
                (block.replacing("{l}", with: "0") + main, 0, "0/0"),
            ])
    }

    private static let stacked = [
        stack(
            "Qwen3.5, Qwen3-Next in memory", "model.language_model.layers.{l}.mlp.",
            ["experts.gate_up_proj": "BF16 8 12 4", "experts.down_proj": "BF16 8 4 6"],
            main: "experts.gate_up_proj", row: 96),
        stack(
            "Llama-4, Qwen3-VL: transposed", "model.layers.{l}.feed_forward.",
            ["experts.gate_up_proj": "BF16 8 4 12", "experts.down_proj": "BF16 8 6 4"],
            router: ["router.weight": "BF16 8 4"], kind: "tensors", main: "experts.gate_up_proj",
            row: 96),
        stack(
            "Gemma 4: the router in the layer", "model.layers.{l}.",
            [
                "experts.gate_up_proj": "BF16 8 12 4", "experts.down_proj": "BF16 8 4 6",
                "self_attn.q_proj.weight": "BF16 8 4", "conv.weight": "BF16 8 1 3",
            ],
            router: [
                "router.proj.weight": "BF16 8 4", "router.scale": "BF16 4",
                "router.per_expert_scale": "BF16 8",
            ], main: "experts.gate_up_proj", row: 96),
        stack(
            "Granite: no container", "model.layers.{l}.block_sparse_moe.",
            ["input_linear.weight": "BF16 8 12 4", "output_linear.weight": "BF16 8 4 6"],
            router: ["router.layer.weight": "BF16 8 4"], main: "input_linear.weight", row: 96),
        stack(
            "a bias beside each matrix, no container", "model.layers.{l}.moe.",
            [
                "fc1.weight": "BF16 8 6 4", "fc1.bias": "BF16 8 6", "fc2.weight": "BF16 8 4 6",
                "fc2.bias": "BF16 8 4",
            ], kind: "tensors", main: "fc1.weight", row: 48),
        stack(
            "GPT-OSS as OpenAI writes it", "block.{l}.mlp.",
            [
                "mlp1_weight.blocks": "U8 8 12 1 4", "mlp1_weight.scales": "U8 8 12 1",
                "mlp1_bias": "BF16 8 12", "mlp2_weight.blocks": "U8 8 4 1 3",
                "mlp2_weight.scales": "U8 8 4 1", "mlp2_bias": "BF16 8 4",
            ], router: ["gate.weight": "BF16 8 4", "gate.bias": "BF16 8"], kind: "tensors",
            main: "mlp1_weight.blocks", row: 48),
        stack(
            "Step-3", "model.layers.{l}.moe.",
            [
                "gate_proj.weight": "BF16 8 6 4", "up_proj.weight": "BF16 8 6 4",
                "down_proj.weight": "BF16 8 4 6",
            ], main: "gate_proj.weight", row: 48),
        stack(
            "MLX", "model.layers.{l}.mlp.",
            [
                "switch_mlp.gate_proj.weight": "BF16 8 6 4",
                "switch_mlp.up_proj.weight": "BF16 8 6 4",
                "switch_mlp.down_proj.weight": "BF16 8 4 6",
            ], main: "switch_mlp.gate_proj.weight", row: 48),
        stack(
            "an expert of numbered matrices", "model.layers.{l}.mlp.",
            ["experts.net.0.weight": "BF16 8 6 4", "experts.net.2.weight": "BF16 8 4 6"],
            kind: "tensors", main: "experts.net.0.weight", row: 48),
    ]

    private static let partial = [
        ModelForm(
            "one rank of expert parallelism",
            separate(
                "model.layers.{l}.mlp.experts.", layers: [0, 1], experts: 32..<64, projections,
                beside: ["model.layers.{l}.mlp.gate.weight": "BF16 64 4"]),
            pools: ["0": ("swiglu", Array(32..<64)), "1": ("swiglu", Array(32..<64))],
            patterns: ["model.layers.{n}.mlp.experts.{e}.*"],
            probes: [("model.layers.1.mlp.experts.40.up_proj.weight", 0, "1/40")]),
        ModelForm(
            "a late rank of many, without a router",
            separate("layers.{l}.ffn.experts.", layers: [3], experts: 252..<256, numbered),
            pools: ["3": ("swiglu", Array(252..<256))], patterns: ["layers.{n}.ffn.experts.{e}.*"],
            probes: [("layers.3.ffn.experts.252.w1.weight", 7, "3/252")]),
        ModelForm(
            "pruned layers",
            separate(
                "model.layers.{l}.mlp.experts.", layers: [0], experts: 0..<8, projections,
                beside: ["model.layers.{l}.mlp.gate.weight": "BF16 8 4"]
            ).merging(
                separate(
                    "model.layers.{l}.mlp.experts.", layers: [1], experts: 0..<5, projections,
                    beside: ["model.layers.{l}.mlp.gate.weight": "BF16 5 4"])
            ) { $1 }.merging(
                separate(
                    "model.layers.{l}.mlp.experts.", layers: [2], experts: [0, 3, 7], projections,
                    beside: ["model.layers.{l}.mlp.gate.weight": "BF16 8 4"])
            ) { $1 },
            pools: [
                "0": ("swiglu", Array(0..<8)), "1": ("swiglu", Array(0..<5)),
                "2": ("swiglu", [0, 3, 7]),
            ], patterns: ["model.layers.{n}.mlp.experts.{e}.*"],
            probes: [
                ("model.layers.2.mlp.experts.3.down_proj.weight", 3, "2/3"),
                ("model.layers.1.mlp.experts.4.down_proj.weight", 3, "1/4"),
            ]),
        ModelForm(
            "tables of bitsandbytes that differ in length",
            (0..<4).reduce(
                into: separate(
                    "model.layers.{l}.mlp.experts.", layers: [0], experts: 0..<4,
                    ["{e}.up_proj.weight": "U8 4096 1", "{e}.down_proj.weight": "U8 4096 1"])
            ) {
                $0[
                    "model.layers.0.mlp.experts.\($1).up_proj.weight.quant_state.bitsandbytes__nf4"] =
                    "U8 \(20 + $1)"
            },
            pools: ["0": ("tensors", Array(0..<4))],
            patterns: ["model.layers.{n}.mlp.experts.{e}.*"],
            probes: [
                ("model.layers.0.mlp.experts.1.up_proj.weight", 9, "0/1"),
                (
                    "model.layers.0.mlp.experts.1.up_proj.weight.quant_state.bitsandbytes__nf4", 0,
                    nil
                ),
            ]),
    ]

    private static let several = [
        ModelForm(
            "Qwen3-Next: layers that predict further tokens",
            separate(
                "model.layers.{l}.mlp.experts.", layers: [0, 1], experts: 0..<4, projections,
                beside: ["model.layers.{l}.mlp.gate.weight": "BF16 4 4"]
            ).merging(
                separate(
                    "mtp.layers.{l}.mlp.experts.", layers: [0], experts: 0..<4, projections,
                    beside: ["mtp.layers.{l}.mlp.gate.weight": "BF16 4 4"])
            ) { $1 },
            pools: [
                "0": ("swiglu", Array(0..<4)), "1": ("swiglu", Array(0..<4)),
                "0/mtp": ("swiglu", Array(0..<4)),
            ],
            patterns: ["model.layers.{n}.mlp.experts.{e}.*", "mtp.layers.{n}.mlp.experts.{e}.*"],
            probes: [
                ("mtp.layers.0.mlp.experts.2.up_proj.weight", 0, "0/mtp/2"),
                ("model.layers.0.mlp.experts.2.up_proj.weight", 0, "0/2"),
            ]),
        ModelForm(
            "NLLB-MoE, Switch: encoder and decoder",
            ["encoder", "decoder"].reduce(into: [:]) { tensors, half in
                tensors.merge(
                    separate(
                        "\(half).block.{l}.layer.\(half == "encoder" ? 1 : 2).mlp.experts.expert_{e}.",
                        layers: [1, 3], experts: 0..<4,
                        ["wi.weight": "F32 6 4", "wo.weight": "F32 4 6"],
                        beside: [
                            "\(half).block.{l}.layer.\(half == "encoder" ? 1 : 2).mlp.router.classifier.weight":
                                "F32 4 4"
                        ])
                ) { $1 }
            },
            pools: [
                "1": ("tensors", Array(0..<4)), "1/encoder": ("tensors", Array(0..<4)),
                "3": ("tensors", Array(0..<4)),
                "3/encoder": ("tensors", Array(0..<4)),
            ],
            patterns: [
                "decoder.block.{n}.layer.2.mlp.experts.expert_{e}.*",
                "encoder.block.{n}.layer.1.mlp.experts.expert_{e}.*",
            ],
            probes: [
                ("encoder.block.3.layer.1.mlp.experts.expert_1.wo.weight", 95, "3/encoder/1")
            ]),
        ModelForm(
            "JetMoE: experts of attention and of the MLP",
            layers(
                [0, 1], "model.layers.{l}.",
                [
                    "mlp.input_linear.weight": "F32 8 12 4",
                    "mlp.output_linear.weight": "F32 8 4 6",
                    "mlp.router.layer.weight": "F32 8 4",
                    "self_attention.experts.input_linear.weight": "F32 8 3 4",
                    "self_attention.experts.output_linear.weight": "F32 8 4 3",
                    "self_attention.experts.router.layer.weight": "F32 8 4",
                ]),
            pools: [
                "0": ("swiglu", Array(0..<8)), "1": ("swiglu", Array(0..<8)),
                "0/self_attention.experts": ("tensors", Array(0..<8)),
                "1/self_attention.experts": ("tensors", Array(0..<8)),
            ],
            patterns: [
                "model.layers.{n}.mlp.input_linear.weight [{e}, …]",
                "model.layers.{n}.self_attention.experts.input_linear.weight [{e}, …]",
            ],
            probes: [
                (
                    "model.layers.1.self_attention.experts.output_linear.weight", 100,
                    "1/self_attention.experts/2"
                )
            ]),
    ]
}
