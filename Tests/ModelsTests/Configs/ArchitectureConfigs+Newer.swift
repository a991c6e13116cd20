extension ArchitectureConfigs {
    /// Those of the families of 2025 and 2026.
    static let newer: [String: String] = [
        "glm4_moe": """
        {"model_type": "glm4_moe", "attention_bias": true, "first_k_dense_replace": 1,
         "head_dim": 16, "hidden_size": 64, "intermediate_size": 96,
         "max_position_embeddings": 256, "moe_intermediate_size": 48, "n_group": 1,
         "n_routed_experts": 16, "n_shared_experts": 1, "norm_topk_prob": true,
         "num_attention_heads": 4, "num_experts_per_tok": 4, "num_hidden_layers": 3,
         "num_key_value_heads": 2, "partial_rotary_factor": 0.5, "rms_norm_eps": 1e-05,
         "rope_theta": 10000.0, "routed_scaling_factor": 2.5, "topk_group": 1,
         "use_qk_norm": true, "vocab_size": 256}
        """,
        "kimi_k2": """
        {"model_type": "kimi_k2", "attention_bias": false, "first_k_dense_replace": 1,
         "hidden_size": 64, "intermediate_size": 96, "kv_lora_rank": 16,
         "max_position_embeddings": 256, "moe_intermediate_size": 48, "n_group": 1,
         "n_routed_experts": 16, "n_shared_experts": 1, "norm_topk_prob": true,
         "num_attention_heads": 4, "num_experts_per_tok": 4, "num_hidden_layers": 3,
         "num_key_value_heads": 4, "q_lora_rank": 24, "qk_nope_head_dim": 16,
         "qk_rope_head_dim": 8, "rms_norm_eps": 1e-06,
         "rope_scaling": {"type": "yarn", "factor": 32, "beta_fast": 1, "beta_slow": 1,
          "mscale": 1.0, "mscale_all_dim": 1.0, "original_max_position_embeddings": 64},
         "rope_theta": 50000.0, "routed_scaling_factor": 2.827, "scoring_func": "sigmoid",
         "topk_group": 1, "topk_method": "noaux_tc", "v_head_dim": 16, "vocab_size": 256}
        """,
        "minimax_m2": """
        {"model_type": "minimax_m2", "attn_type_list": [1, 1, 1], "head_dim": 16,
         "hidden_size": 64, "intermediate_size": 48, "max_position_embeddings": 256,
         "num_attention_heads": 4, "num_experts_per_tok": 4, "num_hidden_layers": 3,
         "num_key_value_heads": 2, "num_local_experts": 16, "rms_norm_eps": 1e-06,
         "rope_theta": 5000000, "rotary_dim": 8, "scoring_func": "sigmoid",
         "shared_intermediate_size": 0, "use_qk_norm": true, "use_routing_bias": true,
         "vocab_size": 256}
        """,
        "dots1": """
        {"model_type": "dots1", "attention_bias": false, "first_k_dense_replace": 1,
         "head_dim": 16, "hidden_size": 64, "intermediate_size": 96,
         "max_position_embeddings": 256, "max_window_layers": 2, "moe_intermediate_size": 48,
         "n_group": 1, "n_routed_experts": 16, "n_shared_experts": 2, "norm_topk_prob": true,
         "num_attention_heads": 4, "num_experts_per_tok": 4, "num_hidden_layers": 3,
         "num_key_value_heads": 2, "rms_norm_eps": 1e-05, "rope_theta": 10000.0,
         "routed_scaling_factor": 2.5, "scoring_func": "noaux_tc", "sliding_window": 16,
         "topk_group": 1, "vocab_size": 256}
        """,
        "granitemoe": """
        {"model_type": "granitemoe", "attention_bias": false, "attention_multiplier": 0.015625,
         "embedding_multiplier": 12.0, "hidden_size": 64, "intermediate_size": 48,
         "logits_scaling": 6.0, "max_position_embeddings": 256, "num_attention_heads": 4,
         "num_experts_per_tok": 4, "num_hidden_layers": 3, "num_key_value_heads": 2,
         "num_local_experts": 16, "residual_multiplier": 0.22, "rms_norm_eps": 1e-06,
         "rope_theta": 10000.0, "vocab_size": 256}
        """,
        "phimoe": """
        {"model_type": "phimoe", "attention_bias": true, "hidden_size": 64,
         "intermediate_size": 48, "lm_head_bias": true, "max_position_embeddings": 256,
         "num_attention_heads": 4, "num_experts_per_tok": 2, "num_hidden_layers": 3,
         "num_key_value_heads": 2, "num_local_experts": 8, "rms_norm_eps": 1e-05,
         "rope_theta": 10000.0, "router_jitter_noise": 0.01, "sliding_window": 16,
         "vocab_size": 256}
        """,
        "ernie4_5_moe": """
        {"model_type": "ernie4_5_moe", "hidden_size": 64, "intermediate_size": 96,
         "max_position_embeddings": 256, "moe_intermediate_size": 48, "moe_k": 4,
         "moe_layer_end_index": 2, "moe_layer_interval": 1, "moe_layer_start_index": 1,
         "moe_norm_min": 1e-12, "moe_num_experts": 16, "moe_num_shared_experts": 2,
         "num_attention_heads": 4, "num_hidden_layers": 3, "num_key_value_heads": 2,
         "rms_norm_eps": 1e-05, "rope_theta": 500000.0, "use_bias": false, "vocab_size": 256}
        """,
        "mistral4": """
        {"model_type": "mistral4", "attention_bias": false, "first_k_dense_replace": 1,
         "hidden_size": 64, "intermediate_size": 96, "kv_lora_rank": 16,
         "max_position_embeddings": 256, "moe_intermediate_size": 48, "n_group": 4,
         "n_routed_experts": 16, "n_shared_experts": 1, "norm_topk_prob": true,
         "num_attention_heads": 4, "num_experts_per_tok": 4, "num_hidden_layers": 3,
         "num_key_value_heads": 4, "q_lora_rank": 24, "qk_nope_head_dim": 16,
         "qk_rope_head_dim": 8, "rms_norm_eps": 1e-06, "rope_interleave": true,
         "rope_parameters": {"rope_type": "yarn", "rope_theta": 10000.0, "factor": 8,
          "beta_fast": 32, "beta_slow": 1, "mscale": 1.0, "mscale_all_dim": 1.0,
          "llama_4_scaling_beta": 0.1, "original_max_position_embeddings": 64},
         "routed_scaling_factor": 1.0, "topk_group": 2, "v_head_dim": 16, "vocab_size": 256}
        """,
        "deepseek_v2": """
        {"model_type": "deepseek_v2", "attention_bias": false, "first_k_dense_replace": 1,
         "hidden_size": 64, "intermediate_size": 96, "kv_lora_rank": 16,
         "max_position_embeddings": 256, "mlp_bias": false, "moe_intermediate_size": 48,
         "n_group": 4, "n_routed_experts": 16, "n_shared_experts": 2, "norm_topk_prob": false,
         "num_attention_heads": 4, "num_experts_per_tok": 4, "num_hidden_layers": 3,
         "num_key_value_heads": 4, "q_lora_rank": null, "qk_nope_head_dim": 16,
         "qk_rope_head_dim": 8, "rms_norm_eps": 1e-06,
         "rope_scaling": {"type": "yarn", "factor": 40, "beta_fast": 32, "beta_slow": 1,
          "mscale": 0.707, "mscale_all_dim": 0.707, "original_max_position_embeddings": 64},
         "rope_theta": 10000.0, "routed_scaling_factor": 16.0, "topk_group": 2,
         "topk_method": "group_limited_greedy", "v_head_dim": 16, "vocab_size": 256}
        """,
        "qwen3_next": """
        {"model_type": "qwen3_next", "attention_bias": false, "decoder_sparse_step": 1,
         "full_attention_interval": 2, "head_dim": 16, "hidden_size": 64,
         "intermediate_size": 96, "linear_conv_kernel_dim": 4, "linear_key_head_dim": 16,
         "linear_num_key_heads": 2, "linear_num_value_heads": 4, "linear_value_head_dim": 8,
         "max_position_embeddings": 256, "mlp_only_layers": [0], "moe_intermediate_size": 48,
         "norm_topk_prob": true, "num_attention_heads": 4, "num_experts": 16,
         "num_experts_per_tok": 4, "num_hidden_layers": 3, "num_key_value_heads": 2,
         "partial_rotary_factor": 0.25, "rms_norm_eps": 1e-06, "rope_theta": 10000.0,
         "shared_expert_intermediate_size": 56, "vocab_size": 256}
        """,
        "qwen3_5_moe": """
        {"model_type": "qwen3_5_moe", "text_config": {"model_type": "qwen3_5_moe_text",
         "attn_output_gate": true, "head_dim": 16, "hidden_size": 64,
         "layer_types": ["linear_attention", "full_attention", "linear_attention"],
         "linear_conv_kernel_dim": 4, "linear_key_head_dim": 16, "linear_num_key_heads": 2,
         "linear_num_value_heads": 4, "linear_value_head_dim": 8,
         "max_position_embeddings": 256, "moe_intermediate_size": 48, "num_attention_heads": 4,
         "num_experts": 16, "num_experts_per_tok": 4, "num_hidden_layers": 3,
         "num_key_value_heads": 2, "rms_norm_eps": 1e-06,
         "rope_parameters": {"rope_type": "default", "rope_theta": 10000000.0,
          "partial_rotary_factor": 0.25, "mrope_section": [1, 1, 0]},
         "shared_expert_intermediate_size": 56, "vocab_size": 256},
         "tie_word_embeddings": false, "vision_config": {"depth": 2}}
        """,
        "gemma4": """
        {"model_type": "gemma4", "text_config": {"model_type": "gemma4_text",
         "attention_k_eq_v": true, "enable_moe_block": true, "final_logit_softcapping": 30.0,
         "global_head_dim": 32, "head_dim": 16, "hidden_activation": "gelu_pytorch_tanh",
         "hidden_size": 64, "hidden_size_per_layer_input": 0, "intermediate_size": 96,
         "layer_types": ["sliding_attention", "sliding_attention", "full_attention"],
         "max_position_embeddings": 256, "moe_intermediate_size": 48, "num_attention_heads": 4,
         "num_experts": 16, "num_global_key_value_heads": 1, "num_hidden_layers": 3,
         "num_key_value_heads": 2, "num_kv_shared_layers": 0, "rms_norm_eps": 1e-06,
         "rope_parameters": {
          "full_attention": {"partial_rotary_factor": 0.25, "rope_theta": 1000000.0,
           "rope_type": "proportional"},
          "sliding_attention": {"rope_theta": 10000.0, "rope_type": "default"}},
         "sliding_window": 16, "top_k_experts": 4, "use_bidirectional_attention": "vision",
         "vocab_size": 256}, "tie_word_embeddings": true}
        """,
    ]
}
