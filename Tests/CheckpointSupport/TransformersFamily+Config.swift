extension TransformersFamily {
    /// config.json.
    func config(bf16: Bool) -> [String: Any] {
        var fields: [String: Any] = [
            "architectures": [className], "model_type": rawValue, "vocab_size": 256,
            "hidden_size": Self.hidden, "num_hidden_layers": Self.layers,
            "num_attention_heads": 4, "num_key_value_heads": isLatent ? 4 : 2,
            "max_position_embeddings": 256, "hidden_act": "silu",
            "rms_norm_eps": [.qwen3MoE, .deepseekV3, .flexOlmo].contains(self) ? 1e-6 : 1e-5,
            "attention_bias": [.gptOSS, .glm4MoE, .phiMoE].contains(self),
            "tie_word_embeddings": isTied, "bos_token_id": 1, "eos_token_id": 2,
            "pad_token_id": 0, "num_experts_per_tok": experts == 8 ? 2 : 4, "use_cache": true,
            "initializer_range": 0.02, "dtype": bf16 ? "bfloat16" : "float32",
            "rope_parameters": ["rope_type": "default", "rope_theta": 10000.0],
        ]
        for (key, value) in own { fields[key] = value }
        guard prefix != "model." else { return fields }
        // Of a model that also sees.
        let outer = ["architectures", "model_type", "tie_word_embeddings", "dtype"]
        var whole = fields.filter { outer.contains($0.key) }
        fields["architectures"] = nil
        fields["model_type"] = rawValue + "_text"
        whole["text_config"] = fields
        return whole
    }

    private var className: String {
        switch self {
        case .olmoe: "OlmoeForCausalLM"
        case .mixtral: "MixtralForCausalLM"
        case .qwen3MoE: "Qwen3MoeForCausalLM"
        case .deepseekV3: "DeepseekV3ForCausalLM"
        case .gptOSS: "GptOssForCausalLM"
        case .glm4MoELite: "Glm4MoeLiteForCausalLM"
        case .qwen2MoE: "Qwen2MoeForCausalLM"
        case .flexOlmo: "FlexOlmoForCausalLM"
        case .glm4MoE: "Glm4MoeForCausalLM"
        case .kimiK2: "DeepseekV3ForCausalLM"
        case .miniMaxM2: "MiniMaxM2ForCausalLM"
        case .dots1: "Dots1ForCausalLM"
        case .graniteMoE: "GraniteMoeForCausalLM"
        case .phiMoE: "PhimoeForCausalLM"
        case .ernie45MoE: "Ernie4_5_MoeForCausalLM"
        case .mistral4: "Mistral4ForCausalLM"
        case .deepseekV2: "DeepseekV2ForCausalLM"
        case .qwen3Next: "Qwen3NextForCausalLM"
        case .qwen35MoE: "Qwen3_5MoeForConditionalGeneration"
        case .gemma4: "Gemma4ForConditionalGeneration"
        }
    }

    /// What this architecture adds or says otherwise.
    private var own: [String: Any] {
        switch self {
        case .olmoe:
            ["intermediate_size": width, "num_experts": experts, "norm_topk_prob": false]
        case .flexOlmo:
            [
                "intermediate_size": width, "num_experts": experts, "norm_topk_prob": false,
                "rope_parameters": ["rope_type": "default", "rope_theta": 500_000.0],
            ]
        case .mixtral:
            [
                "intermediate_size": width, "num_local_experts": experts,
                "rope_parameters": ["rope_type": "default", "rope_theta": 1_000_000.0],
            ]
        case .qwen3MoE:
            [
                "head_dim": 16, "intermediate_size": 96, "moe_intermediate_size": width,
                "num_experts": experts, "norm_topk_prob": true, "decoder_sparse_step": 1,
                "mlp_only_layers": [0],
            ]
        case .deepseekV3:
            [
                "intermediate_size": 96, "moe_intermediate_size": width,
                "n_routed_experts": experts, "n_shared_experts": 1, "n_group": 4,
                "topk_group": 2, "first_k_dense_replace": 1, "norm_topk_prob": true,
                "routed_scaling_factor": 2.5, "kv_lora_rank": 16, "q_lora_rank": 24,
                "qk_nope_head_dim": 16, "qk_rope_head_dim": 8, "v_head_dim": 16,
                "rope_interleave": true, "num_nextn_predict_layers": 0,
            ]
        case .qwen2MoE:
            [
                "intermediate_size": 96, "moe_intermediate_size": width,
                "shared_expert_intermediate_size": 56, "num_experts": experts,
                "norm_topk_prob": false, "decoder_sparse_step": 1, "mlp_only_layers": [0],
                "qkv_bias": true, "use_sliding_window": true, "sliding_window": 16,
                "max_window_layers": 2,
            ]
        case .glm4MoELite:
            [
                "intermediate_size": 96, "moe_intermediate_size": width,
                "n_routed_experts": experts, "n_shared_experts": 1, "n_group": 1,
                "topk_group": 1, "mlp_layer_types": ["dense", "sparse", "sparse"],
                "norm_topk_prob": true, "routed_scaling_factor": 1.8, "kv_lora_rank": 16,
                "q_lora_rank": 24, "qk_nope_head_dim": 16, "qk_rope_head_dim": 8,
                "v_head_dim": 16, "rope_interleave": true, "num_nextn_predict_layers": 0,
            ]
        case .gptOSS:
            [
                "head_dim": 16, "intermediate_size": width, "num_local_experts": experts,
                "sliding_window": 16, "swiglu_limit": 6.5, "swiglu_alpha": 1.702,
                "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
                "rope_parameters": [
                    "rope_type": "yarn", "rope_theta": 150_000.0, "factor": 32.0,
                    "beta_fast": 32.0, "beta_slow": 1.0, "truncate": false,
                    "original_max_position_embeddings": 4096,
                ],
            ]
        default: newer
        }
    }
}
