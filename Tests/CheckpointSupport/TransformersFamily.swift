/// The sizes and names of a tiny model as transformers writes it.
///
/// Hidden size 64, three layers, four heads; other sizes are chosen so that a transposed or misordered tensor does
/// not fit.
package enum TransformersFamily: String, CaseIterable, Sendable {
    case olmoe
    case mixtral
    case qwen3MoE = "qwen3_moe"
    case deepseekV3 = "deepseek_v3"
    case gptOSS = "gpt_oss"
    case glm4MoELite = "glm4_moe_lite"
    case qwen2MoE = "qwen2_moe"
    case flexOlmo = "flex_olmo"
    case glm4MoE = "glm4_moe"
    case kimiK2 = "kimi_k2"
    case miniMaxM2 = "minimax_m2"
    case dots1
    case graniteMoE = "granitemoe"
    case phiMoE = "phimoe"
    case ernie45MoE = "ernie4_5_moe"
    case mistral4
    case deepseekV2 = "deepseek_v2"
    case qwen3Next = "qwen3_next"
    case qwen35MoE = "qwen3_5_moe"
    case gemma4

    static let hidden = 64
    static let layers = 3

    package var experts: Int { [.mixtral, .gptOSS, .phiMoE].contains(self) ? 8 : 16 }

    /// The width of an expert, where it is not the usual one.
    @TaskLocal static var givenWidth: Int?

    /// The width of an expert.
    var width: Int {
        if let width = Self.givenWidth { return width }
        return switch self {
        case .mixtral: 96
        case .deepseekV3, .glm4MoELite: 40
        default: 48
        }
    }

    /// Whether files have experts stacked.
    package var isStacked: Bool { [.gptOSS, .graniteMoE, .gemma4].contains(self) }

    /// Tensors of a router.
    package var routerTensors: Int {
        self == .gptOSS || self == .gemma4 || correction(fused: false) != nil ? 2 : 1
    }

    /// Layers before this one are dense.
    package var firstSparse: Int {
        switch self {
        case .qwen3MoE, .qwen2MoE, .glm4MoE, .dots1, .ernie45MoE, .qwen3Next: 1
        default: isLatent ? 1 : 0
        }
    }

    /// Whether keys and values are made from one vector.
    var isLatent: Bool {
        [.deepseekV3, .glm4MoELite, .kimiK2, .mistral4, .deepseekV2].contains(self)
    }

    /// Whether the head is the embedding.
    var isTied: Bool { self == .ernie45MoE || self == .gemma4 }

    /// Experts that every token uses.
    private var shared: Int {
        switch self {
        case .deepseekV3, .glm4MoELite, .glm4MoE, .kimiK2, .mistral4: 1
        case .dots1, .ernie45MoE, .deepseekV2: 2
        default: 0
        }
    }

    /// What steers picks, behind the block.
    private func correction(fused: Bool) -> (name: String, shape: [Int])? {
        switch self {
        case .deepseekV3, .glm4MoELite, .glm4MoE, .kimiK2, .dots1:
            ("gate.e_score_correction_bias", [experts])
        case .miniMaxM2: ("e_score_correction_bias", [experts])
        case .ernie45MoE:
            ((fused ? "gate." : "") + "moe_statics.e_score_correction_bias", [1, experts])
        default: nil
        }
    }

    /// All tensors.
    ///
    /// - Parameter fused: Stacked experts, as newer versions keep them in memory. The numbers are the same.
    func tensors(fused: Bool) -> [GeneratedTensor] {
        alone(fused: fused).map { tensor in
            guard tensor.name.hasPrefix("model.") else { return tensor }
            return GeneratedTensor(
                prefix + tensor.name.dropFirst("model.".count), tensor.shape, values: tensor.values)
        }
    }

    /// What names begin with but for the head's.
    package var prefix: String {
        self == .qwen35MoE || self == .gemma4 ? "model.language_model." : "model."
    }

    /// Whether norms multiply with 1 + weights.
    private var isAroundOne: Bool { self == .qwen3Next || self == .qwen35MoE }

    /// Whether a layer has the delta rule in the place of attention.
    private func hasDelta(_ layer: Int) -> Bool { isAroundOne && layer != 1 }

    /// All tensors, named as in a language model alone.
    private func alone(fused: Bool) -> [GeneratedTensor] {
        var tensors = [
            GeneratedTensor(
                "model.embed_tokens.weight", [256, Self.hidden],
                scale: self == .gemma4 ? 1.0 / 32 : isTied ? 0.5 : 1)
        ]
        tensors += norm("model.norm")
        if !isTied {
            tensors.append(GeneratedTensor("lm_head.weight", [256, Self.hidden], scale: 0.5))
        }
        if self == .phiMoE { tensors.append(GeneratedTensor("lm_head.bias", [256], scale: 0.5)) }
        for layer in 0..<Self.layers {
            let name = "model.layers.\(layer)"
            if self == .gemma4 {
                tensors += gemma(name, isFull: layer == Self.layers - 1)
                continue
            }
            let other = self == .flexOlmo ? "post_feedforward_layernorm" : "input_layernorm"
            tensors += norm("\(name).\(other)") + norm("\(name).post_attention_layernorm")
            tensors +=
                hasDelta(layer)
                ? delta(name + ".linear_attn")
                : isLatent ? latentAttention(name) : attention(name)
            tensors +=
                layer < firstSparse
                ? gated("\(name).mlp", 96) : sparse(name, fused: fused)
        }
        return tensors
    }

    /// A norm of hidden states.
    func norm(_ name: String) -> [GeneratedTensor] {
        let weight = norm(name, Self.hidden)
        guard self == .phiMoE else { return [weight] }
        return [weight, GeneratedTensor(name + ".bias", [Self.hidden], scale: 0.25)]
    }

    func norm(_ name: String, _ size: Int) -> GeneratedTensor {
        GeneratedTensor(name + ".weight", [size], scale: 0.25, around: isAroundOne ? 0 : 1)
    }

    /// Two heads of queries and keys of 16 elements, four of values of 8.
    private func delta(_ name: String) -> [GeneratedTensor] {
        let inputs =
            self == .qwen3Next
            ? [matrix(name + ".in_proj_qkvz", 128, 64), matrix(name + ".in_proj_ba", 8, 64)]
            : [
                matrix(name + ".in_proj_qkv", 96, 64), matrix(name + ".in_proj_z", 32, 64),
                matrix(name + ".in_proj_b", 4, 64), matrix(name + ".in_proj_a", 4, 64),
            ]
        return inputs + [
            GeneratedTensor(name + ".conv1d.weight", [96, 1, 4], scale: 0.5),
            GeneratedTensor(name + ".dt_bias", [4], scale: 1),
            GeneratedTensor(name + ".A_log", [4], scale: 2, around: -1),
            GeneratedTensor(name + ".norm.weight", [8], scale: 0.25, around: 1),
            matrix(name + ".out_proj", 64, 32),
        ]
    }

    func matrix(_ name: String, _ rows: Int, _ columns: Int) -> GeneratedTensor {
        GeneratedTensor(name + ".weight", [rows, columns], scale: columns > 40 ? 0.25 : 0.5)
    }

    private func attention(_ layer: String) -> [GeneratedTensor] {
        let name = layer + ".self_attn"
        var tensors = [
            matrix(name + ".q_proj", isAroundOne ? 128 : 64, 64), matrix(name + ".k_proj", 32, 64),
            matrix(name + ".v_proj", 32, 64), matrix(name + ".o_proj", 64, 64),
        ]
        switch self {
        case .olmoe, .flexOlmo, .miniMaxM2:
            tensors += [norm(name + ".q_norm", 64), norm(name + ".k_norm", 32)]
        case .qwen3MoE, .glm4MoE, .dots1, .qwen3Next, .qwen35MoE:
            tensors += [norm(name + ".q_norm", 16), norm(name + ".k_norm", 16)]
        default: break
        }
        if self == .gptOSS { tensors.append(GeneratedTensor(name + ".sinks", [4], scale: 1)) }
        let biased: [(String, Int)] =
            switch self {
            case .gptOSS, .phiMoE: [("q", 64), ("k", 32), ("v", 32), ("o", 64)]
            case .qwen2MoE, .glm4MoE: [("q", 64), ("k", 32), ("v", 32)]
            default: []
            }
        for (part, size) in biased {
            tensors.append(GeneratedTensor("\(name).\(part)_proj.bias", [size], scale: 0.25))
        }
        return tensors
    }

    private func latentAttention(_ layer: String) -> [GeneratedTensor] {
        let name = layer + ".self_attn"
        let queries =
            self == .deepseekV2
            ? [matrix(name + ".q_proj", 96, 64)]
            : [
                matrix(name + ".q_a_proj", 24, 64), norm(name + ".q_a_layernorm", 24),
                matrix(name + ".q_b_proj", 96, 24),
            ]
        return queries + [
            matrix(name + ".kv_a_proj_with_mqa", 24, 64),
            norm(name + ".kv_a_layernorm", 16), matrix(name + ".kv_b_proj", 128, 16),
            matrix(name + ".o_proj", 64, 64),
        ]
    }

    func gated(
        _ name: String, _ width: Int, _ parts: [String] = ["gate_proj", "up_proj", "down_proj"]
    ) -> [GeneratedTensor] {
        [
            matrix("\(name).\(parts[0])", width, 64), matrix("\(name).\(parts[1])", width, 64),
            matrix("\(name).\(parts[2])", 64, width),
        ]
    }

    private func sparse(_ layer: String, fused: Bool) -> [GeneratedTensor] {
        if self == .gptOSS { return stackedByColumns(layer + ".mlp") }
        if self == .graniteMoE { return stackedBeside(layer + ".block_sparse_moe", fused: fused) }
        let isMixtral = [.mixtral, .miniMaxM2, .phiMoE].contains(self)
        let separate = isMixtral ? layer + ".block_sparse_moe" : layer + ".mlp"
        let parts = isMixtral ? ["w1", "w3", "w2"] : ["gate_proj", "up_proj", "down_proj"]
        // A fused tensor has the numbers of the separate ones, so these are made first.
        let router = matrix(separate + ".gate", experts, 64)
        let pool = (0..<experts).map { gated("\(separate).experts.\($0)", width, parts) }
        var tensors: [GeneratedTensor] = []
        if fused {
            let name = layer + ".mlp"
            tensors = [
                GeneratedTensor(
                    name + (self == .phiMoE ? ".router.weight" : ".gate.weight"), router.shape,
                    values: router.values),
                GeneratedTensor(
                    name + ".experts.gate_up_proj", [experts, 2 * width, 64],
                    values: pool.flatMap { $0[0].values + $0[1].values }),
                GeneratedTensor(
                    name + ".experts.down_proj", [experts, 64, width],
                    values: pool.flatMap { $0[2].values }),
            ]
        } else {
            tensors = [router] + pool.joined()
        }
        let block = fused ? layer + ".mlp" : separate
        if let (name, shape) = correction(fused: false), let own = correction(fused: fused)?.name {
            // A share of a softmax is smaller than a sigmoid.
            let numbers = GeneratedTensor(
                "\(separate).\(name)", shape, scale: self == .ernie45MoE ? 1.0 / 16 : 0.125)
            tensors.append(GeneratedTensor("\(block).\(own)", shape, values: numbers.values))
        }
        if shared > 0 { tensors += gated(layer + ".mlp.shared_experts", shared * width) }
        if self == .qwen2MoE || isAroundOne {
            tensors.append(matrix(layer + ".mlp.shared_expert_gate", 1, 64))
            tensors += gated(layer + ".mlp.shared_expert", 56)
        }
        return tensors
    }

    /// Granite stacks its experts beside the router in its files, and as others do in memory.
    private func stackedBeside(_ name: String, fused: Bool) -> [GeneratedTensor] {
        let names =
            fused
            ? ["router.weight", "experts.gate_up_proj", "experts.down_proj"]
            : ["router.layer.weight", "input_linear.weight", "output_linear.weight"]
        let numbers = [
            matrix(name + ".router.layer", experts, 64),
            GeneratedTensor(
                name + ".input_linear.weight", [experts, 2 * width, 64], scale: 0.25),
            GeneratedTensor(
                name + ".output_linear.weight", [experts, 64, width], scale: 0.25),
        ]
        return zip(names, numbers).map {
            GeneratedTensor("\(name).\($0)", $1.shape, values: $1.values)
        }
    }

    /// GPT-OSS stacks its experts in both forms, input by output, gate and up by turns.
    private func stackedByColumns(_ name: String) -> [GeneratedTensor] {
        [
            matrix(name + ".router", experts, 64),
            GeneratedTensor(name + ".router.bias", [experts], scale: 0.25),
            GeneratedTensor(
                name + ".experts.gate_up_proj", [experts, 64, 2 * width], scale: 0.25),
            GeneratedTensor(
                name + ".experts.gate_up_proj_bias", [experts, 2 * width], scale: 0.25),
            GeneratedTensor(name + ".experts.down_proj", [experts, width, 64], scale: 0.25),
            GeneratedTensor(name + ".experts.down_proj_bias", [experts, 64], scale: 0.25),
        ]
    }
}
