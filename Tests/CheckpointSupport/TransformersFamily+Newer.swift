import Foundation

extension TransformersFamily {
    /// What the configs of the families of 2025 and 2026 add or say otherwise.
    var newer: [String: Any] {
        switch self {
        case .glm4MoE:
            [
                "head_dim": 16, "intermediate_size": 96, "moe_intermediate_size": width,
                "n_routed_experts": experts, "n_shared_experts": 1, "n_group": 1,
                "topk_group": 1, "first_k_dense_replace": 1, "norm_topk_prob": true,
                "routed_scaling_factor": 2.5, "use_qk_norm": true, "partial_rotary_factor": 0.5,
                "num_nextn_predict_layers": 0,
            ]
        case .kimiK2:
            [
                "intermediate_size": 96, "moe_intermediate_size": width,
                "n_routed_experts": experts, "n_shared_experts": 1, "n_group": 1,
                "topk_group": 1, "first_k_dense_replace": 1, "norm_topk_prob": true,
                "routed_scaling_factor": 2.5, "kv_lora_rank": 16, "q_lora_rank": 24,
                "qk_nope_head_dim": 16, "qk_rope_head_dim": 8, "v_head_dim": 16,
                "rope_interleave": true, "num_nextn_predict_layers": 0,
                "scoring_func": "sigmoid", "topk_method": "noaux_tc",
                "rope_parameters": yarn(factor: 32, original: 64, 1, 1).merging(
                    ["beta_fast": 1.0]) { $1 },
            ]
        case .miniMaxM2:
            [
                "head_dim": 16, "intermediate_size": width, "num_local_experts": experts,
                "rotary_dim": 8, "scoring_func": "sigmoid", "use_qk_norm": true,
                "use_routing_bias": true, "qk_norm_type": "per_layer",
                "shared_intermediate_size": 0, "attn_type_list": [1, 1, 1],
            ]
        case .dots1:
            [
                "head_dim": 16, "intermediate_size": 96, "moe_intermediate_size": width,
                "n_routed_experts": experts, "n_shared_experts": 2, "n_group": 1,
                "topk_group": 1, "first_k_dense_replace": 1, "norm_topk_prob": true,
                "routed_scaling_factor": 2.5, "sliding_window": 16, "max_window_layers": 2,
                "scoring_func": "noaux_tc",
            ]
        case .graniteMoE:
            [
                "intermediate_size": width, "num_local_experts": experts,
                "embedding_multiplier": 12.0, "attention_multiplier": 0.125,
                "residual_multiplier": 0.25, "logits_scaling": 6.0,
            ]
        case .phiMoE:
            [
                "intermediate_size": width, "num_local_experts": experts,
                "lm_head_bias": true, "router_jitter_noise": 0.05,
                "sliding_window": 16,
            ]
        case .ernie45MoE:
            [
                "intermediate_size": 96, "moe_intermediate_size": width,
                "moe_num_experts": experts, "moe_k": 4, "moe_num_shared_experts": 2,
                "moe_layer_start_index": 1, "moe_layer_end_index": 2, "moe_layer_interval": 1,
                "moe_norm_min": 1e-12, "use_bias": false,
                "rope_parameters": ["rope_type": "default", "rope_theta": 500_000.0],
            ]
        case .mistral4:
            [
                "intermediate_size": 96, "moe_intermediate_size": width,
                "n_routed_experts": experts, "n_shared_experts": 1, "n_group": 4,
                "topk_group": 2, "first_k_dense_replace": 1, "norm_topk_prob": true,
                "routed_scaling_factor": 1.25, "kv_lora_rank": 16, "q_lora_rank": 24,
                "qk_nope_head_dim": 16, "qk_rope_head_dim": 8, "v_head_dim": 16,
                "rope_interleave": true,
                "rope_parameters": yarn(factor: 8, original: 8, 1, 1).merging(
                    ["llama_4_scaling_beta": 0.25]) { $1 },
            ]
        case .deepseekV2:
            [
                "intermediate_size": 96, "moe_intermediate_size": width,
                "n_routed_experts": experts, "n_shared_experts": 2, "n_group": 4,
                "topk_group": 2, "topk_method": "group_limited_greedy",
                "first_k_dense_replace": 1, "norm_topk_prob": false,
                "routed_scaling_factor": 4.5, "kv_lora_rank": 16,
                "q_lora_rank": NSNull(), "qk_nope_head_dim": 16, "qk_rope_head_dim": 8,
                "v_head_dim": 16, "rope_parameters": yarn(factor: 40, original: 64, 0.707, 0.707),
            ]
        case .qwen3Next:
            [
                "intermediate_size": 96, "norm_topk_prob": true, "decoder_sparse_step": 1,
                "mlp_only_layers": [0], "partial_rotary_factor": 0.25,
            ].merging(delta) { $1 }
        case .qwen35MoE:
            delta.merging([
                "rope_parameters": [
                    "rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": 0.5,
                    "mrope_interleaved": true, "mrope_section": [2, 1, 1],
                ]
            ]) { $1 }
        case .gemma4: gemma
        default: [:]
        }
    }

