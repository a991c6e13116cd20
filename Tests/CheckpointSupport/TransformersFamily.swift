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

    static let hidden = 64
    static let layers = 3

    var experts: Int { self == .mixtral || self == .gptOSS ? 8 : 16 }

    /// The width of an expert.
    var width: Int {
        switch self {
        case .mixtral: 96
        case .deepseekV3, .glm4MoELite: 40
        default: 48
        }
    }

    /// Layers before this one are dense.
    var firstSparse: Int { self == .qwen3MoE || self == .qwen2MoE || isLatent ? 1 : 0 }

    /// Whether keys and values are made from one vector, and experts picked as DeepSeek-V3 does it.
    var isLatent: Bool { self == .deepseekV3 || self == .glm4MoELite }

    /// All tensors.
    ///
    /// - Parameter fused: Stacked experts, as newer versions keep them in memory. The numbers are the same.
    func tensors(fused: Bool) -> [GeneratedTensor] {
        var tensors = [
            GeneratedTensor("lm_head.weight", [256, Self.hidden], scale: 0.5),
            GeneratedTensor("model.embed_tokens.weight", [256, Self.hidden], scale: 1),
            norm("model.norm", Self.hidden),
        ]
        for layer in 0..<Self.layers {
            let name = "model.layers.\(layer)"
            let other = self == .flexOlmo ? "post_feedforward_layernorm" : "input_layernorm"
            tensors.append(norm("\(name).\(other)", Self.hidden))
            tensors.append(norm("\(name).post_attention_layernorm", Self.hidden))
            tensors += isLatent ? latentAttention(name) : attention(name)
            tensors +=
                layer < firstSparse
                ? gated("\(name).mlp", 96) : sparse(name, fused: fused)
        }
        return tensors
    }

    private func norm(_ name: String, _ size: Int) -> GeneratedTensor {
        GeneratedTensor(name + ".weight", [size], scale: 0.25, around: 1)
    }

    private func matrix(_ name: String, _ rows: Int, _ columns: Int) -> GeneratedTensor {
        GeneratedTensor(name + ".weight", [rows, columns], scale: columns > 40 ? 0.25 : 0.5)
    }

    private func attention(_ layer: String) -> [GeneratedTensor] {
        let name = layer + ".self_attn"
        var tensors = [
            matrix(name + ".q_proj", 64, 64), matrix(name + ".k_proj", 32, 64),
            matrix(name + ".v_proj", 32, 64), matrix(name + ".o_proj", 64, 64),
        ]
        switch self {
        case .olmoe, .flexOlmo: tensors += [norm(name + ".q_norm", 64), norm(name + ".k_norm", 32)]
        case .qwen3MoE: tensors += [norm(name + ".q_norm", 16), norm(name + ".k_norm", 16)]
        case .gptOSS:
            for (part, size) in [("q_proj", 64), ("k_proj", 32), ("v_proj", 32), ("o_proj", 64)] {
                tensors.append(GeneratedTensor("\(name).\(part).bias", [size], scale: 0.25))
            }
            tensors.append(GeneratedTensor(name + ".sinks", [4], scale: 1))
        case .qwen2MoE:
            for (part, size) in [("q_proj", 64), ("k_proj", 32), ("v_proj", 32)] {
                tensors.append(GeneratedTensor("\(name).\(part).bias", [size], scale: 0.25))
            }
        case .mixtral, .deepseekV3, .glm4MoELite: break
        }
        return tensors
    }

    private func latentAttention(_ layer: String) -> [GeneratedTensor] {
        let name = layer + ".self_attn"
        return [
            matrix(name + ".q_a_proj", 24, 64), norm(name + ".q_a_layernorm", 24),
            matrix(name + ".q_b_proj", 96, 24), matrix(name + ".kv_a_proj_with_mqa", 24, 64),
            norm(name + ".kv_a_layernorm", 16), matrix(name + ".kv_b_proj", 128, 16),
            matrix(name + ".o_proj", 64, 64),
        ]
    }

    private func gated(
        _ name: String, _ width: Int, _ parts: [String] = ["gate_proj", "up_proj", "down_proj"]
    ) -> [GeneratedTensor] {
        [
            matrix("\(name).\(parts[0])", width, 64), matrix("\(name).\(parts[1])", width, 64),
            matrix("\(name).\(parts[2])", 64, width),
        ]
    }

    private func sparse(_ layer: String, fused: Bool) -> [GeneratedTensor] {
        if self == .gptOSS { return stackedByColumns(layer + ".mlp") }
        let separate = self == .mixtral ? layer + ".block_sparse_moe" : layer + ".mlp"
        let parts = self == .mixtral ? ["w1", "w3", "w2"] : ["gate_proj", "up_proj", "down_proj"]
        // A fused tensor has the numbers of the separate ones, so these are made first.
        let router = matrix(separate + ".gate", experts, 64)
        let pool = (0..<experts).map { gated("\(separate).experts.\($0)", width, parts) }
        var tensors: [GeneratedTensor] = []
        if fused {
            let name = layer + ".mlp"
            tensors = [
                GeneratedTensor(name + ".gate.weight", router.shape, values: router.values),
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
        if isLatent {
            tensors.append(
                GeneratedTensor(
                    layer + ".mlp.gate.e_score_correction_bias", [experts], scale: 0.125))
            tensors += gated(layer + ".mlp.shared_experts", width)
        }
        if self == .qwen2MoE {
            tensors.append(matrix(layer + ".mlp.shared_expert_gate", 1, 64))
            tensors += gated(layer + ".mlp.shared_expert", 56)
        }
        return tensors
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
