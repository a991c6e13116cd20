extension LibraryDefaults {
    /// Those of 5.23 of the families of 2025 and 2026.
    static let newer: [String: String] = [
        "deepseek_v2": """
        {"model_type": "deepseek_v2", "attention_bias": false, "eos_token_id": 2,
        "first_k_dense_replace": 0, "head_dim": 64, "hidden_act": "silu", "hidden_size": 4096,
        "intermediate_size": 11008, "kv_lora_rank": 512, "max_position_embeddings": 2048,
        "mlp_bias": false, "moe_intermediate_size": 1407, "n_group": null, "n_routed_experts":
        64, "n_shared_experts": 2, "norm_topk_prob": false, "num_attention_heads": 32,
        "num_experts_per_tok": null, "num_hidden_layers": 32, "num_key_value_heads": 32,
        "q_lora_rank": 1536, "qk_head_dim": 192, "qk_nope_head_dim": 128, "qk_rope_head_dim":
        64, "rms_norm_eps": 1e-06, "rope_parameters": {"rope_theta": 10000.0, "rope_type":
        "default"}, "routed_scaling_factor": 1.0, "tie_word_embeddings": false, "topk_group":
        null, "topk_method": "greedy", "v_head_dim": 128, "vocab_size": 102400}
        """,
        "dots1": """
        {"model_type": "dots1", "attention_bias": false, "eos_token_id": null,
        "first_k_dense_replace": 0, "hidden_act": "silu", "hidden_size": 4608,
        "intermediate_size": 10944, "layer_types": null, "max_position_embeddings": 2048,
        "max_window_layers": 62, "moe_intermediate_size": 1408, "n_group": 1,
        "n_routed_experts": null, "n_shared_experts": null, "norm_topk_prob": false,
        "num_attention_heads": 32, "num_experts_per_tok": null, "num_hidden_layers": 62,
        "num_key_value_heads": 32, "rms_norm_eps": 1e-06, "rope_parameters": {"rope_theta":
        10000.0, "rope_type": "default"}, "routed_scaling_factor": 1.0, "sliding_window": 4096,
        "tie_word_embeddings": false, "topk_group": 1, "vocab_size": 152064}
        """,
        "ernie4_5_moe": """
        {"model_type": "ernie4_5_moe", "eos_token_id": 2, "hidden_act": "silu", "hidden_size":
        2560, "intermediate_size": 12288, "max_position_embeddings": 131072,
        "moe_intermediate_size": 1536, "moe_k": 6, "moe_layer_end_index": 27,
        "moe_layer_interval": 1, "moe_layer_start_index": 1, "moe_norm_min": 1e-12,
        "moe_num_experts": 64, "moe_num_shared_experts": 2, "num_attention_heads": 20,
        "num_hidden_layers": 28, "num_key_value_heads": 4, "rms_norm_eps": 1e-05,
        "rope_parameters": {"rope_theta": 500000.0, "rope_type": "default"},
        "tie_word_embeddings": true, "use_bias": false, "vocab_size": 103424}
        """,
        "glm4_moe": """
        {"model_type": "glm4_moe", "attention_bias": false, "eos_token_id": null,
        "first_k_dense_replace": 1, "hidden_act": "silu", "hidden_size": 4096,
        "intermediate_size": 10944, "max_position_embeddings": 131072, "moe_intermediate_size":
        1408, "n_group": 1, "n_routed_experts": 128, "n_shared_experts": 1, "norm_topk_prob":
        true, "num_attention_heads": 96, "num_experts_per_tok": 8, "num_hidden_layers": 46,
        "num_key_value_heads": 8, "num_nextn_predict_layers": 1, "rms_norm_eps": 1e-05,
        "rope_parameters": {"rope_theta": 10000.0, "partial_rotary_factor": 0.5, "rope_type":
        "default"}, "routed_scaling_factor": 1.0, "tie_word_embeddings": false, "topk_group": 1,
        "use_qk_norm": false, "vocab_size": 151552}
        """,
        "granitemoe": """
        {"model_type": "granitemoe", "attention_bias": false, "attention_multiplier": 1.0,
        "embedding_multiplier": 1.0, "eos_token_id": 2, "hidden_act": "silu", "hidden_size":
        4096, "intermediate_size": 11008, "logits_scaling": 1.0, "max_position_embeddings":
        2048, "num_attention_heads": 32, "num_experts_per_tok": 2, "num_hidden_layers": 32,
        "num_key_value_heads": 32, "num_local_experts": 8, "residual_multiplier": 1.0,
        "rms_norm_eps": 1e-06, "rope_parameters": {"rope_theta": 10000.0, "rope_type":
        "default"}, "tie_word_embeddings": false, "vocab_size": 32000}
        """,
        "kimi_k2": """
        {"model_type": "kimi_k2", "attention_bias": false, "eos_token_id": 1,
        "first_k_dense_replace": 3, "head_dim": 64, "hidden_act": "silu", "hidden_size": 7168,
        "intermediate_size": 18432, "kv_lora_rank": 512, "max_position_embeddings": 4096,
        "moe_intermediate_size": 2048, "n_group": 8, "n_routed_experts": 256,
        "n_shared_experts": 1, "norm_topk_prob": true, "num_attention_heads": 128,
        "num_experts_per_tok": 8, "num_hidden_layers": 61, "num_key_value_heads": 128,
        "num_nextn_predict_layers": 1, "q_lora_rank": 1536, "qk_head_dim": 192,
        "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "rms_norm_eps": 1e-06,
        "rope_interleave": true, "rope_parameters": {"rope_theta": 10000.0, "rope_type":
        "default"}, "routed_scaling_factor": 2.5, "tie_word_embeddings": false, "topk_group": 4,
        "v_head_dim": 128, "vocab_size": 129280}
        """,
        "minimax_m2": """
        {"model_type": "minimax_m2", "eos_token_id": 200020, "head_dim": 128, "hidden_act":
        "silu", "hidden_size": 3072, "intermediate_size": 1536, "max_position_embeddings":
        196608, "num_attention_heads": 48, "num_experts_per_tok": 8, "num_hidden_layers": 62,
        "num_key_value_heads": 8, "num_local_experts": 256, "rms_norm_eps": 1e-06,
        "rope_parameters": {"rope_theta": 5000000.0, "rope_type": "default"},
        "tie_word_embeddings": false, "vocab_size": 200064}
        """,
        "mistral4": """
        {"model_type": "mistral4", "attention_bias": false, "eos_token_id": 2,
        "first_k_dense_replace": 0, "head_dim": 128, "hidden_act": "silu", "hidden_size": 4096,
        "intermediate_size": 12288, "kv_lora_rank": 256, "max_position_embeddings": 1048576,
        "moe_intermediate_size": 2048, "n_group": 1, "n_routed_experts": 128,
        "n_shared_experts": 1, "norm_topk_prob": true, "num_attention_heads": 32,
        "num_experts_per_tok": 4, "num_hidden_layers": 36, "num_key_value_heads": 32,
        "q_lora_rank": 1024, "qk_head_dim": 128, "qk_nope_head_dim": 64, "qk_rope_head_dim": 64,
        "rms_norm_eps": 1e-06, "rope_interleave": true, "rope_parameters": {"type": "yarn",
        "rope_theta": 10000.0, "factor": 128.0, "original_max_position_embeddings": 8192,
        "max_position_embeddings": 1048576, "beta_fast": 32.0, "beta_slow": 1.0,
        "mscale_all_dim": 1.0, "mscale": 1.0, "llama_4_scaling_beta": 0.1,
        "partial_rotary_factor": 0.5, "rope_type": "yarn"}, "routed_scaling_factor": 1.0,
        "tie_word_embeddings": false, "topk_group": 1, "v_head_dim": 128, "vocab_size": 131072}
        """,
        "phimoe": """
        {"model_type": "phimoe", "attention_bias": false, "eos_token_id": 2, "hidden_act":
        "silu", "hidden_size": 4096, "intermediate_size": 6400, "lm_head_bias": false,
        "max_position_embeddings": 131072, "num_attention_heads": 32, "num_experts_per_tok": 2,
        "num_hidden_layers": 32, "num_key_value_heads": 8, "num_local_experts": 16,
        "rms_norm_eps": 1e-05, "rope_parameters": {"rope_theta": 1000000.0, "rope_type":
        "default"}, "router_jitter_noise": 0.01, "sliding_window": null, "tie_word_embeddings":
        false, "vocab_size": 32064}
        """,
        "qwen3_next": """
        {"model_type": "qwen3_next", "attention_bias": false, "decoder_sparse_step": 1,
        "eos_token_id": null, "head_dim": 256, "hidden_act": "silu", "hidden_size": 2048,
        "intermediate_size": 5632, "layer_types": null, "linear_conv_kernel_dim": 4,
        "linear_key_head_dim": 128, "linear_num_key_heads": 16, "linear_num_value_heads": 32,
        "linear_value_head_dim": 128, "max_position_embeddings": 32768, "mlp_only_layers": [],
        "moe_intermediate_size": 512, "norm_topk_prob": true, "num_attention_heads": 16,
        "num_experts": 512, "num_experts_per_tok": 10, "num_hidden_layers": 48,
        "num_key_value_heads": 2, "rms_norm_eps": 1e-06, "rope_parameters": {"rope_theta":
        10000.0, "partial_rotary_factor": 0.25, "rope_type": "default"},
        "shared_expert_intermediate_size": 512, "tie_word_embeddings": false, "vocab_size":
        151936}
        """,
        "qwen3_5_moe": """
        {"model_type": "qwen3_5_moe", "text_config": {"model_type": "qwen3_5_moe_text",
        "attention_bias": false, "eos_token_id": null, "head_dim": 256, "hidden_act": "silu",
        "hidden_size": 2048, "layer_types": null, "linear_conv_kernel_dim": 4,
        "linear_key_head_dim": 128, "linear_num_key_heads": 16, "linear_num_value_heads": 32,
        "linear_value_head_dim": 128, "max_position_embeddings": 32768, "moe_intermediate_size":
        512, "num_attention_heads": 16, "num_experts": 256, "num_experts_per_tok": 8,
        "num_hidden_layers": 40, "num_key_value_heads": 2, "rms_norm_eps": 1e-06,
        "rope_parameters": {"rope_theta": 10000.0, "partial_rotary_factor": 0.25, "rope_type":
        "default"}, "shared_expert_intermediate_size": 512, "tie_word_embeddings": false,
        "vocab_size": 248320}, "tie_word_embeddings": false}
        """,
    ]
}