    /// Of both families with the gated delta rule.
    private var delta: [String: Any] {
        [
            "head_dim": 16, "moe_intermediate_size": width, "num_experts": experts,
            "shared_expert_intermediate_size": 56, "linear_num_key_heads": 2,
            "linear_num_value_heads": 4, "linear_key_head_dim": 16, "linear_value_head_dim": 8,
            "linear_conv_kernel_dim": 4,
            "layer_types": ["linear_attention", "full_attention", "linear_attention"],
        ]
    }

    private func yarn(
        factor: Double, original: Int, _ scale: Double, _ scaleOfAll: Double
    ) -> [String: Any] {
        [
            "rope_type": "yarn", "rope_theta": 10000.0, "factor": factor, "beta_fast": 32.0,
            "beta_slow": 1.0, "mscale": scale, "mscale_all_dim": scaleOfAll,
            "original_max_position_embeddings": original,
        ]
    }

    private var gemma: [String: Any] {
        [
            "head_dim": 16, "global_head_dim": 32, "num_global_key_value_heads": 1,
            "attention_k_eq_v": true, "intermediate_size": 96, "moe_intermediate_size": width,
            "num_experts": experts, "top_k_experts": 4, "enable_moe_block": true,
            "hidden_activation": "gelu_pytorch_tanh", "hidden_size_per_layer_input": 0,
            "num_kv_shared_layers": 0, "sliding_window": 16, "final_logit_softcapping": 7.5,
            "use_bidirectional_attention": "vision",
            "layer_types": ["sliding_attention", "sliding_attention", "full_attention"],
            "rope_parameters": [
                "sliding_attention": ["rope_type": "default", "rope_theta": 10000.0],
                "full_attention": [
                    "rope_type": "proportional", "rope_theta": 1_000_000.0,
                    "partial_rotary_factor": 0.25,
                ],
            ],
        ]
    }

    /// A layer of Gemma 4; the keys of one that reads all positions are its values.
    func gemma(_ name: String, isFull: Bool) -> [GeneratedTensor] {
        let attention = name + ".self_attn"
        let (size, keys) = isFull ? (32, 32) : (16, 32)
        var tensors = [
            matrix(attention + ".q_proj", 4 * size, 64), matrix(attention + ".k_proj", keys, 64),
            matrix(attention + ".o_proj", 64, 4 * size),
            norm(attention + ".q_norm", size), norm(attention + ".k_norm", size),
        ]
        if !isFull { tensors.append(matrix(attention + ".v_proj", keys, 64)) }
        for part in [
            "input_layernorm", "post_attention_layernorm", "pre_feedforward_layernorm",
            "post_feedforward_layernorm", "pre_feedforward_layernorm_2",
            "post_feedforward_layernorm_1", "post_feedforward_layernorm_2",
        ] {
            tensors.append(norm("\(name).\(part)", 64))
        }
        return tensors + gated(name + ".mlp", 96) + [
            GeneratedTensor(name + ".layer_scalar", [1], scale: 0.25, around: 0.75),
            matrix(name + ".router.proj", experts, 64),
            GeneratedTensor(name + ".router.scale", [64], scale: 1, around: 4),
            GeneratedTensor(name + ".router.per_expert_scale", [experts], scale: 0.5, around: 1),
            GeneratedTensor(
                name + ".experts.gate_up_proj", [experts, 2 * width, 64], scale: 0.25),
            GeneratedTensor(name + ".experts.down_proj", [experts, 64, width], scale: 0.25),
        ]
    }
}
