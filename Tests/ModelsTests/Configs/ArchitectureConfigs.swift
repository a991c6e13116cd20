/// The config.json of a small model of each architecture, as transformers 5.23 writes what matters.
enum ArchitectureConfigs {
    static let all = first.merging(newer) { $1 }

    static let first: [String: String] = [
        "olmoe": """
        {"model_type": "olmoe", "attention_bias": false, "clip_qkv": null, "eos_token_id": 2,
         "hidden_act": "silu", "hidden_size": 64, "intermediate_size": 48,
         "max_position_embeddings": 256, "norm_topk_prob": false, "num_attention_heads": 4,
         "num_experts": 16, "num_experts_per_tok": 4, "num_hidden_layers": 3,
         "num_key_value_heads": 2, "rms_norm_eps": 1e-05,
         "rope_parameters": {"rope_theta": 10000.0, "rope_type": "default"},
         "tie_word_embeddings": false, "vocab_size": 256}
        """,
        "mixtral": """
        {"model_type": "mixtral", "eos_token_id": [2, 3], "head_dim": null, "hidden_size": 64,
         "intermediate_size": 96, "max_position_embeddings": 256, "num_attention_heads": 4,
         "num_experts_per_tok": 2, "num_hidden_layers": 3, "num_key_value_heads": 2,
         "num_local_experts": 8, "rms_norm_eps": 1e-05, "rope_theta": 1000000.0,
         "sliding_window": 16, "vocab_size": 256}
        """,
        "qwen3_moe": """
        {"model_type": "qwen3_moe", "attention_bias": false, "decoder_sparse_step": 1,
         "head_dim": 16, "hidden_size": 64, "intermediate_size": 96,
         "max_position_embeddings": 256, "mlp_only_layers": [0], "moe_intermediate_size": 48,
         "norm_topk_prob": true, "num_attention_heads": 4, "num_experts_per_tok": 4,
         "num_hidden_layers": 3, "num_key_value_heads": 2, "num_local_experts": 16,
         "rms_norm_eps": 1e-06, "rope_theta": 10000.0, "sliding_window": null,
         "use_sliding_window": false, "vocab_size": 256}
        """,
        "deepseek_v3": """
        {"model_type": "deepseek_v3", "attention_bias": false, "first_k_dense_replace": 1,
         "hidden_size": 64, "intermediate_size": 96, "kv_lora_rank": 16,
         "max_position_embeddings": 256, "moe_intermediate_size": 40, "n_group": 4,
         "n_routed_experts": 16, "n_shared_experts": 1, "norm_topk_prob": true,
         "num_attention_heads": 4, "num_experts_per_tok": 4, "num_hidden_layers": 3,
         "num_key_value_heads": 4, "q_lora_rank": 24, "qk_nope_head_dim": 16,
         "qk_rope_head_dim": 8, "rms_norm_eps": 1e-06, "rope_interleave": true,
         "rope_scaling": {"type": "yarn", "factor": 40, "beta_fast": 32, "beta_slow": 1,
          "mscale": 1.0, "mscale_all_dim": 1.0, "original_max_position_embeddings": 64},
         "rope_theta": 10000.0, "routed_scaling_factor": 2.5, "topk_group": 2,
         "v_head_dim": 16, "vocab_size": 256}
        """,
        "glm4_moe_lite": """
        {"model_type": "glm4_moe_lite", "attention_bias": false, "hidden_size": 64,
         "intermediate_size": 96, "kv_lora_rank": 16, "max_position_embeddings": 256,
         "mlp_layer_types": ["dense", "sparse", "sparse"], "moe_intermediate_size": 40,
         "n_group": 1, "n_routed_experts": 16, "n_shared_experts": 1, "norm_topk_prob": true,
         "num_attention_heads": 4, "num_experts_per_tok": 4, "num_hidden_layers": 3,
         "num_key_value_heads": 4, "q_lora_rank": 24, "qk_nope_head_dim": 16,
         "qk_rope_head_dim": 8, "rms_norm_eps": 1e-05, "rope_interleave": true,
         "rope_theta": 10000.0, "routed_scaling_factor": 1.8, "topk_group": 1,
         "v_head_dim": 16, "vocab_size": 256}
        """,
        "qwen2_moe": """
        {"model_type": "qwen2_moe", "decoder_sparse_step": 1, "hidden_size": 64,
         "intermediate_size": 96, "max_position_embeddings": 256, "max_window_layers": 28,
         "mlp_only_layers": [0], "moe_intermediate_size": 48, "norm_topk_prob": false,
         "num_attention_heads": 4, "num_experts": 16, "num_experts_per_tok": 4,
         "num_hidden_layers": 3, "num_key_value_heads": 2, "qkv_bias": true,
         "rms_norm_eps": 1e-06, "rope_theta": 10000.0, "shared_expert_intermediate_size": 56,
         "sliding_window": null, "use_sliding_window": false, "vocab_size": 256}
        """,
        "flex_olmo": """
        {"model_type": "flex_olmo", "attention_bias": false, "eos_token_id": 2,
         "hidden_size": 64, "intermediate_size": 48, "max_position_embeddings": 256,
         "norm_topk_prob": false, "num_attention_heads": 4, "num_experts": 16,
         "num_experts_per_tok": 4, "num_hidden_layers": 3, "num_key_value_heads": 2,
         "rms_norm_eps": 1e-06, "rope_parameters": {"rope_theta": 500000.0,
         "rope_type": "default"}, "vocab_size": 256}
        """,
        "gpt_oss": """
        {"model_type": "gpt_oss", "attention_bias": true, "head_dim": 16, "hidden_size": 64,
         "intermediate_size": 48,
         "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
         "max_position_embeddings": 256, "num_attention_heads": 4, "num_experts_per_tok": 2,
         "num_hidden_layers": 3, "num_key_value_heads": 2, "num_local_experts": 8,
         "rms_norm_eps": 1e-05,
         "rope_parameters": {"beta_fast": 32.0, "beta_slow": 1.0, "factor": 32.0,
          "original_max_position_embeddings": 4096, "rope_theta": 150000.0,
          "rope_type": "yarn", "truncate": false},
         "sliding_window": 16, "swiglu_alpha": 1.702, "swiglu_limit": 7.0, "vocab_size": 256}
        """,
    ]

    static let names = all.keys.sorted()
}
